package dev.sluice.relay;

import java.util.List;
import java.util.function.IntPredicate;
import java.util.function.IntUnaryOperator;

/** Chooses one of several targets, which it knows by number. Safe for use by many threads, and never blocks. */
interface Balancer {
    /**
     * Chooses for one connection.
     *
     * @param client the hash of the client's address
     * @param eligible which targets may be chosen
     * @return the number, or −1 if none is eligible
     */
    int choose(long client, IntPredicate eligible);

    /** @param load how many connections a target has at the moment */
    static Balancer of(Balance way, List<Target> targets, IntUnaryOperator load) {
        int[] weights = targets.stream().mapToInt(Target::weight).toArray();
        return switch (way) {
            case ROUND_ROBIN -> new RoundRobin(weights);
            case LEAST_CONNECTIONS -> new LeastConnections(weights, load);
            case TWO_CHOICES -> new TwoChoices(weights, load);
            case SOURCE_HASH ->
                new SourceHash(
                        targets.stream()
                                .map(target -> target.endpoint().toString())
                                .toList(),
                        weights);
        };
    }
}
