package dev.sluice.bench;

import dev.sluice.bench.RelayMatch.Column;
import dev.sluice.bench.RelayMatch.Entry;
import java.io.IOException;
import java.util.List;

/**
 * Requests of 64 bytes and their echoes through a relay as an application writes it: Sluice.join on a virtual thread per
 * connection against JDK channels on two; a client that waits for each answer, and fifty such clients. Prints tables in
 * Markdown.
 */
public final class RequestResponse {
    private static final int SIZE = 64;

    private RequestResponse() {}

    public static void main(String[] args) throws IOException, InterruptedException {
        Options options = Options.parse(args, 31, 20_000 * SIZE);
        if (CubicNetwork.holds(RequestResponse.class, args)) {
            return;
        }
        try (RelayMatch match = RelayMatch.open()) {
            if (match == null) {
                return;
            }
            match.enter(entry("JDK channels", "jdk"))
                    .enter(entry("Sluice.join", "sluice"))
                    .enter(entry("Sluice.join, copying", "sluice-copy"));
            int requests = (int) (options.bytes() / SIZE);
            for (int clients : new int[] {1, 50}) {
                match.play(
                        "%d × %d B, %d requests".formatted(clients, SIZE, requests),
                        "requests",
                        clients + " " + SIZE + " " + requests,
                        columns(requests),
                        options,
                        "request-response-" + clients);
            }
        }
    }

    static List<Column> columns(int requests) {
        return List.of(
                new Column("requests/s", run -> requests * 1e9 / run.nanos(), true),
                new Column("median, µs", run -> run.median() / 1e3, true),
                new Column("99 %, µs", run -> run.percentile99() / 1e3, false),
                new Column("CPU per request, µs", run -> run.cpu() / 1e3 / requests, true));
    }

    private static Entry entry(String name, String way) {
        return new Entry(
                name,
                "Java " + Runtime.version(),
                (listen, target) -> Party.javaCommand(
                        System.getProperty("java.class.path"),
                        VirtualThreadRelay.class,
                        way,
                        Integer.toString(listen),
                        Integer.toString(target)));
    }
}
