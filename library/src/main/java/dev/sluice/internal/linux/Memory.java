package dev.sluice.internal.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;

/**
 * mmap(2): memory whose pages are given back with the mapping. The kernel keeps pages that it still sends from, so that
 * unmapping is safe at any time, other than free(3) and somebody else's malloc(3).
 */
public final class Memory {
    private static final int PROT_READ = 1;
    private static final int PROT_WRITE = 2;
    private static final int MAP_PRIVATE = 2;
    private static final int MAP_ANONYMOUS = 0x20;
    private static final int MAP_HUGETLB = 0x40000;
    private static final int MADV_HUGEPAGE = 14;

    public static final long HUGE_PAGE = 2 << 20;

    private static final MemorySegment MMAP = Native.function("mmap");
    private static final MemorySegment MUNMAP = Native.function("munmap");
    private static final MemorySegment MADVISE = Native.function("madvise");

    private Memory() {}

    /** The address of fresh zeroes, or −errno. */
    public static long map(long size, boolean huge) {
        int flags = MAP_PRIVATE | MAP_ANONYMOUS | (huge ? MAP_HUGETLB : 0);
        return Native.callLong(MMAP, 0, size, PROT_READ | PROT_WRITE, flags, -1, 0);
    }

    public static int unmap(long address, long size) {
        return Native.callInt(MUNMAP, address, size, 0, 0, 0, 0);
    }

    /** Asks for transparent huge pages; whether there will be any, nobody tells. */
    public static int adviseHuge(long address, long size) {
        return Native.callInt(MADVISE, address, size, MADV_HUGEPAGE, 0, 0, 0);
    }

    /** The same until the arena is closed, which runs the action. */
    @SuppressWarnings("restricted")
    public static MemorySegment at(long address, long size, Arena arena, Consumer<MemorySegment> onClose) {
        return MemorySegment.ofAddress(address).reinterpret(size, arena, onClose);
    }
}
