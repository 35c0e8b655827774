package dev.sluice.cli.blackbox;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** Other people's programs, where they are installed. */
final class Programs {
    private static final long PATIENCE_SECONDS = 60;

    private Programs() {}

    /** Its path; skips the test if there is none. */
    static String assumeFound(String name) {
        String found = find(name);
        assumeTrue(!found.isEmpty(), name + " is not installed");
        return found;
    }

    /** Its path, or an empty string. */
    static String find(String name) {
        return Stream.of((System.getenv("PATH") + ":/usr/sbin:/sbin").split(":"))
                .map(directory -> Path.of(directory, name))
                .filter(Files::isExecutable)
                .map(Path::toString)
                .findFirst()
                .orElse("");
    }

    /** @param output both streams */
    record Run(int code, String output) {

        /** The output of a run that went well. */
        String ok() {
            if (code != 0) {
                throw new AssertionError("exit code " + code + ": " + output);
            }
            return output;
        }
    }

    static Run run(List<String> command) throws Exception {
        return run(Path.of("."), command);
    }

    static Run run(Path directory, List<String> command) throws Exception {
        Path output = Files.createTempFile("program", ".out");
        try {
            Process process = new ProcessBuilder(command)
                    .directory(directory.toFile())
                    .redirectErrorStream(true)
                    .redirectOutput(output.toFile())
                    .start();
            if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
                kill(process);
                throw new AssertionError("no end: " + command + ": " + Files.readString(output));
            }
            return new Run(process.exitValue(), Files.readString(output));
        } finally {
            Files.delete(output);
        }
    }

    /** Something that runs until it is closed. */
    interface Service extends AutoCloseable {
        @Override
        void close();
    }

    /** Starts it in the foreground, its output thrown away, and waits until it is ready. */
    static Service start(Path directory, Ready ready, List<String> command) throws Exception {
        Process process = new ProcessBuilder(command)
                .directory(directory.toFile())
                .redirectErrorStream(true)
                .redirectOutput(directory.resolve("service.log").toFile())
                .start();
        while (!ready.now()) {
            if (!process.isAlive()) {
                throw new AssertionError(command + ": " + Files.readString(directory.resolve("service.log")));
            }
            Thread.sleep(10);
        }
        return () -> kill(process);
    }

    interface Ready {
        boolean now() throws Exception;

        /** Somebody listens on a port. */
        static Ready port(int port) {
            return () -> {
                try {
                    Stage.connect(new InetSocketAddress(Stage.loopback(), port)).close();
                    return true;
                } catch (IOException e) {
                    return false;
                }
            };
        }

        static Ready file(Path path) {
            return () -> Files.exists(path);
        }
    }

    private static void kill(Process process) {
        List<ProcessHandle> descendants = process.descendants().toList();
        process.destroy();
        try {
            if (!process.waitFor(5, TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
        descendants.forEach(ProcessHandle::destroyForcibly);
    }
}
