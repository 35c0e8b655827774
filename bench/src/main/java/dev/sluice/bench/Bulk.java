package dev.sluice.bench;

import dev.sluice.bench.Match.Run;
import java.io.IOException;
import java.nio.file.Path;

/**
 * One bulk stream over TCP between endpoints that copy nothing, so that the cost of the mover stands alone. Prints a
 * table in Markdown.
 */
public final class Bulk {
    private static final int WARM_UP = 5;

    private Bulk() {}

    public static void main(String[] args) throws IOException {
        Options options = Options.parse(args, 31, 512 << 20);
        Party endpoints =
                Party.built("Bulk", Path.of("bench/c/endpoints.c"), "gcc", "-O2", "-Wall", "-Wextra", "-pthread");
        if (endpoints == null) {
            return;
        }
        try (Match match = new Match(endpoints).enterAll(options.builds())) {
            Rounds rounds = new Rounds();
            for (int i = -WARM_UP; i < options.rounds(); i++) {
                var round = match.round("tcp", "tcp", 1 << 20, options.bytes());
                if (i >= 0) {
                    rounds.add(round);
                }
            }
            print(match, rounds, options);
        }
    }

    private static void print(Match match, Rounds rounds, Options options) {
        System.out.printf(
                "%d rounds of %d MiB after %d to warm up; medians (quartiles); endpoints: %s.%n%n",
                options.rounds(),
                options.bytes() >> 20,
                WARM_UP,
                match.endpoints().version());
        System.out.println("| mover | route | GB/s | CPU-s per GB | the endpoints' CPU-s per GB "
                + "| heap bytes per MiB | its GB/s ÷ Sluice's | its CPU ÷ Sluice's |");
        System.out.println("|---|---|---|---|---|---|---|---|");
        for (int i = 0; i < match.contenders().size(); i++) {
            Party contender = match.contenders().get(i);
            System.out.printf(
                    "| %s (%s) | %s | %s | %s | %s | %.0f | %s | %s |%n",
                    contender.name(),
                    contender.version(),
                    rounds.way(i),
                    rounds.of(i, Run::gigabytesPerSecond),
                    rounds.of(i, Run::cpuPerGigabyte),
                    rounds.of(i, Run::endpointsCpuPerGigabyte),
                    rounds.of(i, Run::allocatedPerMebibyte).median(),
                    rounds.ratio(i, 0, Run::gigabytesPerSecond),
                    rounds.ratio(i, 0, Run::cpuPerGigabyte));
        }
    }
}
