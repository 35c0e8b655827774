package dev.sluice.cli;

import dev.sluice.io.Endpoint;
import dev.sluice.relay.RelayConfig;
import dev.sluice.relay.Service;
import dev.sluice.relay.Target;
import java.time.Duration;
import java.util.List;

/**
 * Everything that {@code sluice relay} is told, by a file or by its command line.
 *
 * @param config for the engine, but for the consumer of records
 * @param drainTimeout how long connections may go on after SIGTERM
 * @param drainSpread over which last part of that time the rest is cut off
 * @param exitIdleTime end after so long without connections; zero for never
 * @param log what is recorded of connections, and where
 * @param statsInterval how often the counters are logged; zero for never
 */
record Settings(
        RelayConfig config,
        Duration drainTimeout,
        Duration drainSpread,
        Duration exitIdleTime,
        RecordLog.Choice log,
        Duration statsInterval) {

    /** Whether all but the services is the same. */
    boolean likeButServices(Settings other) {
        return equals(new Settings(
                other.config.services(config.services()),
                other.drainTimeout,
                other.drainSpread,
                other.exitIdleTime,
                other.log,
                other.statsInterval));
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
