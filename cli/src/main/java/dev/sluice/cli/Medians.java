package dev.sluice.cli;

import com.fasterxml.jackson.core.JsonGenerator;
import dev.sluice.io.TransferResult;
import java.io.IOException;
import java.util.List;
import java.util.Locale;
import java.util.function.ToDoubleFunction;

/**
 * What the runs of one recipe by one route have in common.
 *
 * @param result of the last run
 * @param seconds the median of the durations
 * @param cpuSeconds the median, too
 * @param fault of the first run that had one, or an empty string
 */
record Medians(TransferResult result, double seconds, double cpuSeconds, String fault) {

    static Medians of(List<Trial.Run> runs) {
        double seconds = median(runs, run -> Cpu.seconds(run.result().duration()));
        String fault = runs.stream()
                .map(Trial.Run::fault)
                .filter(f -> !f.isEmpty())
                .findFirst()
                .orElse("");
        return new Medians(runs.getLast().result(), seconds, median(runs, Trial.Run::cpuSeconds), fault);
    }

    private static double median(List<Trial.Run> runs, ToDoubleFunction<Trial.Run> figure) {
        double[] sorted = runs.stream().mapToDouble(figure).sorted().toArray();
        int half = sorted.length / 2;
        return sorted.length % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
    }

    double gigabytes() {
        return result.bytes() / 1e9;
    }

    double gigabytesPerSecond() {
        return gigabytes() / seconds;
    }

    double cpuSecondsPerGigabyte() {
        return cpuSeconds / gigabytes();
    }

    String speed() {
        return String.format(Locale.ROOT, "%.2f", gigabytesPerSecond());
    }

    String cost() {
        return String.format(Locale.ROOT, "%.3f", cpuSecondsPerGigabyte());
    }

    void write(JsonGenerator json) throws IOException {
        Report.write(json, result, seconds, cpuSeconds);
        Json.seconds(json, "gigabytesPerSecond", gigabytesPerSecond());
        Json.seconds(json, "cpuSecondsPerGigabyte", cpuSecondsPerGigabyte());
        if (!fault.isEmpty()) {
            json.writeStringField("fault", fault);
        }
    }
}
