package dev.sluice.relay;

import java.util.function.IntPredicate;
import java.util.function.IntUnaryOperator;

/** The target with the fewest connections for its weight; those that are equal take turns. */
final class LeastConnections implements Balancer {
    private final int[] weights;
    private final IntUnaryOperator load;
    private final RoundRobin turns;

    LeastConnections(int[] weights, IntUnaryOperator load) {
        this.weights = weights;
        this.load = load;
        this.turns = new RoundRobin(weights);
    }

    @Override
    public int choose(long client, IntPredicate eligible) {
        // Loads change all the time; one look at each is what the choice is made of.
        long[] loads = new long[weights.length];
        int least = -1;
        for (int i = 0; i < weights.length; i++) {
            loads[i] = eligible.test(i) ? load.applyAsInt(i) : -1;
            if (loads[i] >= 0 && (least < 0 || loads[i] * weights[least] < loads[least] * weights[i])) {
                least = i;
            }
        }
        if (least < 0) {
            return -1;
        }
        int best = least;
        return turns.choose(client, i -> loads[i] >= 0 && loads[i] * weights[best] == loads[best] * weights[i]);
    }
}
