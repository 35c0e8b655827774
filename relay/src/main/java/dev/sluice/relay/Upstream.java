package dev.sluice.relay;

import dev.sluice.io.Endpoint;
import java.io.IOException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.stream.Stream;

/**
 * A target at work: its name, what that stands for at the moment, and how it does. Names are looked up aside, never by a loop, again
 * when the answer has become old; until there is a new one the last good one serves.
 */
final class Upstream {
    /** The JDK does not tell the lifetime that a name server gave. As long as its own cache keeps an answer by default. */
    private static final long FRESH_NANOS = TimeUnit.SECONDS.toNanos(30);

    /** After a failure. */
    private static final long RETRY_NANOS = TimeUnit.SECONDS.toNanos(1);

    private final Endpoint name;
    private final boolean fixed;

    private List<Endpoint> addresses = List.of();
    private IOException failure;
    private long staleAt = System.nanoTime();
    private boolean looking;
    private final List<Runnable> waiting = new ArrayList<>();

    final LongAdder connected = new LongAdder();
    final LongAdder failed = new LongAdder();
    final LongAdder active = new LongAdder();

    Upstream(Endpoint name) {
        this.name = name;
        Endpoint known = withoutLookup(name);
        this.fixed = known != null;
        if (fixed) {
            addresses = List.of(known);
        }
    }

    private static Endpoint withoutLookup(Endpoint name) {
        if (!(name instanceof Endpoint.Tcp tcp)) {
            return name;
        }
        if (tcp.host().isEmpty()) {
            return new Endpoint.Tcp("127.0.0.1", tcp.port());
        }
        try {
            InetAddress.ofLiteral(tcp.host());
            return tcp;
        } catch (IllegalArgumentException e) {
            return null;
        }
    }

    Endpoint name() {
        return name;
    }

    /**
     * What to connect to, in order; null if there was no answer yet, then {@code later} is run, on any thread, when there
     * is one. Empty if the name can't be found.
     */
    synchronized List<Endpoint> addresses(Runnable later) {
        if (fixed) {
            return addresses;
        }
        if (!looking && System.nanoTime() - staleAt >= 0) {
            looking = true;
            // getaddrinfo(3) would pin the carrier of a virtual thread.
            Thread.ofPlatform().daemon().name("sluice-lookup").start(this::look);
        }
        if (looking && addresses.isEmpty()) {
            waiting.add(later);
            return null;
        }
        return addresses;
    }

    /** Why there are no addresses. */
    synchronized IOException failure() {
        return failure;
    }

    private void look() {
        Endpoint.Tcp tcp = (Endpoint.Tcp) name;
        List<Endpoint> found = null;
        IOException problem = null;
        try {
            found = Stream.of(InetAddress.getAllByName(tcp.host()))
                    .<Endpoint>map(address -> Endpoint.of(address, tcp.port()))
                    .toList();
        } catch (UnknownHostException e) {
            problem = new UnknownHostException(tcp + ": no address is known for host '" + tcp.host() + "'");
        }
        List<Runnable> told;
        synchronized (this) {
            looking = false;
            failure = problem;
            addresses = found != null ? found : addresses;
            staleAt = System.nanoTime() + (found != null ? FRESH_NANOS : RETRY_NANOS);
            told = List.copyOf(waiting);
            waiting.clear();
        }
        told.forEach(Runnable::run);
    }
}
