package dev.sluice.relay;

import dev.sluice.io.Endpoint;
import java.io.IOException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * What the name of a target stands for at the moment. Names are looked up aside, never by a loop, again when the answer has
 * become old; until there is a new one the last good one serves. Any thread may ask.
 */
final class Addresses {
    /** More are left out: an answer is as long as somebody else likes. */
    private static final int MOST = 1024;

    /** So many a connection tries of one target; it has other targets, too. */
    private static final int TRIED = 8;

    /** After a failure. */
    private static final long RETRY_NANOS = TimeUnit.SECONDS.toNanos(1);

    private final Endpoint name;
    private final Executor lookups;
    private final boolean fixed;
    private volatile long interval;

    private List<Endpoint> addresses = List.of();
    private final Set<Endpoint> unreachable = new HashSet<>();
    private int turn;

    private IOException failure;
    private long staleAt = System.nanoTime();
    private boolean looking;
    private boolean doubtful;
    private final Set<Runnable> waiting = new LinkedHashSet<>();

    /** @param lookups runs what may block for as long as a name server is silent */
    Addresses(Endpoint name, Executor lookups) {
        this.name = name;
        this.lookups = lookups;
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

    /** How old an answer may become. */
    void interval(Duration time) {
        interval = time.toNanos();
    }

    /**
     * What to connect to, in order; null if there is no answer yet, then {@code later} is run, on any thread, when there is
     * one. Empty if the name can't be found.
     */
    synchronized List<Endpoint> get(Runnable later) {
        if (fixed) {
            return addresses;
        }
        long age = System.nanoTime() - staleAt;
        if (!looking && age >= 0) {
            looking = true;
            // An answer that nobody has asked for in a long time may be worth nothing.
            doubtful = age > interval;
            try {
                lookups.execute(this::look);
            } catch (RuntimeException | Error e) {
                // No thread to be had.
                found(null, new IOException(name + ": can't be looked up: " + e.getMessage(), e));
            }
        }
        if (looking && (addresses.isEmpty() || doubtful)) {
            waiting.add(later);
            return null;
        }
        return inTurn();
    }

    /** The last good answer, in order, for who can't wait for a new one; empty if there was none. */
    synchronized List<Endpoint> last() {
        return inTurn();
    }

    /** Each connection begins with another one, as the answer is often meant to share them out; the bad ones come last. */
    private List<Endpoint> inTurn() {
        List<Endpoint> good = new ArrayList<>(addresses);
        Collections.rotate(good, -turn++);
        List<Endpoint> bad = good.stream().filter(unreachable::contains).toList();
        good.removeAll(bad);
        good.addAll(bad);
        return List.copyOf(good.subList(0, Math.min(TRIED, good.size())));
    }

    /** Who waited does so no more. */
    synchronized void forget(Runnable later) {
        waiting.remove(later);
    }

    /** What a connection found out about an address. */
    synchronized void reachable(Endpoint address, boolean yes) {
        if (addresses.size() > 1) {
            if (yes) {
                unreachable.remove(address);
            } else if (addresses.contains(address)) {
                unreachable.add(address);
            }
        }
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
                    .distinct()
                    .limit(MOST)
                    .toList();
        } catch (UnknownHostException e) {
            problem = new UnknownHostException(tcp + ": no address is known for host '" + tcp.host() + "'");
        } catch (RuntimeException | Error e) {
            // The JDK lets others look names up. Whatever they do, this name is asked for again.
            problem = new IOException(tcp + ": can't be looked up: " + e, e);
        }
        found(found, problem).forEach(Runnable::run);
    }

    /** The end of a lookup; returns who is to be told. */
    private synchronized List<Runnable> found(List<Endpoint> found, IOException problem) {
        looking = false;
        failure = problem;
        if (found != null) {
            addresses = found;
            unreachable.retainAll(found);
        }
        staleAt = System.nanoTime() + (found != null ? interval : RETRY_NANOS);
        List<Runnable> told = List.copyOf(waiting);
        waiting.clear();
        return told;
    }
}
