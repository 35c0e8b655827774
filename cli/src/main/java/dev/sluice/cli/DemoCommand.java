package dev.sluice.cli;

import java.io.IOException;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** The camera recipe, by the kernel's route and by copying, in turns. */
@Command(
        name = "demo",
        description = {
            "Show the whole camera recipe on this machine.",
            "A camera sends to a server, which forwards the stream to a client and records it, over loopback TCP. Camera"
                    + " and client are in a JVM of their own, so that the cost of the server is seen alone. The recipe runs"
                    + " by the kernel's route and by copying, in turns; every byte is checked at the client and in the"
                    + " recording. The exit code is 0 only if all of them were right."
        })
final class DemoCommand implements Callable<Integer> {
    private static final long WARM_UP = 32L << 20;

    @Option(names = "--size", defaultValue = "1g", converter = Units.Size.class, description = "Bytes per round (1g).")
    private long size;

    @Mixin
    private TrialOptions options;

    @Override
    public Integer call() throws Exception {
        size = options.fitting(size);
        try (Studio studio = options.studio()) {
            DemoReport report = run(studio);
            if (options.json) {
                Console.print(report.toJson());
            } else {
                report.print();
            }
            return report.passed() ? 0 : Failure.FAILED;
        }
    }

    private DemoReport run(Studio studio) throws IOException {
        List<RouteChoice> routes = studio.platform().shortfall().isEmpty()
                ? List.of(RouteChoice.AUTO, RouteChoice.COPY)
                : List.of(RouteChoice.AUTO);
        // A JVM that has just started compiles while it moves bytes; that is not what is to be compared.
        for (RouteChoice route : routes) {
            studio.trial(Math.min(size, WARM_UP)).run(Recipe.RECORD, route);
        }
        Map<RouteChoice, List<Trial.Run>> runs = new EnumMap<>(RouteChoice.class);
        Map<RouteChoice, String> digests = new EnumMap<>(RouteChoice.class);
        String expected = "";
        for (int round = 1; round <= options.rounds; round++) {
            for (RouteChoice route : routes) {
                runs.computeIfAbsent(route, _ -> new ArrayList<>()).add(round(studio, route, round));
                if (round == options.rounds) {
                    studio.peers().digest(size);
                    digests.put(route, Sha256.of(studio.file()));
                    expected = studio.peers().answer();
                }
            }
        }
        List<DemoReport.Row> rows = routes.stream()
                .map(route -> new DemoReport.Row(route, Medians.of(runs.get(route)), digests.get(route)))
                .toList();
        return new DemoReport(size, options.rounds, studio.platform().shortfall(), expected, rows);
    }

    private Trial.Run round(Studio studio, RouteChoice route, int round) throws IOException {
        String title = (route == RouteChoice.COPY ? "by copying" : "by the kernel") + ", round " + round + "/"
                + options.rounds;
        try (Progress _ = Progress.of(title, studio.file(), size)) {
            return studio.trial(size).run(Recipe.RECORD, route);
        }
    }
}
