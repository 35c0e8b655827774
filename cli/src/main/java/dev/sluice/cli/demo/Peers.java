package dev.sluice.cli.demo;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;

/** A child JVM with a camera and a viewer in it, and how to tell them what to do. For use by one thread. */
public final class Peers implements AutoCloseable {
    private final Process process;
    private final Writer commands;
    private final BufferedReader answers;
    private final int viewerPort;

    private Peers(Process process) throws IOException {
        this.process = process;
        this.commands = process.outputWriter(StandardCharsets.US_ASCII);
        this.answers = process.inputReader(StandardCharsets.US_ASCII);
        this.viewerPort = Integer.parseInt(answer());
    }

    /** @param command the arguments that make {@code main} run {@link PeersProgram} */
    public static Peers start(Class<?> main, String command) throws IOException {
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        String classPath = System.getProperty("java.class.path");
        Process process = new ProcessBuilder(
                        List.of(java, "-XX:+UseSerialGC", "-cp", classPath, main.getName(), command))
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try {
            return new Peers(process);
        } catch (IOException | RuntimeException e) {
            process.destroyForcibly();
            throw e;
        }
    }

    /** The loopback port on which the viewer waits for a stream. */
    public int viewerPort() {
        return viewerPort;
    }

    /** Has the camera connect to a loopback port and send so many bytes. */
    public void film(int port, long size) throws IOException {
        command("film " + port + " " + size);
    }

    /** What the viewer saw; waits for the end of its stream. */
    public Viewing viewing() throws IOException {
        String answer = answer();
        String[] numbers = answer.split(" ");
        if (numbers.length != 2) {
            throw new IOException(answer);
        }
        return new Viewing(Long.parseLong(numbers[0]), Long.parseLong(numbers[1]));
    }

    /** Asks for the SHA-256 of so many bytes of footage, which {@link #answer} gives when it is ready. */
    public void digest(long size) throws IOException {
        command("digest " + size);
    }

    private void command(String line) throws IOException {
        commands.write(line + "\n");
        commands.flush();
    }

    /** The next line from the child, which is waited for. */
    public String answer() throws IOException {
        String line = answers.readLine();
        if (line == null) {
            throw new IOException("the JVM with the camera and the viewer has ended");
        }
        return line;
    }

    /** Ends the child. */
    @Override
    public void close() {
        process.destroyForcibly();
    }
}
