package dev.sluice.cli;

import dev.sluice.io.Endpoint;
import dev.sluice.relay.RelayConfig;
import dev.sluice.relay.Service;
import dev.sluice.relay.Target;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * Everything that {@code sluice relay} is told, by a file or by its command line.
 *
 * @param config for the engine, but for the consumer of records
 * @param drainTimeout how long connections may go on after SIGTERM
 * @param drainSpread over which last part of that time the rest is cut off
 * @param exitIdleTime end after so long without connections; zero for never
 * @param log what is recorded of connections, and where
 * @param statsInterval how often the counters are logged; zero for never
 * @param metrics where Prometheus may ask
 * @param admin where the operator may ask
 */
record Settings(
        RelayConfig config,
        Duration drainTimeout,
        Duration drainSpread,
        Duration exitIdleTime,
        RecordLog.Choice log,
        Duration statsInterval,
        Optional<Endpoint.Tcp> metrics,
        Optional<Endpoint.Unix> admin) {

    /** Whether all but the services is the same. */
    boolean likeButServices(Settings other) {
        return equals(new Settings(
                other.config.services(config.services()),
                other.drainTimeout,
                other.drainSpread,
                other.exitIdleTime,
                other.log,
                other.statsInterval,
                other.metrics,
                other.admin));
    }

    /**
     * Whoever asks for metrics, or as the operator, asks in the same place as before.
     *
     * @throws IllegalArgumentException if not
     */
    void requireSamePlaces(Settings before) {
        requireSame("metrics", before.metrics, metrics);
        requireSame("admin", before.admin, admin);
    }

    private static void requireSame(String key, Optional<? extends Endpoint> before, Optional<? extends Endpoint> now) {
        if (!before.equals(now)) {
            throw new IllegalArgumentException(key + " can't change while a relay runs: it is "
                    + before.map(Endpoint::toString).orElse("not there") + ", not "
                    + now.map(Endpoint::toString).orElse("absent"));
        }
    }

    /** What is in force, in one line, without what a service does in detail. */
    String toJson(Optional<Path> file) {
        return Json.object(json -> {
            if (file.isPresent()) {
                json.writeStringField("file", file.get().toAbsolutePath().toString());
            }
            json.writeStringField("drainTimeout", drainTimeout.toString());
            json.writeNumberField("threads", config.threads());
            json.writeNumberField("maxConnections", config.maxConnections());
            json.writeStringField("log", log.format().name().toLowerCase(Locale.ROOT));
            json.writeArrayFieldStart("services");
            for (Service service : config.services()) {
                json.writeStartObject();
                json.writeStringField("service", service.name());
                Json.strings(json, "listen", service.listen());
                Json.strings(json, "targets", targets(service));
                json.writeEndObject();
            }
            json.writeEndArray();
        });
    }

    /** Where a service's connections go to, for people. */
    static List<Endpoint> targets(Service service) {
        return service.targets().targets().stream().map(Target::endpoint).toList();
    }

    /** What there is, in numbers. */
    @Override
    public String toString() {
        int services = config.services().size();
        long listeners = config.services().stream()
                .mapToLong(service -> service.listen().size())
                .sum();
        long targets = config.services().stream()
                .mapToLong(service -> service.targets().targets().size())
                .sum();
        return counted(services, "service") + ", " + counted(listeners, "listener") + ", " + counted(targets, "target");
    }

    private static String counted(long number, String what) {
        return number + " " + what + (number == 1 ? "" : "s");
    }
}
