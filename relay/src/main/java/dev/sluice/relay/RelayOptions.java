package dev.sluice.relay;

import dev.sluice.io.Route;
import java.time.Duration;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * The choices of a {@link Relay}. Immutable: each method gives options that differ in one.
 *
 * @param connectTimeout how long to wait for a target, all its addresses together; positive
 * @param route the route to take wherever it is possible, to test and to compare; empty for the best
 * @param onEnd is given one record per connection, when it has ended, on the virtual thread of that connection; several
 *     at once. It may block by parking
 */
public record RelayOptions(Duration connectTimeout, Optional<Route> route, Consumer<SessionRecord> onEnd) {
    /** Ten seconds to connect, the best route, and no records. */
    public static final RelayOptions DEFAULT = new RelayOptions(Duration.ofSeconds(10), Optional.empty(), _ -> {});

    public RelayOptions {
        Objects.requireNonNull(route, "route");
        Objects.requireNonNull(onEnd, "onEnd");
        if (!connectTimeout.isPositive()) {
            throw new IllegalArgumentException("connect timeout " + connectTimeout + " is not positive");
        }
    }

    /** With another {@link #connectTimeout()}. */
    public RelayOptions connectTimeout(Duration timeout) {
        return new RelayOptions(timeout, route, onEnd);
    }

    /** With a {@link #route()} of choice. */
    public RelayOptions route(Route wanted) {
        return new RelayOptions(connectTimeout, Optional.of(wanted), onEnd);
    }

    /** With another {@link #onEnd()}. */
    public RelayOptions onEnd(Consumer<SessionRecord> consumer) {
        return new RelayOptions(connectTimeout, route, consumer);
    }
}
