package dev.sluice.ring;

import java.util.Arrays;

/**
 * Where requests in flight are kept, by a number that goes to the kernel and comes back: an index, and how often it was used,
 * so that a late completion finds nobody.
 */
final class Slots {
    private static final int MAX = 1 << 16;

    private Request[] requests = new Request[64];
    private int[] generations = new int[64];
    private int[] free = new int[64];
    private int freeCount;
    private int used;
    private int live;

    boolean full() {
        return live == MAX;
    }

    int live() {
        return live;
    }

    /** The id of the request from now on. */
    long put(Request request) {
        int index = freeCount > 0 ? free[--freeCount] : used++;
        if (index == requests.length) {
            requests = Arrays.copyOf(requests, 2 * index);
            generations = Arrays.copyOf(generations, 2 * index);
            free = Arrays.copyOf(free, 2 * index);
        }
        requests[index] = request;
        request.slot = index;
        live++;
        return id(request);
    }

    long id(Request request) {
        return (long) generations[request.slot] << 32 | request.slot;
    }

    /** Null if it is nobody's any more. */
    Request get(long id) {
        int index = (int) id;
        return index >= 0 && index < used && generations[index] == (int) (id >> 32) ? requests[index] : null;
    }

    void remove(Request request) {
        int index = request.slot;
        requests[index] = null;
        // Never negative: those ids are not of requests.
        generations[index] = generations[index] + 1 & Integer.MAX_VALUE;
        free[freeCount++] = index;
        request.slot = -1;
        live--;
    }

    /** Empties the table. */
    Request[] drain() {
        Request[] all = Arrays.stream(requests).filter(r -> r != null).toArray(Request[]::new);
        for (Request request : all) {
            remove(request);
        }
        return all;
    }
}
