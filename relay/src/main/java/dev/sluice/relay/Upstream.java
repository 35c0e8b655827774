package dev.sluice.relay;

import dev.sluice.io.Endpoint;
import dev.sluice.loop.EventLoop;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;

/** A target at work: where it is, how it stands, and what it has to do. Services that name it share it. */
final class Upstream {
    final LongAdder connected = new LongAdder();
    final LongAdder failed = new LongAdder();
    final LongAdder active = new LongAdder();

    private final Endpoint name;
    private final Addresses addresses;
    private final Standing standing = new Standing();

    /** Connections that are here or on their way. */
    private final AtomicInteger load = new AtomicInteger();

    private Check check;
    private Duration checkInterval = Duration.ZERO;

    Upstream(Endpoint name, Executor lookups) {
        this.name = name;
        this.addresses = new Addresses(name, lookups);
    }

    Endpoint name() {
        return name;
    }

    Addresses addresses() {
        return addresses;
    }

    Standing standing() {
        return standing;
    }

    /**
     * A connection has chosen this target; {@link #leave} follows, whatever becomes of it.
     *
     * @param most how many there may be; 0 for any number
     * @return false if there are as many
     */
    boolean enter(int most) {
        int now;
        do {
            now = load.get();
            if (most > 0 && now >= most) {
                return false;
            }
        } while (!load.compareAndSet(now, now + 1));
        return true;
    }

    void leave() {
        load.decrementAndGet();
    }

    int load() {
        return load.get();
    }

    /** From now on; checks run on the loop. */
    synchronized void health(Health health, EventLoop loop) {
        standing.health(health);
        if (!health.checkInterval().equals(checkInterval)) {
            stopChecks();
            checkInterval = health.checkInterval();
            check = checkInterval.isZero() ? null : Check.start(this, loop, checkInterval);
        }
    }

    /** Complete when nothing of them is left. */
    synchronized CompletableFuture<Void> stopChecks() {
        Check stopping = check;
        check = null;
        checkInterval = Duration.ZERO;
        return stopping == null ? CompletableFuture.completedFuture(null) : stopping.stop();
    }

    RelayStats.OfTarget stats() {
        return new RelayStats.OfTarget(name, connected.sum(), failed.sum(), active.sum(), standing.up());
    }
}
