package dev.sluice.relay;

import dev.sluice.io.Endpoint;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;

/**
 * Everything that a {@link Relay} is to do: its services, and what they share. Immutable, and checked as a whole when it is
 * made; each method gives a configuration that differs in one choice.
 *
 * @param services at least one, no name twice, and no address that two listeners would claim
 * @param threads how many loops share the connections; 0 for one per processor. Can't be changed while a relay runs
 * @param maxConnections how many connections are served at a time, more wait in the backlog; 0 for as many as the
 *     descriptor limit allows
 * @param resolveInterval how old a looked-up name may be when a connection needs it; then it is looked up again. The JDK keeps
 *     answers, too, see {@link java.net.InetAddress}
 * @param onEnd is given one record per connection when it has ended, one after the other, on a virtual thread of the relay.
 *     It may block: while too many records wait, no connection is accepted
 */
public record RelayConfig(
        List<Service> services,
        int threads,
        int maxConnections,
        Duration resolveInterval,
        Optional<Consumer<SessionRecord>> onEnd) {
    /** As long as the JDK keeps an answer by default. */
    private static final Duration RESOLVE_INTERVAL = Duration.ofSeconds(30);

    public RelayConfig {
        services = List.copyOf(services);
        Objects.requireNonNull(onEnd, "onEnd");
        Timeouts.requirePossible("resolve interval", resolveInterval);
        if (services.isEmpty()) {
            throw new IllegalArgumentException("a relay needs at least one service");
        }
        if (threads < 0 || threads > 1024) {
            throw new IllegalArgumentException(threads + " threads are not between 0 and 1024");
        }
        if (maxConnections < 0) {
            throw new IllegalArgumentException(maxConnections + " connections are less than none");
        }
        requireDistinct(services);
    }

    private static void requireDistinct(List<Service> services) {
        Set<String> names = new HashSet<>();
        Map<Endpoint, String> listeners = new HashMap<>();
        Map<Endpoint, Health> targets = new HashMap<>();
        for (Service service : services) {
            for (TargetGroup group : service.groups()) {
                for (Target target : group.targets()) {
                    Health other = targets.put(target.endpoint(), group.health());
                    if (other != null && !other.equals(group.health())) {
                        throw new IllegalArgumentException(target.endpoint()
                                + " is in two groups whose health differs: a target is left, or taken, for all");
                    }
                }
            }
            if (!names.add(service.name())) {
                throw new IllegalArgumentException("there are two services called " + service.name());
            }
            for (Endpoint listen : service.listen()) {
                String other = anyPort(listen) ? null : listeners.put(listen, service.name());
                if (other != null) {
                    throw new IllegalArgumentException(listen + " is listened on twice, by service " + other
                            + (other.equals(service.name()) ? "" : " and service " + service.name()));
                }
            }
        }
    }

    /** How many descriptors a connection takes at most. */
    int descriptorsPerConnection() {
        return 2
                + services.stream()
                        .mapToInt(service -> service.mirrors().stream()
                                .mapToInt(MirrorPoint::descriptors)
                                .sum())
                        .max()
                        .orElse(0);
    }

    static boolean anyPort(Endpoint endpoint) {
        return endpoint instanceof Endpoint.Tcp tcp && tcp.port() == 0;
    }

    /** A loop per processor, as many connections as possible, and no records. */
    public static RelayConfig of(Service... services) {
        return new RelayConfig(List.of(services), 0, 0, RESOLVE_INTERVAL, Optional.empty());
    }

    /** With other {@link #services()}. */
    public RelayConfig services(List<Service> others) {
        return new RelayConfig(others, threads, maxConnections, resolveInterval, onEnd);
    }

    /** With another number of {@link #threads()}. */
    public RelayConfig threads(int number) {
        return new RelayConfig(services, number, maxConnections, resolveInterval, onEnd);
    }

    /** With another number of {@link #maxConnections()}. */
    public RelayConfig maxConnections(int number) {
        return new RelayConfig(services, threads, number, resolveInterval, onEnd);
    }

    /** With another {@link #resolveInterval()}. */
    public RelayConfig resolveInterval(Duration age) {
        return new RelayConfig(services, threads, maxConnections, age, onEnd);
    }

    /** With another {@link #onEnd()}. */
    public RelayConfig onEnd(Consumer<SessionRecord> consumer) {
        return new RelayConfig(services, threads, maxConnections, resolveInterval, Optional.of(consumer));
    }
}
