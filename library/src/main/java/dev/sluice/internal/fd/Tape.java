package dev.sluice.internal.fd;

import java.io.IOException;

/**
 * What a descriptor writes to, where that changes on the way: a recording turns to its next file beneath the same number.
 * One thread writes; {@link #missed} may come from another.
 */
public interface Tape {
    /**
     * Asked before each write, by the thread that is going to make it, which may block: at most so many bytes may follow.
     *
     * @return at least 1
     */
    int room() throws IOException;

    /** So many bytes were written. */
    void wrote(long count);

    /** {@code count} bytes of the stream will be missing after the first {@code after} bytes that are written. */
    void missed(long after, long count);
}
