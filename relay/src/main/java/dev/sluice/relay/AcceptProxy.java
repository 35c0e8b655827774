package dev.sluice.relay;

import dev.sluice.io.Endpoint;
import java.time.Duration;
import java.util.List;
import java.util.Objects;

/**
 * Connections come from proxies, which tell by a header of the PROXY protocol, version 1 or 2, whom each is for. The relay
 * takes the header away; what it says is the client from then on: for the record, for balancing, for access and limits.
 *
 * <p>Whoever may send such a header chooses who he is taken for. So every connection has to begin with one, and every
 * connection has to come from a proxy that is trusted; others are reset, and their record says why. So it is with headers
 * that are malformed, or not complete in time. A header that names nobody, as proxies send it with their health checks,
 * leaves the proxy itself as the client.
 *
 * @param from the proxies: addresses and ranges such as {@code 10.0.0.0/8} or {@code 2001:db8::1}; {@code unix:} for all who
 *     come through a Unix socket, where the file's permissions decide
 * @param timeout how long a connection has for its header; positive
 */
public record AcceptProxy(List<String> from, Duration timeout) {
    private static final String UNIX = "unix:";

    private static final Duration TIMEOUT = Duration.ofSeconds(10);

    /** @throws IllegalArgumentException in one line, if nobody is trusted, or one of them is not an address or a range */
    public AcceptProxy {
        from = List.copyOf(from);
        Objects.requireNonNull(timeout, "timeout");
        if (from.isEmpty()) {
            throw new IllegalArgumentException("nobody is trusted to send PROXY headers: name the proxies' addresses");
        }
        ranges(from);
        Timeouts.requirePossible("timeout of the PROXY header", timeout);
        if (!timeout.isPositive()) {
            throw new IllegalArgumentException("timeout of the PROXY header " + timeout + " is not positive");
        }
    }

    /** Ten seconds for the header. */
    public static AcceptProxy of(String... proxies) {
        return new AcceptProxy(List.of(proxies), TIMEOUT);
    }

    /** With another {@link #timeout()}. */
    public AcceptProxy timeout(Duration time) {
        return new AcceptProxy(from, time);
    }

    private static List<AccessList.Rule> ranges(List<String> from) {
        return from.stream()
                .filter(text -> !text.equals(UNIX))
                .map(text -> new AccessList.Rule(true, AddressRange.parse(text)))
                .toList();
    }

    /** These proxies at work. */
    Trust trust() {
        List<AccessList.Rule> ranges = ranges(from);
        return new Trust(from.contains(UNIX), ranges.isEmpty() ? null : new AccessList(ranges));
    }

    /**
     * Who is believed.
     *
     * @param ranges null for nobody
     */
    record Trust(boolean unix, AccessList ranges) {
        boolean in(Endpoint peer) {
            return peer instanceof Endpoint.Tcp ? ranges != null && ranges.allows(peer) : unix;
        }
    }
}
