package dev.sluice.cli;

import com.fasterxml.jackson.core.JsonGenerator;
import dev.sluice.relay.LiveSession;
import dev.sluice.relay.RelayStats;
import dev.sluice.relay.SessionRecord.End;
import java.io.IOException;
import java.util.Collection;
import java.util.Map;

/** A relay's counters and living connections, as one JSON object in one line. */
final class StatsJson {
    private StatsJson() {}

    /** The counters, and the connections alive with them. */
    static String of(RelayStats stats, Collection<LiveSession> live) {
        return Json.object(json -> {
            json.writeObjectFieldStart("stats");
            write(json, stats);
            json.writeArrayFieldStart("live");
            for (LiveSession session : live) {
                json.writeStartObject();
                write(json, session);
                json.writeEndObject();
            }
            json.writeEndArray();
            json.writeEndObject();
        });
    }

    /** The counters alone. */
    static String of(RelayStats stats) {
        return Json.object(json -> {
            json.writeObjectFieldStart("stats");
            write(json, stats);
            json.writeEndObject();
        });
    }

    static String of(LiveSession session) {
        return Json.object(json -> write(json, session));
    }

    private static void write(JsonGenerator json, RelayStats stats) throws IOException {
        json.writeNumberField("accepted", stats.accepted());
        json.writeNumberField("active", stats.active());
        json.writeNumberField("bytesToTargets", stats.bytesToTargets());
        json.writeNumberField("bytesToClients", stats.bytesToClients());
        Json.byRoute(json, stats.byRoute());
        writeEnds(json, "clientEnds", stats.clientEnds());
        writeEnds(json, "targetEnds", stats.targetEnds());
        json.writeArrayFieldStart("services");
        for (RelayStats.OfService service : stats.services()) {
            json.writeStartObject();
            json.writeStringField("service", service.service());
            json.writeNumberField("active", service.active());
            json.writeNumberField("waiting", service.waiting());
            json.writeNumberField("refused", service.refused());
            json.writeNumberField("bytesToTarget", service.bytesToTarget());
            json.writeNumberField("bytesToClient", service.bytesToClient());
            json.writeEndObject();
        }
        json.writeEndArray();
        json.writeArrayFieldStart("listeners");
        for (RelayStats.OfListener listener : stats.listeners()) {
            json.writeStartObject();
            json.writeStringField("service", listener.service());
            json.writeStringField("listener", listener.endpoint().toString());
            json.writeNumberField("accepted", listener.accepted());
            json.writeNumberField("active", listener.active());
            json.writeEndObject();
        }
        json.writeEndArray();
        json.writeArrayFieldStart("targets");
        for (RelayStats.OfTarget target : stats.targets()) {
            json.writeStartObject();
            json.writeStringField("target", target.target().toString());
            json.writeNumberField("connected", target.connected());
            json.writeNumberField("failed", target.failed());
            json.writeNumberField("active", target.active());
            json.writeBooleanField("up", target.up());
            json.writeEndObject();
        }
        json.writeEndArray();
        json.writeArrayFieldStart("mirrors");
        for (RelayStats.OfMirror mirror : stats.mirrors()) {
            json.writeStartObject();
            json.writeStringField("service", mirror.service());
            json.writeStringField("mirror", mirror.mirror());
            json.writeNumberField("begun", mirror.begun());
            json.writeNumberField("active", mirror.active());
            json.writeNumberField("missing", mirror.missing());
            json.writeNumberField("failed", mirror.failed());
            json.writeNumberField("bytes", mirror.bytes());
            json.writeNumberField("missed", mirror.missed());
            json.writeEndObject();
        }
        json.writeEndArray();
        json.writeNumberField("pipesLent", stats.pipesLent());
        json.writeNumberField("pipesSmall", stats.pipesSmall());
    }

    private static void writeEnds(JsonGenerator json, String field, Map<End, Long> ends) throws IOException {
        json.writeObjectFieldStart(field);
        for (End end : End.values()) {
            json.writeNumberField(RecordLog.name(end), ends.getOrDefault(end, 0L));
        }
        json.writeEndObject();
    }

    private static void write(JsonGenerator json, LiveSession session) throws IOException {
        json.writeStringField("service", session.service());
        json.writeStringField("client", session.client().toString());
        json.writeStringField("listener", session.listener().toString());
        json.writeStringField("target", session.target().toString());
        json.writeBooleanField("connected", session.connected());
        Json.seconds(json, "age", Cpu.seconds(session.age()));
        json.writeNumberField("bytesToTarget", session.bytesToTarget());
        json.writeNumberField("bytesToClient", session.bytesToClient());
        json.writeNumberField("bytesOnTheWay", session.bytesOnTheWay());
    }
}
