package dev.sluice.ring;

import dev.sluice.send.ZeroCopyCalls;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/** The table of registered memory of a shared ring: the kernel need not look up and pin the pages at every call. */
final class FixedBuffers {
    private static final int SIZE = 256;

    private final Places places = new Places(SIZE);

    /** On the ring's thread. */
    void register(Ring ring) {
        try {
            ring.registry().emptyBuffers(SIZE);
            places.open();
        } catch (IOException e) {
            // Then nobody has a place.
        }
    }

    /** The index of the memory from now on, or {@link ZeroCopyCalls#UNREGISTERED}. */
    int add(SharedRing ring, MemorySegment memory) throws IOException {
        int index = places.take();
        if (index == Places.NONE) {
            return ZeroCopyCalls.UNREGISTERED;
        }
        Update update = new Update(ring, memory, index);
        ring.thread().submit(update);
        try {
            ring.thread().await(update, Long.MAX_VALUE);
        } finally {
            if (!update.made) {
                places.give(index);
            }
        }
        return update.made ? index : ZeroCopyCalls.UNREGISTERED;
    }

    /** Does not wait: who gets the index next comes behind us in the queue. */
    void remove(SharedRing ring, int index) {
        ring.thread().submit(new Update(ring, MemorySegment.NULL, index));
        places.give(index);
    }

    /** No request does this: what is done is done on the way to one that does nothing. */
    private static final class Update extends Request {
        private final SharedRing ring;
        private final MemorySegment memory;
        private final int index;
        private boolean made;

        Update(SharedRing ring, MemorySegment memory, int index) {
            this.ring = ring;
            this.memory = memory;
            this.index = index;
        }

        @Override
        void fill(Submission submission) {
            submission.nop();
            try {
                ring.thread().ring().registry().updateBuffers(index, memory);
                made = true;
            } catch (IOException e) {
                // Over the limit of locked memory, most likely.
                made = false;
            }
        }
    }
}
