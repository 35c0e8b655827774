package dev.sluice.relay;

import dev.sluice.io.Route;
import java.time.Duration;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * The choices of a {@link Relay}. Immutable: each method gives options that differ in one.
 *
 * <p>Three times are often taken for one. The <em>idle timeout</em> ends a connection on which nothing moves, though both
 * peers may be well. <em>Keepalive</em> asks a silent peer whether it is still there, tcp(7). The <em>user timeout</em>
 * ends a connection whose peer does not acknowledge what was sent, or has had no room for more for so long.
 *
 * @param connectTimeout how long to wait for a target, all its addresses together; positive
 * @param idleTimeout after how long without a byte accepted in either direction a connection is ended; zero for never. Seen
 *     with a delay of up to a quarter
 * @param halfCloseTimeout the same once one direction has ended; zero for the idle timeout
 * @param maxLifetime how long a connection may last at all; zero for ever
 * @param keepAlive after how much silence a TCP peer is asked for a sign of life, TCP_KEEPIDLE; zero for never
 * @param userTimeout how long data may stay unacknowledged, TCP_USER_TIMEOUT; zero for the kernel's own (about 15 minutes)
 * @param threads how many loops share the connections; 0 for one per processor
 * @param maxConnections how many connections are served at a time, more wait in the backlog; 0 for as many as the
 *     descriptor limit allows
 * @param route the route to take wherever it is possible, to test and to compare; empty for the best
 * @param onEnd is given one record per connection when it has ended, one after the other, on a virtual thread of the relay.
 *     It may block: while too many records wait, no connection is accepted
 */
public record RelayOptions(
        Duration connectTimeout,
        Duration idleTimeout,
        Duration halfCloseTimeout,
        Duration maxLifetime,
        Duration keepAlive,
        Duration userTimeout,
        int threads,
        int maxConnections,
        Optional<Route> route,
        Optional<Consumer<SessionRecord>> onEnd) {

    /**
     * Ten seconds to connect, an hour idle, a minute half-closed, any lifetime, keepalive after a minute, five minutes
     * unacknowledged; a loop per processor, the best route, and no records.
     */
    public static final RelayOptions DEFAULT = new RelayOptions(
            Duration.ofSeconds(10),
            Duration.ofHours(1),
            Duration.ofMinutes(1),
            Duration.ZERO,
            Duration.ofMinutes(1),
            Duration.ofMinutes(5),
            0,
            0,
            Optional.empty(),
            Optional.empty());

    public RelayOptions {
        Objects.requireNonNull(route, "route");
        Objects.requireNonNull(onEnd, "onEnd");
        if (!connectTimeout.isPositive()) {
            throw new IllegalArgumentException("connect timeout " + connectTimeout + " is not positive");
        }
        requireNotNegative("idle timeout", idleTimeout);
        requireNotNegative("half-close timeout", halfCloseTimeout);
        requireNotNegative("lifetime", maxLifetime);
        requireNotNegative("keepalive", keepAlive);
        requireNotNegative("user timeout", userTimeout);
        if (threads < 0 || threads > 1024) {
            throw new IllegalArgumentException(threads + " threads are not between 0 and 1024");
        }
        if (maxConnections < 0) {
            throw new IllegalArgumentException(maxConnections + " connections are less than none");
        }
    }

    private static void requireNotNegative(String what, Duration duration) {
        if (duration.isNegative()) {
            throw new IllegalArgumentException(what + " " + duration + " is negative");
        }
    }

    /** With another {@link #connectTimeout()}. */
    public RelayOptions connectTimeout(Duration timeout) {
        return with(draft -> draft.connectTimeout = timeout);
    }

    /** With another {@link #idleTimeout()}. */
    public RelayOptions idleTimeout(Duration timeout) {
        return with(draft -> draft.idleTimeout = timeout);
    }

    /** With another {@link #halfCloseTimeout()}. */
    public RelayOptions halfCloseTimeout(Duration timeout) {
        return with(draft -> draft.halfCloseTimeout = timeout);
    }

    /** With another {@link #maxLifetime()}. */
    public RelayOptions maxLifetime(Duration lifetime) {
        return with(draft -> draft.maxLifetime = lifetime);
    }

    /** With another {@link #keepAlive()}. */
    public RelayOptions keepAlive(Duration silence) {
        return with(draft -> draft.keepAlive = silence);
    }

    /** With another {@link #userTimeout()}. */
    public RelayOptions userTimeout(Duration timeout) {
        return with(draft -> draft.userTimeout = timeout);
    }

    /** With another number of {@link #threads()}. */
    public RelayOptions threads(int number) {
        return with(draft -> draft.threads = number);
    }

    /** With another number of {@link #maxConnections()}. */
    public RelayOptions maxConnections(int number) {
        return with(draft -> draft.maxConnections = number);
    }

    /** With a {@link #route()} of choice. */
    public RelayOptions route(Route wanted) {
        return with(draft -> draft.route = Optional.of(wanted));
    }

    /** With another {@link #onEnd()}. */
    public RelayOptions onEnd(Consumer<SessionRecord> consumer) {
        return with(draft -> draft.onEnd = Optional.of(consumer));
    }

    private RelayOptions with(Consumer<Draft> change) {
        Draft draft = new Draft();
        change.accept(draft);
        return draft.options();
    }

    /** These options, open to one change. */
    private final class Draft {
        private Duration connectTimeout = RelayOptions.this.connectTimeout;
        private Duration idleTimeout = RelayOptions.this.idleTimeout;
        private Duration halfCloseTimeout = RelayOptions.this.halfCloseTimeout;
        private Duration maxLifetime = RelayOptions.this.maxLifetime;
        private Duration keepAlive = RelayOptions.this.keepAlive;
        private Duration userTimeout = RelayOptions.this.userTimeout;
        private int threads = RelayOptions.this.threads;
        private int maxConnections = RelayOptions.this.maxConnections;
        private Optional<Route> route = RelayOptions.this.route;
        private Optional<Consumer<SessionRecord>> onEnd = RelayOptions.this.onEnd;

        RelayOptions options() {
            return new RelayOptions(
                    connectTimeout,
                    idleTimeout,
                    halfCloseTimeout,
                    maxLifetime,
                    keepAlive,
                    userTimeout,
                    threads,
                    maxConnections,
                    route,
                    onEnd);
        }
    }
}
