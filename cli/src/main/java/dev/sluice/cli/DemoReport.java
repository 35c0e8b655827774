package dev.sluice.cli;

import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * What the demonstration showed.
 *
 * @param size the bytes of each round
 * @param shortfall why the kernel's route could not be taken, if so
 * @param sha256 of what the camera sent
 * @param rows one per route
 */
record DemoReport(long size, int rounds, Optional<String> shortfall, String sha256, List<Row> rows) {

    /** @param sha256 of the recording */
    record Row(RouteChoice asked, Medians medians, String sha256) {}

    boolean passed() {
        return rows.stream().allMatch(this::passed);
    }

    private boolean passed(Row row) {
        return row.medians.fault().isEmpty() && row.sha256.equals(sha256);
    }

    /** How many times the first row is as fast as the last. */
    private double speedRatio() {
        return rows.getFirst().medians.gigabytesPerSecond()
                / rows.getLast().medians.gigabytesPerSecond();
    }

    /** How many times the CPU of the last row the first took; not a number if it was too little to be measured. */
    private double cpuRatio() {
        return rows.getFirst().medians.cpuSeconds() / rows.getLast().medians.cpuSeconds();
    }

    void print() {
        Console.print("camera -> server -> client + recording: " + Units.bytes(size) + " over loopback TCP, " + rounds
                + " rounds per route, medians");
        Console.print("");
        Table table = new Table().row("route", "GB/s", "CPU s/GB", "client", "recording", "SHA-256", "why this route");
        for (Row row : rows) {
            String fault = row.medians.fault();
            table.row(
                    row.medians.result().route().name(),
                    row.medians.speed(),
                    row.medians.cost(),
                    verdict(!fault.contains("client")),
                    verdict(!fault.contains("recording")),
                    verdict(row.sha256.equals(sha256)),
                    row.medians.result().reason());
        }
        table.print();
        Console.print("");
        Console.print(conclusion());
        rows.stream()
                .map(row -> row.medians.fault())
                .filter(fault -> !fault.isEmpty())
                .forEach(Console::say);
    }

    private static String verdict(boolean right) {
        return right ? "ok" : "WRONG";
    }

    private String conclusion() {
        if (shortfall.isPresent()) {
            return "The kernel's route is not available here (" + shortfall.get() + "), so the bytes were copied;"
                    + " 'sluice doctor' says what would bring it back.";
        }
        double cpu = cpuRatio();
        String cost = Double.isFinite(cpu) && cpu > 0
                ? String.format(Locale.ROOT, "%.2f times the CPU", cpu)
                : "CPU too little to be measured; take a larger --size";
        return String.format(
                Locale.ROOT,
                "Against copying, the kernel's route had %.2f times the speed and took %s.",
                speedRatio(),
                cost);
    }

    String toJson() {
        return Json.object(json -> {
            json.writeNumberField("size", size);
            json.writeNumberField("rounds", rounds);
            json.writeStringField("sha256", sha256);
            if (shortfall.isPresent()) {
                json.writeStringField("shortfall", shortfall.get());
            }
            json.writeArrayFieldStart("routes");
            for (Row row : rows) {
                json.writeStartObject();
                json.writeStringField("asked", row.asked.name().toLowerCase(Locale.ROOT));
                row.medians.write(json);
                json.writeStringField("sha256", row.sha256);
                json.writeBooleanField("passed", passed(row));
                json.writeEndObject();
            }
            json.writeEndArray();
            if (rows.size() > 1) {
                Json.ratio(json, "speedRatio", speedRatio());
                Json.ratio(json, "cpuRatio", cpuRatio());
            }
            json.writeBooleanField("passed", passed());
        });
    }
}
