package dev.sluice.bench;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.ToDoubleFunction;

/** Runs of one kind, round by round, and their medians. Contenders go by their number. */
final class Rounds<R> {
    private final List<List<R>> rounds = new ArrayList<>();

    void add(List<R> round) {
        rounds.add(round);
    }

    /** The run of the contender in the last round. */
    R last(int contender) {
        return rounds.getLast().get(contender);
    }

    Spread of(int contender, ToDoubleFunction<R> figure) {
        return Spread.of(rounds.stream()
                .mapToDouble(round -> figure.applyAsDouble(round.get(contender)))
                .toArray());
    }

    /** The figure of one divided by the other's of the same round. */
    Spread ratio(int contender, int other, ToDoubleFunction<R> figure) {
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
            return figure(median) + " (" + figure(low) + "–" + figure(high) + ")";
        }

        /** To three digits or so. */
        static String figure(double value) {
            return String.format(Locale.ROOT, value < 10 ? "%.2f" : value < 100 ? "%.1f" : "%.0f", value);
        }
    }
}
