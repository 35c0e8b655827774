package dev.sluice.relay;

import java.util.function.IntPredicate;

/**
 * Turns by weight, spread out: of weights 3 and 1, the second target's turn is not after three of the first in a row. Each
 * turn gives every target its weight in credit, and the one with most credit pays for all.
 */
final class RoundRobin implements Balancer {
    private final int[] weights;
    private final long[] credit;

    RoundRobin(int[] weights) {
        this.weights = weights;
        this.credit = new long[weights.length];
    }

    @Override
    public synchronized int choose(long client, IntPredicate eligible) {
        int chosen = -1;
        long total = 0;
        for (int i = 0; i < weights.length; i++) {
            if (eligible.test(i)) {
                credit[i] += weights[i];
                total += weights[i];
                if (chosen < 0 || credit[i] > credit[chosen]) {
                    chosen = i;
                }
            }
        }
        if (chosen >= 0) {
            credit[chosen] -= total;
        }
        return chosen;
    }
}
