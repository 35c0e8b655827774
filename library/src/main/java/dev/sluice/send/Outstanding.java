package dev.sluice.send;

import java.util.Arrays;

/**
 * Zero-copy sends by their ids. The kernel counts the calls of a socket that took at least one byte, modulo 2³², and
 * completes them in any order. A ring of receipts from the oldest id that is out to the next one.
 */
final class Outstanding {
    private SendReceipt[] ring = new SendReceipt[16];
    private int oldest;
    private int next;
    private int size;

    Outstanding(int firstId) {
        oldest = firstId;
        next = firstId;
    }

    /** Before the call, since its completion may be read before the call returns: it will get the next id. */
    synchronized void add(SendReceipt receipt) {
        if (next - oldest == ring.length) {
            grow();
        }
        ring[next++ & ring.length - 1] = receipt;
        size++;
    }

    private void grow() {
        SendReceipt[] larger = new SendReceipt[2 * ring.length];
        for (int id = oldest; id != next; id++) {
            larger[id & larger.length - 1] = ring[id & ring.length - 1];
        }
        ring = larger;
    }

    /** The call took nothing: the id is the next one's. */
    synchronized void undo() {
        ring[--next & ring.length - 1] = null;
        size--;
    }

    /** The send of this id, which is out no more; null if it was not. */
    synchronized SendReceipt take(int id) {
        if (Integer.compareUnsigned(id - oldest, next - oldest) >= 0) {
            return null;
        }
        int place = id & ring.length - 1;
        SendReceipt receipt = ring[place];
        if (receipt != null) {
            ring[place] = null;
            size--;
            while (oldest != next && ring[oldest & ring.length - 1] == null) {
                oldest++;
            }
        }
        return receipt;
    }

    /** The oldest id that is out, if any is. */
    synchronized int oldest() {
        return oldest;
    }

    /** How many ids of the range could be out at all, whatever the kernel says. */
    synchronized int reach(int low, int high) {
        long range = Integer.toUnsignedLong(high - low) + 1;
        return (int) Math.min(range, Integer.toUnsignedLong(next - low));
    }

    synchronized int size() {
        return size;
    }

    /** All that are out; they are out no more. */
    synchronized SendReceipt[] clear() {
        SendReceipt[] rest = new SendReceipt[size];
        int count = 0;
        for (int id = oldest; id != next; id++) {
            SendReceipt receipt = ring[id & ring.length - 1];
            if (receipt != null) {
                rest[count++] = receipt;
            }
        }
        Arrays.fill(ring, null);
        oldest = next;
        size = 0;
        return rest;
    }
}
