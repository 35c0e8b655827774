package dev.sluice.bench;

import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * A child process that takes part in a run, asked line by line and ending with its standard input: the endpoints, or a
 * contender for the place between them. It lives for all the runs, so that its code is warm.
 */
final class Party implements AutoCloseable {
    private static final String JAVA =
            Path.of(System.getProperty("java.home"), "bin", "java").toString();

    private final String name;
    private final Process process;
    private final BufferedWriter questions;
    private final BufferedReader answers;
    private final String version;

    private Party(String name, List<String> command) throws IOException {
        this.name = name;
        this.process = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        this.questions = process.outputWriter();
        this.answers = process.inputReader();
        this.version = answer("hello");
    }

    /** A JVM that runs the class. */
    static Party java(String name, String classPath, Class<?> main, String... arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of(
                JAVA,
                "--enable-native-access=ALL-UNNAMED",
                "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
                "-cp",
                classPath,
                main.getName()));
        command.addAll(List.of(arguments));
        return new Party(name, command);
    }

    /** A program built from its source by the given compiler; null, with a message, where there is none. */
    static Party built(String name, Path source, String... compiler) throws IOException {
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
        return new Party(name, List.of(program.toString()));
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
        String line = answers.readLine();
        if (line == null || !line.startsWith(word + " ")) {
            throw new IOException(name + " answered " + line + " instead of " + word);
        }
        return line.substring(word.length() + 1);
    }

    long cpuNanos() {
        return Libc.cpuNanos(process.pid());
    }

    /** Ends the wait for an answer that does not come. */
    void kill() {
        process.destroyForcibly();
    }

    @Override
    public void close() throws IOException {
        questions.close();
        try {
            if (!process.waitFor(5, TimeUnit.SECONDS)) {
                kill();
            }
        } catch (InterruptedException e) {
            kill();
        }
    }
}
