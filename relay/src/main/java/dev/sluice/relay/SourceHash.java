package dev.sluice.relay;

import dev.sluice.io.Endpoint;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;

/**
 * The same target for the same client, by the lookup table of Maglev (Eisenbud et al., NSDI 2016, section 3.4). Each target
 * has an order of preference for the places of the table, which follows from its name alone, and they take places in turn.
 * So the table is the same in every relay with the same targets, and most places stay when one of them leaves.
 */
final class SourceHash implements Balancer {
    /** A prime, and enough for several hundred targets to be even within about one percent. */
    static final int PLACES = 65_537;

    /** Then the eligible targets are few, and they are counted. */
    private static final int MAX_HASHES = 64;

    private static final int FREE = 0xFFFF;

    private final int targets;
    private final char[] table = new char[PLACES];

    SourceHash(List<String> names, int[] weights) {
        this.targets = names.size();
        fill(names, weights);
    }

    private void fill(List<String> names, int[] weights) {
        // By name, so that the order of the configuration is of no account.
        int[] order = IntStream.range(0, targets)
                .boxed()
                .sorted(Comparator.comparing(names::get))
                .mapToInt(Integer::intValue)
                .toArray();
        int heaviest = Arrays.stream(weights).max().orElseThrow();
        long[] place = new long[targets];
        long[] skip = new long[targets];
        int[] credit = new int[targets];
        for (int i = 0; i < targets; i++) {
            long hash = hash(names.get(i).getBytes(StandardCharsets.UTF_8));
            place[i] = Long.remainderUnsigned(hash, PLACES);
            skip[i] = 1 + Long.remainderUnsigned(mix(hash), PLACES - 1);
        }
        Arrays.fill(table, (char) FREE);
        int filled = 0;
        while (true) {
            for (int i : order) {
                credit[i] += weights[i];
                if (credit[i] >= heaviest) {
                    credit[i] -= heaviest;
                    while (table[(int) place[i]] != FREE) {
                        place[i] = (place[i] + skip[i]) % PLACES;
                    }
                    table[(int) place[i]] = (char) i;
                    if (++filled == PLACES) {
                        return;
                    }
                }
            }
        }
    }

    /** Who may not go to the target that is his goes to one that is always the same, too, and not to his neighbour's. */
    @Override
    public int choose(long client, IntPredicate eligible) {
        long hash = client;
        for (int i = 0; i < MAX_HASHES; i++) {
            int target = table[(int) Long.remainderUnsigned(hash, PLACES)];
            if (eligible.test(target)) {
                return target;
            }
            hash = mix(hash);
        }
        int[] few = IntStream.range(0, targets).filter(eligible).toArray();
        return few.length == 0 ? -1 : few[(int) Long.remainderUnsigned(hash, few.length)];
    }

    /** Of the client's address alone: the port is another one each time. */
    static long hash(Endpoint client) {
        IpAddress address = IpAddress.of(client);
        return address != null
                ? mix(mix(address.high()) ^ address.low())
                : hash(client.toString().getBytes(StandardCharsets.UTF_8));
    }

    /** FNV-1a, whose bits are then mixed, as the last byte reaches few of them. */
    private static long hash(byte[] bytes) {
        long hash = 0xcbf29ce484222325L;
        for (byte b : bytes) {
            hash = (hash ^ (b & 0xFF)) * 0x100000001b3L;
        }
        return mix(hash);
    }

    /** The finalizer of SplitMix64. */
    private static long mix(long bits) {
        long z = bits + 0x9e3779b97f4a7c15L;
        z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
        z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
        return z ^ (z >>> 31);
    }
}
