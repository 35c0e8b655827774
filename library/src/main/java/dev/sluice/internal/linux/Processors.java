package dev.sluice.internal.linux;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Which processor a thread runs on: sched_getcpu(3), sched_setaffinity(2). */
public final class Processors {
    /** A {@code cpu_set_t}: a bit for each of 1024. A kernel that knows more says EINVAL. */
    private static final long MASK_SIZE = 128;

    private static final MemorySegment GETCPU = Native.function("sched_getcpu");
    private static final MemorySegment GETAFFINITY = Native.function("sched_getaffinity");
    private static final MemorySegment SETAFFINITY = Native.function("sched_setaffinity");

    private Processors() {}

    /** The one that the calling thread runs on, or did when this was asked. */
    public static int current() {
        return Native.callInt(GETCPU, 0, 0, 0, 0, 0, 0);
    }

    /**
     * Brings the calling thread to another processor, which it may leave again: it may use the same ones as before.
     *
     * @param among how many it has to be free to use, or it stays where it is
     * @return whether the kernel was asked, and agreed
     */
    public static boolean visit(int processor, int among) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment allowed = arena.allocate(MASK_SIZE, JAVA_LONG.byteAlignment());
            if (Native.callInt(GETAFFINITY, 0, MASK_SIZE, allowed.address(), 0, 0, 0) < 0 || count(allowed) != among) {
                return false;
            }
            MemorySegment one = arena.allocate(MASK_SIZE, JAVA_LONG.byteAlignment());
            one.setAtIndex(JAVA_LONG, processor / Long.SIZE, 1L << processor);
            boolean moved = Native.callInt(SETAFFINITY, 0, MASK_SIZE, one.address(), 0, 0, 0) >= 0;
            Native.callInt(SETAFFINITY, 0, MASK_SIZE, allowed.address(), 0, 0, 0);
            return moved;
        }
    }

    private static int count(MemorySegment mask) {
        int count = 0;
        for (long i = 0; i < MASK_SIZE / Long.BYTES; i++) {
            count += Long.bitCount(mask.getAtIndex(JAVA_LONG, i));
        }
        return count;
    }
}
