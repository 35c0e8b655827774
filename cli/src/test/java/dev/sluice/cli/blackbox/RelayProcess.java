package dev.sluice.cli.blackbox;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** {@code sluice relay} as it is shipped: the jar in a JVM of its own, known by its command line only. */
final class RelayProcess implements AutoCloseable {
    private static final long PATIENCE_SECONDS = 60;
    static final String JAR = Path.of(System.getProperty("sluice.jar", "target/sluice.jar"))
            .toAbsolutePath()
            .toString();

    private final Process process;
    private final Path err;
    private final String address;
    private final BlockingQueue<Ended> records = new LinkedBlockingQueue<>();
    private final BlockingQueue<String> opened = new LinkedBlockingQueue<>();
    private final Thread reader;

    private RelayProcess(List<String> command) throws IOException {
        err = Files.createTempFile("relay", ".err");
        process = new ProcessBuilder(command).redirectError(err.toFile()).start();
        BufferedReader out = process.inputReader();
        String line = out.readLine();
        if (line == null || !line.startsWith("listening ")) {
            close();
            throw new AssertionError("not an address: '" + line + "'; " + Files.readString(err));
        }
        address = line.substring("listening ".length());
        reader = Thread.ofVirtual().start(() -> readRecords(out));
    }

    private void readRecords(BufferedReader out) {
        try {
            for (String line = out.readLine(); line != null; line = out.readLine()) {
                if (line.startsWith("listening ")) {
                    opened.add(line.substring("listening ".length()));
                } else {
                    records.add(Ended.of(line));
                }
            }
        } catch (IOException e) {
            // It has been killed.
        }
    }

    /** Starts it, and returns once it listens. */
    static RelayProcess start(String listen, String target, String... options) throws IOException {
        return start(List.of(), listen, target, options);
    }

    /** @param prefix comes before the command: a program that starts another */
    static RelayProcess start(List<String> prefix, String listen, String target, String... options) throws IOException {
        List<String> command = new ArrayList<>(prefix);
        command.addAll(relay());
        command.addAll(List.of(listen, target, "--print-address", "--json"));
        command.addAll(List.of(options));
        return new RelayProcess(command);
    }

    /** The same with a file that says what to do; its records are to be JSON, or go elsewhere. */
    static RelayProcess configured(List<String> prefix, Path config) throws IOException {
        List<String> command = new ArrayList<>(prefix);
        command.addAll(relay());
        command.addAll(List.of("--config", config.toString(), "--print-address"));
        return new RelayProcess(command);
    }

    /** The command up to its first argument. */
    static List<String> relay() {
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        return List.of(java, "-XX:+UseSerialGC", "-jar", JAR, "relay");
    }

    /** Skips a test that needs an option of a later version. */
    static void assumeOption(String option) {
        assumeTrue(Help.TEXT.contains(option), "the relay has no " + option + " yet");
    }

    private static final class Help {
        static final String TEXT = text();

        private static String text() {
            List<String> command = new ArrayList<>(relay());
            command.add("--help");
            try {
                Process help = new ProcessBuilder(command).start();
                return new String(help.getInputStream().readAllBytes());
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    /** Where it listens, in the form that the command line takes. */
    String address() {
        return address;
    }

    /** The next address that it listens on, too. */
    String nextAddress() throws Exception {
        String next = opened.poll(PATIENCE_SECONDS / 2, TimeUnit.SECONDS);
        if (next == null) {
            throw new AssertionError("no other address; " + err());
        }
        return next;
    }

    int port() {
        return Integer.parseInt(address.substring(address.lastIndexOf(':') + 1));
    }

    long pid() {
        return process.pid();
    }

    Vitals vitals() throws IOException {
        return Vitals.of(pid());
    }

    /** The record of the next session that ends, for which it has some time. */
    Ended record() throws Exception {
        Ended record = records.poll(PATIENCE_SECONDS / 2, TimeUnit.SECONDS);
        if (record == null) {
            throw new AssertionError("no session has ended; " + err());
        }
        return record;
    }

    /** How many records have come that nobody has asked for. */
    int recordsWaiting() {
        return records.size();
    }

    void signal(String name) throws Exception {
        new ProcessBuilder("kill", "-" + name, Long.toString(pid()))
                .inheritIO()
                .start()
                .waitFor();
    }

    /** Sends a SIGTERM and waits until it has been heard. */
    void drain() throws Exception {
        signal("TERM");
        awaitErr("draining");
    }

    void awaitErr(String text) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
        while (!err().contains(text)) {
            if (System.nanoTime() - deadline > 0) {
                throw new AssertionError("'" + text + "' has not come: " + err());
            }
            Thread.sleep(10);
        }
    }

    /** What it has said on stderr so far. */
    String err() throws IOException {
        return Files.readString(err);
    }

    boolean isAlive() {
        return process.isAlive();
    }

    /** Waits for its end; all records are there then. */
    int exitCode() throws Exception {
        if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
            throw new AssertionError("it does not end: " + err());
        }
        reader.join();
        return process.exitValue();
    }

    @Override
    public void close() throws IOException {
        process.descendants().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly();
        try {
            process.waitFor();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        Files.deleteIfExists(err);
    }
}
