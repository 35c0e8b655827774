package dev.sluice.ring;

import java.util.BitSet;

/** Who has which place in a table of the kernel's: of registered files, or of registered memory. */
final class Places {
    static final int NONE = -1;

    private final int size;
    private final BitSet taken = new BitSet();
    private boolean available;

    Places(int size) {
        this.size = size;
    }

    /** There is such a table. Nobody gets a place before. */
    synchronized void open() {
        available = true;
    }

    /** The lowest free one, or {@link #NONE}. */
    synchronized int take() {
        int index = available ? taken.nextClearBit(0) : size;
        if (index == size) {
            return NONE;
        }
        taken.set(index);
        return index;
    }

    synchronized void give(int index) {
        taken.clear(index);
    }
}
