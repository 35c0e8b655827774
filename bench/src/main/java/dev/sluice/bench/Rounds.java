package dev.sluice.bench;

import dev.sluice.bench.Match.Run;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.ToDoubleFunction;

/** The runs of one stream, round by round, and their medians. Contenders go by their number. */
final class Rounds {
    private final List<List<Run>> rounds = new ArrayList<>();

    void add(List<Run> round) {
        rounds.add(round);
    }

    /** How the contender moved the bytes, last time. */
    String way(int contender) {
        return rounds.getLast().get(contender).way();
    }

    Spread of(int contender, ToDoubleFunction<Run> figure) {
        return Spread.of(rounds.stream()
                .mapToDouble(round -> figure.applyAsDouble(round.get(contender)))
                .toArray());
    }

    /** The figure of one divided by the other's of the same round. */
    Spread ratio(int contender, int other, ToDoubleFunction<Run> figure) {
        return Spread.of(rounds.stream()
                .mapToDouble(
                        round -> figure.applyAsDouble(round.get(contender)) / figure.applyAsDouble(round.get(other)))
                .toArray());
    }

    /** A median, and the quartiles around it. */
    record Spread(double low, double median, double high) {
        static Spread of(double[] values) {
            Arrays.sort(values);
            return new Spread(quantile(values, 0.25), quantile(values, 0.5), quantile(values, 0.75));
        }

        private static double quantile(double[] sorted, double q) {
            double place = q * (sorted.length - 1);
            int below = (int) place;
            int above = Math.min(below + 1, sorted.length - 1);
            return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
        }

        @Override
        public String toString() {
            return String.format(Locale.ROOT, "%.2f (%.2f–%.2f)", median, low, high);
        }
    }
}
