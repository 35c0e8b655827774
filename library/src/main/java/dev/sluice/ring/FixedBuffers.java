package dev.sluice.ring;

import dev.sluice.internal.fd.PoolMemory;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/** The table of registered memory of a shared ring: the kernel need not look up and pin the pages at every call. */
final class FixedBuffers implements PoolMemory.Registrar {
    static final int SIZE = 256;

    private final SharedRing ring;
    private final Places places = new Places(SIZE);

    FixedBuffers(SharedRing ring) {
        this.ring = ring;
    }

    /** On the ring's thread. */
    void register(Ring opened) {
        provide(opened, places);
    }

    /** A table of so many places, all free; if the kernel has none, nobody gets one. */
    static void provide(Ring ring, Places places) {
        try {
            ring.registry().emptyBuffers(SIZE);
            places.open();
        } catch (IOException e) {
            // Then nobody has a place.
        }
    }

    @Override
    public int register(MemorySegment memory) {
        int index = places.take();
        if (index == Places.NONE) {
            return UNREGISTERED;
        }
        Update update = new Update(ring, memory, index);
        ring.thread().submit(update);
        update.awaitDone();
        if (!update.made) {
            places.give(index);
        }
        return update.made ? index : UNREGISTERED;
    }

    /** Does not wait: who gets the index next comes behind us in the queue. */
    @Override
    public void unregister(int index) {
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
