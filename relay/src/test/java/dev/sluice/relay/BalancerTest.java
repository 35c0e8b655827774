package dev.sluice.relay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.sluice.io.Endpoint;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Queue;
import java.util.Random;
import java.util.function.IntPredicate;
import java.util.function.IntUnaryOperator;
import java.util.stream.IntStream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** How 100,000 choices are shared out. */
@Timeout(60)
class BalancerTest {
    private static final int CHOICES = 100_000;
    private static final IntPredicate ALL = _ -> true;
    private static final IntUnaryOperator IDLE = _ -> 0;

    private final Random random = new Random(5);

    private static void assertAround(int expected, int tolerance, int... counts) {
        assertThat(Arrays.stream(counts).boxed()).allMatch(count -> Math.abs(count - expected) <= tolerance);
    }

    private static List<Target> targets(int... weights) {
        return IntStream.range(0, weights.length)
                .mapToObj(i -> new Target(new Endpoint.Tcp("target" + i, 80), weights[i], 0))
                .toList();
    }

    private int[] count(Balancer balancer, int targets, IntPredicate eligible) {
        int[] counts = new int[targets];
        for (int i = 0; i < CHOICES; i++) {
            counts[balancer.choose(random.nextLong(), eligible)]++;
        }
        return counts;
    }

    @ParameterizedTest
    @EnumSource
    @DisplayName("Idle targets get as many connections as their weights say")
    void byWeight(Balance way) {
        int[] counts = count(Balancer.of(way, targets(1, 2, 7), IDLE), 3, ALL);
        double tolerance = CHOICES * 0.01;
        assertThat((double) counts[0]).isCloseTo(CHOICES * 0.1, within(tolerance));
        assertThat((double) counts[1]).isCloseTo(CHOICES * 0.2, within(tolerance));
        assertThat((double) counts[2]).isCloseTo(CHOICES * 0.7, within(tolerance));
    }

    @ParameterizedTest
    @EnumSource
    @DisplayName("What is not eligible is never chosen; if nothing is, nothing is")
    void eligible(Balance way) {
        Balancer balancer = Balancer.of(way, targets(1, 5, 1, 5, 1), IDLE);
        int[] counts = count(balancer, 5, i -> i % 2 == 0);
        assertThat(counts[1] + counts[3]).isZero();
        assertThat((double) counts[0]).isCloseTo(CHOICES / 3.0, within(CHOICES * 0.02));
        assertThat((double) counts[2]).isCloseTo(CHOICES / 3.0, within(CHOICES * 0.02));
        assertThat(balancer.choose(7, i -> i == 4)).isEqualTo(4);
        assertThat(balancer.choose(7, _ -> false)).isEqualTo(-1);
    }

    @Test
    @DisplayName("Turns are exact, and those of a heavy target are spread out")
    void turns() {
        Balancer balancer = new RoundRobin(new int[] {3, 1});
        List<Integer> turns =
                IntStream.range(0, 8).map(_ -> balancer.choose(0, ALL)).boxed().toList();
        assertThat(turns).containsExactly(0, 0, 1, 0, 0, 0, 1, 0);
        assertThat(count(new RoundRobin(new int[] {1, 1, 1, 1}), 4, ALL)).containsOnly(CHOICES / 4);
    }

    /** Connections of random length come and go; the load that a chooser leaves behind is what it is judged by. */
    private int[] loadAfter(Balance way, int... weights) {
        int[] load = new int[weights.length];
        Balancer balancer = Balancer.of(way, targets(weights), i -> load[i]);
        List<Integer> open = new ArrayList<>();
        for (int i = 0; i < CHOICES; i++) {
            int chosen = balancer.choose(random.nextLong(), ALL);
            load[chosen]++;
            open.add(chosen);
            if (open.size() > 1000) {
                int gone = random.nextInt(open.size());
                load[open.get(gone)]--;
                open.set(gone, open.getLast());
                open.removeLast();
            }
        }
        return load;
    }

    @Test
    @DisplayName("Least connections keeps the loads equal, for their weights")
    void leastConnections() {
        assertAround(250, 2, loadAfter(Balance.LEAST_CONNECTIONS, 1, 1, 1, 1));
        int[] weighted = loadAfter(Balance.LEAST_CONNECTIONS, 1, 3);
        assertThat(weighted[0]).isBetween(248, 252);
        assertThat(weighted[1]).isBetween(748, 752);
    }

    @Test
    @DisplayName("Two choices keep the loads nearly as equal, and far more so than chance")
    void twoChoices() {
        int[] load = loadAfter(Balance.TWO_CHOICES, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1);
        int spread = Arrays.stream(load).max().orElseThrow()
                - Arrays.stream(load).min().orElseThrow();
        // A random choice of 1 in 10 has a standard deviation of 9.5, and so a spread of about 30.
        assertThat(spread).as("loads %s", Arrays.toString(load)).isLessThan(15);
    }

    @Test
    @DisplayName("Two choices prefer the target with fewer connections on it as they are now")
    void twoChoicesSeeLoad() {
        int[] load = {100, 0};
        Balancer balancer = new TwoChoices(new int[] {1, 1}, i -> load[i]);
        assertThat(count(balancer, 2, ALL)[0]).isZero();
    }

    @Test
    @DisplayName("A target that comes back is not run over: of two choices, not all pick it")
    void noHerd() {
        int[] load = {50, 50, 50, 50, 50, 50, 50, 50, 50, 0};
        int[] counts = count(new TwoChoices(new int[] {1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, i -> load[i]), 10, ALL);
        assertThat((double) counts[9]).isCloseTo(CHOICES * 0.2, within(CHOICES * 0.01));
    }

    @Test
    @DisplayName("The table is even, whatever the order, and moves few clients but those of the target that left")
    void maglev() {
        List<String> names =
                IntStream.range(0, 20).mapToObj(i -> "tcp:10.0.0." + i + ":80").toList();
        SourceHash all = hash(names);
        int[] counts = count(all, 20, ALL);
        assertAround(CHOICES / 20, CHOICES / 200, counts);

        List<String> shuffled = new ArrayList<>(names);
        Collections.shuffle(shuffled, random);
        SourceHash same = hash(shuffled);
        List<String> fewer = new ArrayList<>(names);
        String left = fewer.remove(7);
        SourceHash without = hash(fewer);
        int moved = 0;
        int[] heirs = new int[19];
        for (int i = 0; i < CHOICES; i++) {
            long client = random.nextLong();
            String before = names.get(all.choose(client, ALL));
            assertThat(shuffled.get(same.choose(client, ALL))).isEqualTo(before);
            int after = without.choose(client, ALL);
            if (before.equals(left)) {
                heirs[after]++;
            } else if (!fewer.get(after).equals(before)) {
                moved++;
            }
        }
        System.out.printf("maglev: %.2f %% of the other targets' clients moved%n", 100.0 * moved / CHOICES);
        assertThat(moved).isLessThan(CHOICES / 20);
        assertThat(heirs).doesNotContain(0);
    }

    private static SourceHash hash(List<String> names) {
        int[] weights = new int[names.size()];
        Arrays.fill(weights, 1);
        return new SourceHash(names, weights);
    }

    @Test
    @DisplayName("While a target is not eligible, only its own clients go elsewhere, all over the rest")
    void maglevNotEligible() {
        Balancer balancer = Balancer.of(Balance.SOURCE_HASH, targets(1, 1, 1, 1, 1), IDLE);
        int[] heirs = new int[5];
        for (int i = 0; i < CHOICES; i++) {
            long client = random.nextLong();
            int before = balancer.choose(client, ALL);
            int after = balancer.choose(client, target -> target != 2);
            assertThat(balancer.choose(client, target -> target != 2)).isEqualTo(after);
            if (before == 2) {
                heirs[after]++;
            } else {
                assertThat(after).isEqualTo(before);
            }
        }
        assertThat(heirs[2]).isZero();
        for (int heir : new int[] {heirs[0], heirs[1], heirs[3], heirs[4]}) {
            assertThat((double) heir).isCloseTo(CHOICES / 20.0, within(CHOICES * 0.005));
        }
    }

    @Test
    @DisplayName("Where nearly all are left, the few that are there share the clients evenly")
    void maglevFew() {
        int[] weights = new int[1000];
        Arrays.fill(weights, 1);
        int[] counts = count(Balancer.of(Balance.SOURCE_HASH, targets(weights), IDLE), 1000, i -> i % 250 == 0);
        assertAround(CHOICES / 4, CHOICES / 50, counts[0], counts[250], counts[500], counts[750]);
    }

    @Test
    @DisplayName("A client's address counts, its port does not; neighbouring addresses go anywhere")
    void clients() {
        assertThat(SourceHash.hash(new Endpoint.Tcp("10.1.2.3", 4)))
                .isEqualTo(SourceHash.hash(new Endpoint.Tcp("10.1.2.3", 5)))
                .isNotEqualTo(SourceHash.hash(new Endpoint.Tcp("10.1.2.4", 4)));
        Balancer balancer = Balancer.of(Balance.SOURCE_HASH, targets(1, 1, 1, 1), IDLE);
        int[] counts = new int[4];
        for (int i = 0; i < 65_536; i++) {
            counts[balancer.choose(SourceHash.hash(new Endpoint.Tcp("10.1." + i / 256 + "." + i % 256, 1)), ALL)]++;
        }
        assertAround(16_384, 600, counts);
    }

    @Test
    @DisplayName("A loaded server's long connections do not starve the others of turns")
    void leastConnectionsWithOneStuck() {
        int[] load = {1000, 0, 0};
        Balancer balancer = Balancer.of(Balance.LEAST_CONNECTIONS, targets(1, 1, 1), i -> load[i]);
        Queue<Integer> open = new ArrayDeque<>();
        int[] counts = new int[3];
        for (int i = 0; i < CHOICES; i++) {
            int chosen = balancer.choose(0, ALL);
            counts[chosen]++;
            load[chosen]++;
            open.add(chosen);
            if (open.size() > 10) {
                load[open.remove()]--;
            }
        }
        assertThat(counts[0]).isZero();
        assertThat((double) counts[1]).isCloseTo(CHOICES / 2.0, within(CHOICES * 0.01));
    }
}
