package dev.sluice.cli;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Every recipe by every route. */
@Command(
        name = "bench",
        description = {
            "Compare the routes on this machine.",
            "Moves data between sockets and files over loopback TCP, by splicing and by copying, in turns, and checks"
                    + " every byte. The peers are in a JVM of their own; CPU is that of the mover alone."
        })
final class BenchCommand implements Callable<Integer> {
    private static final long WARM_UP = 32L << 20;

    @Option(
            names = "--size",
            defaultValue = "256m",
            converter = Units.Size.class,
            description = "Bytes per run (256m).")
    private long size;

    @Mixin
    private TrialOptions options;

    private record Row(Recipe recipe, Medians medians) {}

    @Override
    public Integer call() throws Exception {
        size = options.fitting(size);
        try (Studio studio = options.studio()) {
            List<Row> rows = new ArrayList<>();
            for (Recipe recipe : Recipe.values()) {
                rows.addAll(compare(studio, recipe));
            }
            report(rows);
            return rows.stream().allMatch(row -> row.medians.fault().isEmpty()) ? 0 : Failure.FAILED;
        }
    }

    private List<Row> compare(Studio studio, Recipe recipe) throws IOException {
        List<RouteChoice> routes = studio.platform().shortfall().isEmpty()
                ? List.of(RouteChoice.SPLICE, RouteChoice.COPY)
                : List.of(RouteChoice.COPY);
        if (recipe.filmed()) {
            for (RouteChoice route : routes) {
                studio.trial(Math.min(size, WARM_UP)).run(recipe, route);
            }
        }
        List<List<Trial.Run>> runs =
                routes.stream().<List<Trial.Run>>map(_ -> new ArrayList<>()).toList();
        for (int round = 0; round < options.rounds; round++) {
            for (int i = 0; i < routes.size(); i++) {
                runs.get(i).add(studio.trial(size).run(recipe, routes.get(i)));
            }
        }
        return runs.stream().map(of -> new Row(recipe, Medians.of(of))).toList();
    }

    private void report(List<Row> rows) {
        if (options.json) {
            Console.print(toJson(rows));
            return;
        }
        Table table = new Table().row("what", "route", "GB/s", "CPU s/GB", "bytes", "why this route");
        for (Row row : rows) {
            table.row(
                    row.recipe.words(),
                    row.medians.result().route().name(),
                    row.medians.speed(),
                    row.medians.cost(),
                    row.medians.fault().isEmpty() ? "ok" : "WRONG",
                    row.medians.result().reason());
        }
        table.print();
        rows.stream()
                .map(row -> row.medians.fault())
                .filter(fault -> !fault.isEmpty())
                .forEach(Console::say);
    }

    private String toJson(List<Row> rows) {
        return Json.object(json -> {
            json.writeNumberField("size", size);
            json.writeNumberField("rounds", options.rounds);
            json.writeArrayFieldStart("runs");
            for (Row row : rows) {
                json.writeStartObject();
                json.writeStringField("recipe", row.recipe.name().toLowerCase(Locale.ROOT));
                row.medians.write(json);
                json.writeEndObject();
            }
            json.writeEndArray();
        });
    }
}
