package dev.sluice.ring;

import dev.sluice.send.ZeroCopyCalls;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.BitSet;

/** The table of registered memory of a shared ring: the kernel need not look up and pin the pages at every call. */
final class FixedBuffers {
    private static final int SIZE = 256;

    private final BitSet taken = new BitSet();
    private boolean available;

    /** On the ring's thread. */
    void register(Ring ring) {
        try {
            ring.registry().emptyBuffers(SIZE);
            available = true;
        } catch (IOException e) {
            available = false;
        }
    }

    /** The index of the memory from now on, or {@link ZeroCopyCalls#UNREGISTERED}. */
    int add(SharedRing ring, MemorySegment memory) throws IOException {
        int index = take();
        if (index == ZeroCopyCalls.UNREGISTERED) {
            return index;
        }
        Update update = new Update(ring, memory, index);
        ring.thread().submit(update);
        try {
            ring.thread().await(update, Long.MAX_VALUE);
        } finally {
            if (!update.made) {
                give(index);
            }
        }
        return update.made ? index : ZeroCopyCalls.UNREGISTERED;
    }

    /** Does not wait: who gets the index next comes behind us in the queue. */
    void remove(SharedRing ring, int index) {
        ring.thread().submit(new Update(ring, MemorySegment.NULL, index));
        give(index);
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

    private synchronized int take() {
        int index = available ? taken.nextClearBit(0) : SIZE;
        if (index == SIZE) {
            return ZeroCopyCalls.UNREGISTERED;
        }
        taken.set(index);
        return index;
    }

    private synchronized void give(int index) {
        taken.clear(index);
    }
}
