package dev.sluice.relay;

import java.util.concurrent.ThreadLocalRandom;
import java.util.function.IntPredicate;
import java.util.function.IntUnaryOperator;

/** Picks two targets at random, by weight, and takes the one with fewer connections for its weight. */
final class TwoChoices implements Balancer {
    private final int[] weights;
    private final IntUnaryOperator load;

    TwoChoices(int[] weights, IntUnaryOperator load) {
        this.weights = weights;
        this.load = load;
    }

    @Override
    public int choose(long client, IntPredicate eligible) {
        int one = pick(eligible);
        if (one < 0) {
            return -1;
        }
        int two = pick(i -> i != one && eligible.test(i));
        boolean twoIsBetter =
                two >= 0 && (long) load.applyAsInt(two) * weights[one] < (long) load.applyAsInt(one) * weights[two];
        return twoIsBetter ? two : one;
    }

    private int pick(IntPredicate eligible) {
        // One pass: each eligible target takes the place of the one before it with the right probability.
        int picked = -1;
        long total = 0;
        for (int i = 0; i < weights.length; i++) {
            if (eligible.test(i)) {
                total += weights[i];
                if (ThreadLocalRandom.current().nextLong(total) < weights[i]) {
                    picked = i;
                }
            }
        }
        return picked;
    }
}
