package dev.sluice.ring;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.sluice.internal.linux.Rings;
import java.lang.foreign.MemorySegment;

/**
 * A view of one entry of the completion queue. A ring has one such object and moves it on: what it says is to be taken
 * out before the next {@link Ring#peek} or {@link Ring#advance}, and before a handler returns.
 */
public final class Completion {
    private MemorySegment queue;
    private long at;

    Completion() {}

    Completion at(MemorySegment entries, long offset) {
        queue = entries;
        at = offset;
        return this;
    }

    /** What {@link Submission#id} gave the request. A zero-copy send and its notification have the same. */
    public long id() {
        return queue.get(JAVA_LONG, at + Rings.CQE_USER_DATA);
    }

    /** What the system call of the operation would return, or −errno. */
    public int result() {
        return queue.get(JAVA_INT, at + Rings.CQE_RES);
    }

    /** The flags as the kernel wrote them. */
    public int flags() {
        return queue.get(JAVA_INT, at + Rings.CQE_FLAGS);
    }

    /**
     * Whether the request goes on: a multishot one is still armed, a zero-copy send will still be notified of its
     * buffer. Only this decides that, never {@link #result}.
     */
    public boolean more() {
        return (flags() & Rings.IORING_CQE_F_MORE) != 0;
    }

    /** Whether this says that the kernel has let go of the buffer of a zero-copy send. */
    public boolean notification() {
        return (flags() & Rings.IORING_CQE_F_NOTIF) != 0;
    }

    /** Of a notification, asked for by {@link Submission#reportUsage}: whether the bytes were copied after all. */
    public boolean copied() {
        return (result() & Rings.IORING_NOTIF_USAGE_ZC_COPIED) != 0;
    }

    /** Whether the kernel chose a buffer of a {@link BufferRing}, {@link #bufferId}. */
    public boolean hasBuffer() {
        return (flags() & Rings.IORING_CQE_F_BUFFER) != 0;
    }

    /** Which one; of several, the first. */
    public int bufferId() {
        return flags() >>> Rings.IORING_CQE_BUFFER_SHIFT;
    }

    /** Whether the kernel keeps filling that buffer, which is then of an incremental ring. */
    public boolean bufferMore() {
        return (flags() & Rings.IORING_CQE_F_BUF_MORE) != 0;
    }

    /** Whether more was to be received at that moment. */
    public boolean socketNonEmpty() {
        return (flags() & Rings.IORING_CQE_F_SOCK_NONEMPTY) != 0;
    }

    /** One of the two words behind an entry of a ring of {@link SetupFlag#CQE32}. */
    public long extra(int word) {
        return queue.get(JAVA_LONG, at + Rings.CQE_SIZE + 8L * word);
    }

    @Override
    public String toString() {
        return "completion of " + id() + ": " + result() + ", flags 0x" + Integer.toHexString(flags());
    }
}
