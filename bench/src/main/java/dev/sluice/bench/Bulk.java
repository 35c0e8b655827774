package dev.sluice.bench;

import java.io.IOException;

/**
 * One bulk stream over TCP between endpoints that copy nothing, so that the cost of the mover stands alone. Prints a
 * table in Markdown.
 */
public final class Bulk {
    private Bulk() {}

    public static void main(String[] args) throws IOException, InterruptedException {
        Options options = Options.parse(args, 31, 512 << 20);
        if (CubicNetwork.holds(Bulk.class, args)) {
            return;
        }
        Party endpoints = Match.bareEndpoints();
        if (endpoints == null) {
            return;
        }
        try (Match match = new Match(endpoints).enterAll(options.builds())) {
            match.playBulk("tcp", "tcp", options, "bulk");
        }
    }
}
