package dev.sluice.internal.fd;

import dev.sluice.internal.linux.Files;
import dev.sluice.internal.linux.Pipes;

/** The two ends of a kernel pipe, with one owner at a time, who alone knows how many bytes are inside. */
public final class RawPipe implements AutoCloseable {
    private final int readEnd;
    private final int writeEnd;
    private int capacity;

    private RawPipe(long ends) {
        this.readEnd = (int) ends;
        this.writeEnd = (int) (ends >>> 32);
        this.capacity = Pipes.capacity(readEnd);
    }

    /** A pipe of the kernel's default size, or null when no descriptor or memory is left for one. */
    public static RawPipe open() {
        long ends = Pipes.pipe();
        if (ends < 0) {
            return null;
        }
        RawPipe pipe = new RawPipe(ends);
        if (pipe.capacity < 0) {
            pipe.close();
            return null;
        }
        return pipe;
    }

    public int readEnd() {
        return readEnd;
    }

    public int writeEnd() {
        return writeEnd;
    }

    /** Bytes that fit if every page-sized slot is full; small segments fill the slots long before (S2). */
    public int capacity() {
        return capacity;
    }

    /** Asks for a size and says what the kernel gave; a refusal leaves the size as it was (S26). */
    public int resize(int bytes) {
        if (bytes != capacity) {
            int given = Pipes.setCapacity(readEnd, bytes);
            capacity = given >= 0 ? given : capacity;
        }
        return capacity;
    }

    @Override
    public void close() {
        Files.close(readEnd);
        Files.close(writeEnd);
    }
}
