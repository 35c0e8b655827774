package dev.sluice.internal.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** io_uring_setup(2), which libc has no function for. So far only asked whether it is there. */
public final class Rings {
    private static final long IO_URING_SETUP = 425;
    private static final long PARAMS_SIZE = 120;

    private static final MemorySegment SYSCALL = Native.function("syscall");

    private Rings() {}

    /** The descriptor of a new ring, or −errno. */
    public static int setup(int entries) {
        try (Arena arena = Arena.ofConfined()) {
            long params = arena.allocate(PARAMS_SIZE, 8).address();
            return Native.callInt(SYSCALL, IO_URING_SETUP, entries, params, 0, 0, 0);
        }
    }
}
