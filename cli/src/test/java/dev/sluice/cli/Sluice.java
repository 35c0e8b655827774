package dev.sluice.cli;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** The command in a JVM of its own, as a user runs it. */
final class Sluice implements AutoCloseable {
    private static final long PATIENCE_SECONDS = 60;

    private final Process process;
    private final BufferedReader out;
    private final Path err;

    private Sluice(List<String> command) throws IOException {
        err = Files.createTempFile("sluice", ".err");
        process = new ProcessBuilder(command).redirectError(err.toFile()).start();
        out = process.inputReader();
    }

    static Sluice start(String... arguments) throws IOException {
        return start(List.of(), arguments);
    }

    /** @param jvm options of the JVM */
    static Sluice start(List<String> jvm, String... arguments) throws IOException {
        return new Sluice(command(jvm, arguments));
    }

    static List<String> command(List<String> jvm, String... arguments) {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(List.of("-XX:+UseSerialGC", "--enable-native-access=ALL-UNNAMED"));
        command.addAll(jvm);
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), Main.class.getName()));
        command.addAll(List.of(arguments));
        return command;
    }

    /** A shell command line in which {@code sluice} stands for the command. */
    static Sluice shell(String line) throws IOException {
        return shell(command(List.of()), line);
    }

    /** The same with all classes in one jar, as it is shipped: loading one takes no descriptor. */
    static Sluice shell(Path jar, String line) throws IOException {
        List<String> command = command(List.of());
        command.set(command.indexOf("-cp") + 1, jar.toString());
        return shell(command, line);
    }

    private static Sluice shell(List<String> command, String line) throws IOException {
        String sluice = "sluice() { '" + String.join("' '", command) + "' \"$@\"; }; ";
        return new Sluice(List.of("bash", "-c", sluice + line));
    }

    Process process() {
        return process;
    }

    /** The port after {@code --print-address}. */
    int port() throws IOException {
        String line = out.readLine();
        if (line == null || !line.startsWith("listening tcp:127.0.0.1:")) {
            throw new AssertionError("no address, but '" + line + "'; " + Files.readString(err));
        }
        return Integer.parseInt(line.substring(line.lastIndexOf(':') + 1));
    }

    String readLine() throws IOException {
        return out.readLine();
    }

    void signal(String name) throws Exception {
        new ProcessBuilder("kill", "-" + name, Long.toString(process.pid()))
                .inheritIO()
                .start()
                .waitFor();
    }

    /** Waits until the line that the text is in has come on stderr. */
    void awaitErr(String text) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
        while (!Files.readString(err).contains(text)) {
            if (System.nanoTime() - deadline > 0) {
                throw new AssertionError("'" + text + "' has not come: " + Files.readString(err));
            }
            Thread.sleep(10);
        }
    }

    /** Waits until the file that it writes has so many bytes. */
    void awaitSize(Path file, long size) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
        while (!Files.exists(file) || Files.size(file) < size) {
            if (System.nanoTime() - deadline > 0) {
                throw new AssertionError(file + " does not grow: " + Files.readString(err));
            }
            Thread.sleep(10);
        }
    }

    /** How it ended: what it said from now on, and its exit code. */
    record End(int code, String out, String err) {}

    End end() throws Exception {
        StringBuilder rest = new StringBuilder();
        for (String line = out.readLine(); line != null; line = out.readLine()) {
            rest.append(line).append('\n');
        }
        if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
            throw new AssertionError("it does not end: " + Files.readString(err));
        }
        return new End(process.exitValue(), rest.toString(), Files.readString(err));
    }

    @Override
    public void close() throws IOException {
        process.descendants().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly();
        Files.deleteIfExists(err);
    }
}
