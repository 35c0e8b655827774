package dev.sluice.ring;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/** The table of registered files of a shared ring: the kernel need not look up and count what is in it at every call. */
final class FixedFiles {
    static final int NONE = Places.NONE;
    private static final int SIZE = 1024;

    /** What the kernel takes for no file. */
    private static final int EMPTY = -1;

    private static final MemorySegment NOBODY = Arena.global().allocateFrom(JAVA_INT, EMPTY);

    private final Places places = new Places(SIZE);

    /** On the ring's thread. */
    void register(Ring ring) {
        int[] empty = new int[SIZE];
        Arrays.fill(empty, EMPTY);
        try {
            ring.registry().files(empty);
            places.open();
        } catch (IOException e) {
            // Then nobody has a place.
        }
    }

    /** The index of the descriptor from now on, or {@link #NONE}. */
    int add(SharedRing ring, int fd) throws IOException {
        int index = places.take();
        if (index == NONE) {
            return NONE;
        }
        try (Arena arena = Arena.ofConfined()) {
            if (ring.perform(new Update(arena.allocateFrom(JAVA_INT, fd), index), Long.MAX_VALUE) == 1) {
                return index;
            }
        }
        places.give(index);
        return NONE;
    }

    /** Does not wait: who gets the index next comes behind us in the queue. */
    void remove(SharedRing ring, int index) {
        ring.thread().submit(new Update(NOBODY, index));
        places.give(index);
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
}
