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
    private static final MemorySegment NOBODY = Arena.global().allocateFrom(JAVA_INT, NONE);

    private final BitSet taken = new BitSet();
    private boolean available;

    /** On the ring's thread. */
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
        if (index == NONE) {
            return NONE;
        }
        try (Arena arena = Arena.ofConfined()) {
            if (ring.perform(new Update(arena.allocateFrom(JAVA_INT, fd), index), Long.MAX_VALUE) == 1) {
                return index;
            }
        }
        give(index);
        return NONE;
    }

    /** Does not wait: who gets the index next comes behind us in the queue. */
    void remove(SharedRing ring, int index) {
        ring.thread().submit(new Update(NOBODY, index));
        give(index);
    }

    private static final class Update extends Request {
        private final MemorySegment number;
        private final int index;

        Update(MemorySegment number, int index) {
            this.number = number;
            this.index = index;
        }

        @Override
        void fill(Submission submission) {
            submission.updateFiles(number, index);
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
