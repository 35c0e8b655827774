package dev.sluice.bench;

import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Timer;
import java.util.TimerTask;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * A child process that takes part in a run: the endpoints, or a contender for the place between them. It lives for all
 * the runs, so that its code is warm. Most are asked line by line and end with their standard input; a relay that
 * knows nothing of us is only measured.
 */
final class Party implements AutoCloseable {
    static final String JAVA =
            Path.of(System.getProperty("java.home"), "bin", "java").toString();

    private static final Pattern VERSION = Pattern.compile("\\d+(\\.\\d+)+");

    /** For an answer, which should take seconds at most. */
    private static final long TIMEOUT_MILLIS = 120_000;

    private static final Timer WATCHDOGS = new Timer(true);

    private final String name;
    private final Process process;
    private final BufferedWriter questions;
    private final BufferedReader answers;
    private final boolean asked;
    private final String version;

    private Party(String name, String version, List<String> command) throws IOException {
        this.name = name;
        this.asked = version == null;
        this.process = new ProcessBuilder(command)
                .redirectError(Redirect.INHERIT)
                .redirectOutput(asked ? Redirect.PIPE : Redirect.DISCARD)
                .start();
        Runtime.getRuntime().addShutdownHook(new Thread(process::destroy));
        this.questions = process.outputWriter();
        this.answers = process.inputReader();
        this.version = asked ? answer("hello") : version;
    }

    /** A JVM that runs the class. */
    static Party java(String name, String classPath, Class<?> main, String... arguments) throws IOException {
        return new Party(name, null, javaCommand(classPath, main, arguments));
    }

    static List<String> javaCommand(String classPath, Class<?> main, String... arguments) {
        List<String> command =
                new ArrayList<>(List.of(JAVA, "--enable-native-access=ALL-UNNAMED", "-cp", classPath, main.getName()));
        command.addAll(List.of(arguments));
        return command;
    }

    /** A program built from its source by the given compiler; null, with a message, where there is none. */
    static Party built(String name, Path source, String... compiler) throws IOException {
        Path program = build(name, source, compiler);
        return program == null ? null : new Party(name, null, List.of(program.toString()));
    }

    /** The program, which is deleted at the end; null, with a message, where it can't be built. */
    static Path build(String name, Path source, String... compiler) throws IOException {
        if (!Files.exists(source)) {
            System.err.println(name + " is left out: no " + source + " here; start from the root of the repository");
            return null;
        }
        Path program = Files.createTempFile("sluice-bench", "");
        program.toFile().deleteOnExit();
        List<String> command = new ArrayList<>(List.of(compiler));
        command.addAll(List.of("-o", program.toString(), source.toString()));
        try {
            Process compilation = new ProcessBuilder(command).inheritIO().start();
            if (compilation.waitFor() != 0) {
                throw new IOException(String.join(" ", command) + " failed");
            }
        } catch (InterruptedException e) {
            throw new IOException(e);
        } catch (IOException e) {
            System.err.println(name + " is left out: " + e.getMessage());
            return null;
        }
        return program;
    }

    /** A program that is not asked anything. */
    static Party silent(String name, String version, List<String> command) throws IOException {
        return new Party(name, version, command);
    }

    /** The version that a program prints of itself; null, with a message, where there is no such program. */
    static String versionOf(String name, String... command) throws IOException {
        try {
            Process process =
                    new ProcessBuilder(command).redirectErrorStream(true).start();
            Matcher matcher =
                    VERSION.matcher(new String(process.getInputStream().readAllBytes()));
            return matcher.find() ? matcher.group() : "unknown version";
        } catch (IOException e) {
            System.err.println(name + " is left out: " + e.getMessage());
            return null;
        }
    }

    String name() {
        return name;
    }

    /** What it says of itself. */
    String version() {
        return version;
    }

    void ask(String line) throws IOException {
        questions.write(line);
        questions.newLine();
        questions.flush();
    }

    /** What follows the expected word. */
    String answer(String word) throws IOException {
        TimerTask watchdog = new TimerTask() {
            @Override
            public void run() {
                System.err.println(name + ": no answer within " + TIMEOUT_MILLIS / 1000 + " s");
                process.destroyForcibly();
            }
        };
        WATCHDOGS.schedule(watchdog, TIMEOUT_MILLIS);
        try {
            String line = answers.readLine();
            if (line == null || !line.startsWith(word + " ")) {
                throw new IOException(name + " answered " + line + " instead of " + word);
            }
            return line.substring(word.length() + 1);
        } finally {
            watchdog.cancel();
        }
    }

    boolean isAlive() {
        return process.isAlive();
    }

    /** CPU time, with that of workers. */
    long cpuNanos() {
        return processes().mapToLong(Libc::cpuNanos).sum();
    }

    /** Resident memory, with that of workers. */
    long residentBytes() throws IOException {
        long kibibytes = 0;
        for (long pid : processes().toList()) {
            kibibytes += Files.readAllLines(Path.of("/proc", Long.toString(pid), "status")).stream()
                    .filter(line -> line.startsWith("VmRSS:"))
                    .mapToLong(line -> Long.parseLong(line.split("\\s+")[1]))
                    .sum();
        }
        return kibibytes << 10;
    }

    private Stream<Long> processes() {
        return Stream.concat(Stream.of(process.toHandle()), process.descendants())
                .map(ProcessHandle::pid);
    }

    @Override
    public void close() throws IOException {
        questions.close();
        if (!asked) {
            process.destroy();
        }
        try {
            if (!process.waitFor(5, TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
        }
    }
}
