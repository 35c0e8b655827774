package dev.sluice.bench;

import dev.sluice.bench.Match.Run;
import dev.sluice.bench.Rounds.Spread;
import java.io.IOException;
import java.util.List;
import java.util.Locale;

/**
 * The benchmark that acln.ro/zerocopy published for Go, run again: four pairs of sockets × eleven chunk sizes, a client
 * that writes chunks and a server that reads them. Prints tables in Markdown.
 */
public final class SeedTable {
    private static final List<String> PAIRS = List.of("tcp tcp", "unix tcp", "tcp unix", "unix unix");
    private static final int SMALLEST = 1 << 10;
    private static final int LARGEST = 1 << 20;
    private static final int WARM_UP = 3;

    /** A run of small chunks stops after so many of them. */
    private static final long MOST_CHUNKS = 32 << 10;

    /** The published speed-up of splice against copying, per pair, from 1 KiB to 1 MiB. */
    private static final double[][] PUBLISHED = {
        {1.08, 1.05, 0.97, 1.15, 1.56, 2.50, 2.23, 2.51, 2.99, 2.99, 1.63},
        {0.87, 0.93, 1.29, 1.33, 1.56, 1.74, 1.76, 1.71, 1.73, 1.88, 2.05},
        {1.07, 0.99, 1.10, 0.74, 0.91, 1.50, 1.81, 2.54, 2.51, 2.46, 2.63},
        {0.99, 0.98, 0.98, 0.78, 1.22, 2.06, 1.48, 1.51, 1.52, 1.64, 1.56},
    };

    private SeedTable() {}

    public static void main(String[] args) throws IOException, InterruptedException {
        Options options = Options.parse(args, 15, 128 << 20);
        if (CubicNetwork.holds(SeedTable.class, args)) {
            return;
        }
        Party endpoints = Party.java("endpoints", System.getProperty("java.class.path"), Endpoints.class);
        try (Match match = new Match(endpoints).enterAll(options.builds())) {
            System.out.printf(
                    "%d rounds after %d to warm up; %d chunks, at most %d MiB; medians (quartiles); endpoints: %s.%n",
                    options.rounds(), WARM_UP, MOST_CHUNKS, options.bytes() >> 20, endpoints.version());
            for (int pair = 0; pair < PAIRS.size(); pair++) {
                if (!options.wants("pair", PAIRS.get(pair).replace(' ', '-'))) {
                    continue;
                }
                printHead(match, PAIRS.get(pair));
                for (int chunk = SMALLEST, row = 0; chunk <= LARGEST; chunk *= 2, row++) {
                    if (!options.wants("chunk", (chunk >> 10) + "k")) {
                        continue;
                    }
                    Rounds<Run> rounds = play(match, PAIRS.get(pair).split(" "), chunk, options);
                    print(match, rounds, chunk, PUBLISHED[pair][row]);
                }
            }
        }
    }

    private static Rounds<Run> play(Match match, String[] kinds, int chunk, Options options) throws IOException {
        long total = Math.min(options.bytes(), chunk * MOST_CHUNKS) / chunk * chunk;
        Rounds<Run> rounds = new Rounds<>();
        for (int i = -WARM_UP; i < options.rounds(); i++) {
            List<Run> round = match.round(kinds[0], kinds[1], chunk, total);
            if (i >= 0) {
                rounds.add(round);
            }
        }
        return rounds;
    }

    private static void printHead(Match match, String pair) {
        System.out.printf("%n### %s%n%n", pair.replace(" ", " to "));
        StringBuilder head = new StringBuilder("| chunk | ns per chunk | MB/s | CPU-s per GB |");
        StringBuilder line = new StringBuilder("|---:|---:|---:|---:|");
        for (Party other : match.contenders().subList(1, match.contenders().size())) {
            head.append(" speed ÷ ").append(other.name()).append(" | CPU ÷ |");
            line.append("---|---|");
        }
        System.out.println(head.append(" published speed ÷ copying |"));
        System.out.println(line.append("---:|"));
    }

    private static void print(Match match, Rounds<Run> rounds, int chunk, double published) {
        Spread speed = rounds.of(0, Run::gigabytesPerSecond);
        StringBuilder row = new StringBuilder(String.format(
                Locale.ROOT,
                "| %d KiB | %.0f | %.0f | %.2f |",
                chunk >> 10,
                chunk / speed.median(),
                speed.median() * 1000,
                rounds.of(0, Run::cpuPerGigabyte).median()));
        for (int other = 1; other < match.contenders().size(); other++) {
            row.append(" ").append(rounds.ratio(0, other, Run::gigabytesPerSecond));
            row.append(" | ")
                    .append(rounds.ratio(0, other, Run::cpuPerGigabyte))
                    .append(" |");
        }
        System.out.println(row.append(String.format(Locale.ROOT, " %.2f |", published)));
    }
}
