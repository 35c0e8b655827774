package dev.sluice.ring;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.BitSet;

/** The table of registered files of a shared ring: the kernel need not look up and count what is in it at every call. */
final class FixedFiles {
    static final int NONE = -1;
    private static final int SIZE = 1024;

    private final BitSet taken = new BitSet();
    private boolean available;

    /** On the ring's thread. A kernel that refuses leaves us with ordinary descriptors. */
    void register(Ring ring) {
        int[] empty = new int[SIZE];
        Arrays.fill(empty, NONE);
        try {
            ring.registry().files(empty);
            available = true;
        } catch (IOException e) {
            available = false;
        }
    }

    /** The index of the descriptor from now on, or {@link #NONE}. */
    int add(SharedRing ring, int fd) throws IOException {
        int index = take();
        if (index != NONE && update(ring, index, fd) != 1) {
            give(index);
            return NONE;
        }
        return index;
    }

    void remove(SharedRing ring, int index) throws IOException {
        if (update(ring, index, NONE) == 1) {
            give(index);
        }
    }

    private static int update(SharedRing ring, int index, int fd) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment number = arena.allocateFrom(JAVA_INT, fd);
            long address = number.address();
            return ring.perform(
                    new Request() {
                        @Override
                        void fill(Submission submission) {
                            submission.raw(Operation.FILES_UPDATE.ordinal(), -1, index, address, 1, 0);
                        }
                    },
                    Long.MAX_VALUE);
        }
    }

    private synchronized int take() {
        if (!available) {
            return NONE;
        }
        int index = taken.nextClearBit(0);
        if (index == SIZE) {
            return NONE;
        }
        taken.set(index);
        return index;
    }

    private synchronized void give(int index) {
        taken.clear(index);
    }
}
