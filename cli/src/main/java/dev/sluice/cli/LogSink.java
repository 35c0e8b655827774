package dev.sluice.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** Where lines go to, several at a time. A line that can't be written is lost, which is said, but not once per line. */
final class LogSink {
    private static final int BATCH = 64 * 1024;

    private final OutputStream out;
    private final String name;
    private final boolean ours;
    private final StringBuilder batch = new StringBuilder();
    private final AtMost complaints = new AtMost(1, "writes of records failed", Console::say);

    private LogSink(OutputStream out, String name, boolean ours) {
        this.out = out;
        this.name = name;
        this.ours = ours;
    }

    static LogSink standard(FileDescriptor descriptor) {
        return new LogSink(
                new FileOutputStream(descriptor), descriptor == FileDescriptor.out ? "stdout" : "stderr", false);
    }

    /** A file that is made if it is not there. */
    static LogSink append(Path file) throws IOException {
        OutputStream out = Files.newOutputStream(file, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        return new LogSink(out, file.toString(), true);
    }

    void add(String line) {
        batch.append(line).append('\n');
        if (batch.length() > BATCH) {
            flush();
        }
    }

    void flush() {
        if (batch.isEmpty()) {
            return;
        }
        try {
            out.write(batch.toString().getBytes(StandardCharsets.UTF_8));
        } catch (IOException e) {
            complaints.say(() -> "records are lost: " + name + ": write: " + Trouble.oneLine(e.toString()));
        }
        batch.setLength(0);
    }

    /** Writes what is left; closes a file, but no standard stream. */
    void close() {
        flush();
        if (ours) {
            try {
                out.close();
            } catch (IOException e) {
                Console.say(name + ": close: " + Trouble.oneLine(String.valueOf(e.getMessage())));
            }
        }
    }
}
