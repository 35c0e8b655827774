package dev.sluice.cli;

import dev.sluice.io.Endpoint;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * What an admin socket says at one moment.
 *
 * @param nanos when
 */
record RelaySample(long nanos, Stats stats, Map<SessionKey, Row> sessions) {

    /** Of one JSON object. */
    record Row(Map<String, Object> fields) {
        String text(String name) {
            return String.valueOf(fields.get(name));
        }

        long number(String name) {
            return fields.get(name) instanceof Number number ? number.longValue() : 0;
        }

        double decimal(String name) {
            return fields.get(name) instanceof Number number ? number.doubleValue() : 0;
        }
    }

    /** Tables of the counters. */
    record Stats(Row all) {
        @SuppressWarnings("unchecked") // What else is there is not from a relay.
        List<Row> rows(String name) {
            return ((List<Map<String, Object>>) all.fields().getOrDefault(name, List.of()))
                    .stream().map(Row::new).toList();
        }
    }

    /** @param number of several that have the same name, as clients of Unix sockets do, in the order of their age */
    record SessionKey(String service, String listener, String client, int number) {}

    static RelaySample take(Endpoint admin) throws IOException {
        List<String> stats = Admin.ask(admin, "stats");
        List<String> sessions = Admin.ask(admin, "sessions");
        try {
            List<Row> rows = new ArrayList<>();
            for (String line : sessions) {
                rows.add(object(Json.parse(line)));
            }
            Row counters = object(object(Json.parse(stats.getFirst())).fields().get("stats"));
            return new RelaySample(System.nanoTime(), new Stats(counters), keyed(rows));
        } catch (IOException | RuntimeException e) {
            throw new IOException(admin + ": its answer is not that of a relay", e);
        }
    }

    @SuppressWarnings("unchecked")
    private static Row object(Object json) {
        return new Row((Map<String, Object>) json);
    }

    private static Map<SessionKey, Row> keyed(List<Row> rows) {
        rows.sort(Comparator.comparingDouble((Row row) -> row.decimal("age")).reversed());
        Map<SessionKey, Integer> seen = new HashMap<>();
        Map<SessionKey, Row> keyed = new HashMap<>();
        for (Row row : rows) {
            SessionKey name = new SessionKey(row.text("service"), row.text("listener"), row.text("client"), 0);
            int number = seen.merge(name, 1, Integer::sum);
            keyed.put(new SessionKey(name.service(), name.listener(), name.client(), number), row);
        }
        return keyed;
    }
}
