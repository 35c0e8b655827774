package dev.sluice.cli;

import com.fasterxml.jackson.core.JsonGenerator;
import dev.sluice.cli.RelaySample.Row;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * What a relay does per second, from two samples of it.
 *
 * @param sessions the busiest first
 */
record RelayRates(double seconds, List<OfService> services, List<OfTarget> targets, List<OfSession> sessions) {
    private static final String TO_TARGET = "bytesToTarget";
    private static final String TO_CLIENT = "bytesToClient";

    record OfService(
            String service,
            long active,
            long waiting,
            long refused,
            double accepted,
            double toTarget,
            double toClient) {}

    record OfTarget(String target, boolean up, long active, long failed, double connected) {}

    record OfSession(
            String service, String client, String target, double age, long bytes, double toTarget, double toClient) {
        private double rate() {
            return toTarget + toClient;
        }
    }

    static RelayRates between(RelaySample before, RelaySample now) {
        double seconds = Math.max((now.nanos() - before.nanos()) / 1e9, 1e-3);
        return new RelayRates(
                seconds, services(before, now, seconds), targets(before, now, seconds), sessions(before, now, seconds));
    }

    private static List<OfService> services(RelaySample before, RelaySample now, double seconds) {
        Map<String, Long> accepted = accepted(before);
        Map<String, Long> acceptedNow = accepted(now);
        Map<String, Long> toTarget = bytes(before, TO_TARGET);
        Map<String, Long> toTargetNow = bytes(now, TO_TARGET);
        Map<String, Long> toClient = bytes(before, TO_CLIENT);
        Map<String, Long> toClientNow = bytes(now, TO_CLIENT);
        return now.stats().rows("services").stream()
                .map(row -> {
                    String name = row.text("service");
                    return new OfService(
                            name,
                            row.number("active"),
                            row.number("waiting"),
                            row.number("refused"),
                            rate(accepted.get(name), acceptedNow.get(name), seconds),
                            rate(toTarget.get(name), toTargetNow.get(name), seconds),
                            rate(toClient.get(name), toClientNow.get(name), seconds));
                })
                .toList();
    }

    private static Map<String, Long> accepted(RelaySample sample) {
        return sample.stats().rows("listeners").stream()
                .collect(Collectors.toMap(row -> row.text("service"), row -> row.number("accepted"), Long::sum));
    }

    /** Of connections that have ended, and of those alive. */
    private static Map<String, Long> bytes(RelaySample sample, String direction) {
        Map<String, Long> bytes = new HashMap<>();
        sample.stats()
                .rows("services")
                .forEach(row -> bytes.merge(row.text("service"), row.number(direction), Long::sum));
        sample.sessions().values().forEach(row -> bytes.merge(row.text("service"), row.number(direction), Long::sum));
        return bytes;
    }

    private static List<OfTarget> targets(RelaySample before, RelaySample now, double seconds) {
        Map<String, Long> connected = before.stats().rows("targets").stream()
                .collect(Collectors.toMap(row -> row.text("target"), row -> row.number("connected"), Long::sum));
        return now.stats().rows("targets").stream()
                .map(row -> new OfTarget(
                        row.text("target"),
                        row.text("up").equals("true"),
                        row.number("active"),
                        row.number("failed"),
                        rate(connected.get(row.text("target")), row.number("connected"), seconds)))
                .toList();
    }

    private static List<OfSession> sessions(RelaySample before, RelaySample now, double seconds) {
        List<OfSession> sessions = new ArrayList<>();
        now.sessions().forEach((key, row) -> {
            Row old = before.sessions().getOrDefault(key, new Row(Map.of()));
            sessions.add(new OfSession(
                    row.text("service"),
                    row.text("client"),
                    row.text("target"),
                    row.decimal("age"),
                    row.number(TO_TARGET) + row.number(TO_CLIENT),
                    rate(old.number(TO_TARGET), row.number(TO_TARGET), seconds),
                    rate(old.number(TO_CLIENT), row.number(TO_CLIENT), seconds)));
        });
        sessions.sort(Comparator.comparingDouble(OfSession::rate)
                .thenComparing(OfSession::bytes)
                .reversed());
        return sessions;
    }

    /** What has come and gone between two questions may be missing in one of them. */
    private static double rate(Long before, Long now, double seconds) {
        return Math.max(0, (now == null ? 0 : now) - (before == null ? 0 : before)) / seconds;
    }

    List<String> toLines(int mostSessions) {
        Table services =
                new Table().row("SERVICE", "ACTIVE", "WAITING", "REFUSED", "NEW/S", "TO TARGET/S", "TO CLIENT/S");
        for (OfService each : this.services) {
            services.row(
                    each.service,
                    "" + each.active,
                    "" + each.waiting,
                    "" + each.refused,
                    count(each.accepted),
                    bytes(each.toTarget),
                    bytes(each.toClient));
        }
        Table targets = new Table().row("TARGET", "STATE", "ACTIVE", "FAILED", "NEW/S");
        for (OfTarget each : this.targets) {
            targets.row(
                    each.target, each.up ? "up" : "DOWN", "" + each.active, "" + each.failed, count(each.connected));
        }
        List<String> lines = new ArrayList<>(services.lines());
        lines.add("");
        lines.addAll(targets.lines());
        if (!sessions.isEmpty()) {
            Table busiest =
                    new Table().row("CLIENT", "SERVICE", "TARGET", "AGE", "BYTES", "TO TARGET/S", "TO CLIENT/S");
            for (OfSession each : busiest(mostSessions)) {
                busiest.row(
                        each.client,
                        each.service,
                        each.target,
                        String.format(Locale.ROOT, "%.1f s", each.age),
                        Units.bytes(each.bytes),
                        bytes(each.toTarget),
                        bytes(each.toClient));
            }
            lines.add("");
            lines.addAll(busiest.lines());
            if (sessions.size() > mostSessions) {
                lines.add("and " + (sessions.size() - mostSessions) + " more");
            }
        }
        return lines;
    }

    private List<OfSession> busiest(int most) {
        return sessions.subList(0, Math.clamp(most, 0, sessions.size()));
    }

    private static String bytes(double rate) {
        return Units.bytes(Math.round(rate));
    }

    private static String count(double rate) {
        return String.format(Locale.ROOT, "%.1f", rate);
    }

    String toJson(int mostSessions) {
        return Json.object(json -> {
            Json.seconds(json, "seconds", seconds);
            json.writeArrayFieldStart("services");
            for (OfService each : services) {
                json.writeStartObject();
                json.writeStringField("service", each.service);
                json.writeNumberField("active", each.active);
                json.writeNumberField("waiting", each.waiting);
                json.writeNumberField("refused", each.refused);
                Json.ratio(json, "acceptedPerSecond", each.accepted);
                write(json, each.toTarget, each.toClient);
                json.writeEndObject();
            }
            json.writeEndArray();
            json.writeArrayFieldStart("targets");
            for (OfTarget each : targets) {
                json.writeStartObject();
                json.writeStringField("target", each.target);
                json.writeBooleanField("up", each.up);
                json.writeNumberField("active", each.active);
                json.writeNumberField("failed", each.failed);
                Json.ratio(json, "connectedPerSecond", each.connected);
                json.writeEndObject();
            }
            json.writeEndArray();
            json.writeNumberField("sessionsAlive", sessions.size());
            json.writeArrayFieldStart("sessions");
            for (OfSession each : busiest(mostSessions)) {
                json.writeStartObject();
                json.writeStringField("service", each.service);
                json.writeStringField("client", each.client);
                json.writeStringField("target", each.target);
                Json.seconds(json, "age", each.age);
                json.writeNumberField("bytes", each.bytes);
                write(json, each.toTarget, each.toClient);
                json.writeEndObject();
            }
            json.writeEndArray();
        });
    }

    private static void write(JsonGenerator json, double toTarget, double toClient) throws IOException {
        json.writeNumberField("bytesToTargetPerSecond", Math.round(toTarget));
        json.writeNumberField("bytesToClientPerSecond", Math.round(toClient));
    }
}
