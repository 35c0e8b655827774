package dev.sluice.relay;

import dev.sluice.internal.fd.Descriptor;
import dev.sluice.internal.linux.Sockets;
import dev.sluice.io.Endpoint;
import dev.sluice.loop.EventLoop;
import dev.sluice.relay.SessionRecord.End;
import java.io.IOException;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Forwards each connection to one of its targets, bytes both ways through the kernel, until both sides have ended.
 *
 * <pre>{@code
 * Service db = Service.of("db", Endpoint.parse(":5432"), Endpoint.parse("db1:5432"), Endpoint.parse("db2:5432"));
 * try (Relay relay = Relay.start(RelayConfig.of(db))) {
 *     ...
 *     relay.drain(Duration.ofSeconds(30));
 * }
 * }</pre>
 *
 * <p>A target that can't be reached is passed over for the next. The end of one direction is passed on while the other goes
 * on. A reset is passed on too, once everything before it has been delivered; so is any other failure, because a side that
 * was given less than the whole stream must not take it for complete.
 *
 * <p>A few threads, each with an {@link EventLoop}, share the connections evenly; a connection stays on its loop. An idle
 * one costs two descriptors and about a kilobyte. Safe for use by many threads; several relays share nothing.
 */
public final class Relay implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(Relay.class.getName());

    /** How long sessions that were cut off may take to be gone: they only have to notice. */
    private static final long CUT_NANOS = TimeUnit.SECONDS.toNanos(5);

    /** A name server that is silent holds so many names up; the others have their old answers meanwhile. */
    private static final int LOOKUPS = 32;

    private final Loops loops;
    private final ThreadPoolExecutor lookups = lookupThreads();
    private final Capacity capacity;
    private final Counters counters = new Counters();
    private final Records records;

    private final Set<Session> sessions = ConcurrentHashMap.newKeySet();
    private final AtomicInteger alive = new AtomicInteger();
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition none = lock.newCondition();
    private final Set<Acceptor> paused = ConcurrentHashMap.newKeySet();

    private volatile Setup setup;
    private boolean draining;
    private volatile boolean closed;

    private Relay(RelayConfig config) throws IOException {
        this.capacity = new Capacity(config);
        this.records = new Records(config.onEnd(), this::roomAgain);
        this.loops = new Loops(config.threads());
    }

    /**
     * Listens, and accepts from now on. The targets are not contacted before a client comes.
     *
     * @throws dev.sluice.io.SluiceException with the errno of bind(2) or listen(2)
     * @throws UnsupportedOperationException if this is not Linux, or native access is denied
     */
    public static Relay start(RelayConfig config) throws IOException {
        Relay relay = new Relay(config);
        try {
            relay.setup = Setup.NONE.next(relay, config);
        } catch (IOException | RuntimeException e) {
            relay.loops.close();
            throw e;
        }
        relay.setup.serve(Setup.NONE, relay.accepting());
        return relay;
    }

    /**
     * Goes on with another configuration. What is the same in both is not touched: a listener whose address is in both keeps
     * its socket and who waits in its backlog, even if its service has changed; connections go on as they began, but for
     * those of removed targets that are to be cut off. New listeners are bound before old ones are closed; so an address
     * that contains another one, such as {@code :80} and {@code 127.0.0.1:80}, can't take its place in one step. Listeners
     * that are gone accept who has connected already.
     *
     * <p>Blocks for a moment, longer if a listener's name has to be looked up. If it fails, nothing has changed.
     *
     * @throws IOException if a new listener can't be bound, see {@link #start}
     * @throws IllegalArgumentException if it changes what can't be changed
     * @throws IllegalStateException if the relay has been drained or closed
     */
    public synchronized Changes apply(RelayConfig next) throws IOException {
        Objects.requireNonNull(next, "next");
        if (draining || closed) {
            throw new IllegalStateException("the relay is ending; it takes no other configuration");
        }
        Setup before = setup;
        if (next.threads() != before.config().threads()) {
            throw new IllegalArgumentException("the number of threads can't change while a relay runs: it has "
                    + before.config().threads() + ", not " + next.threads());
        }
        Setup after = before.next(this, next);
        capacity.want(next);
        records.to(next.onEnd());
        setup = after;
        after.serve(before, accepting());
        after.targetsGoneSince(before).forEach(Upstream::stopChecks);
        stop(after.closedSince(before));
        int cut = cutRemoved(after.closingSince(before));
        roomAgain();
        placeFree();
        return after.changesSince(before, cut);
    }

    /** Ends the sessions of these services that are with other targets than these. */
    private int cutRemoved(Map<String, Set<Endpoint>> left) {
        int cut = 0;
        for (Session session : left.isEmpty() ? Set.<Session>of() : sessions) {
            Set<Endpoint> targets = left.get(session.service());
            if (targets != null) {
                cut += session.isWithOtherThan(targets) ? 1 : 0;
                // Only its loop knows for sure.
                session.loop().execute(() -> session.cutIfWithOtherThan(targets));
            }
        }
        return cut;
    }

    private static void stop(Collection<Acceptor> acceptors) {
        CompletableFuture.allOf(acceptors.stream().map(Acceptor::stop).toArray(CompletableFuture[]::new))
                .join();
    }

    /** The configuration as it is now. */
    public RelayConfig config() {
        return setup.config();
    }

    /** Whether one more connection can be served; if not, the acceptor is told when it can. */
    boolean hasRoom(Acceptor asking) {
        if (roomNow()) {
            return true;
        }
        paused.add(asking);
        if (alive.get() >= capacity.connections()) {
            capacity.warn(LOG);
        }
        // What made room meanwhile saw nobody waiting.
        return roomNow();
    }

    private boolean roomNow() {
        return alive.get() < capacity.connections() && !records.full();
    }

    private static ThreadPoolExecutor lookupThreads() {
        // Not virtual ones: getaddrinfo(3) would pin their carriers.
        ThreadPoolExecutor threads = new ThreadPoolExecutor(
                LOOKUPS,
                LOOKUPS,
                1,
                TimeUnit.SECONDS,
                new LinkedBlockingQueue<>(),
                Thread.ofPlatform().daemon().name("sluice-lookup-", 0).factory());
        threads.allowCoreThreadTimeOut(true);
        return threads;
    }

    Executor lookups() {
        return lookups;
    }

    EventLoop accepting() {
        return loops.accepting();
    }

    /** On the loop that accepts. */
    void accepted(int fd, Acceptor acceptor) {
        counters.accepted();
        alive.incrementAndGet();
        EventLoop loop = loops.enter();
        Endpoint peer = Sockets.remoteAddress(fd);
        boolean unnamed = peer == null || peer.equals(new Endpoint.Unix(""));
        Endpoint name = unnamed ? acceptor.endpoint() : peer;
        Descriptor client = new Descriptor(fd, Descriptor.Kind.SOCKET, name.toString());
        Session session = new Session(this, acceptor, loop, client, name);
        sessions.add(session);
        if (closed) {
            loop.execute(() -> session.cut(End.DRAIN));
        }
        if (loop.inLoop()) {
            session.start();
        } else {
            loop.execute(session::start);
        }
    }

    /** On the session's loop: it is over, both its sockets are closed. */
    void ended(Session session, SessionRecord record) {
        // First, so that who reads the counters before the connections alive counts no byte twice.
        sessions.remove(session);
        counters.ended(record);
        session.acceptor().ended();
        session.entrance().ended(session, record);
        placeFree();
        records.add(record);
        loops.leave(session.loop());
        if (alive.decrementAndGet() == 0) {
            lock.lock();
            try {
                none.signalAll();
            } finally {
                lock.unlock();
            }
        }
        roomAgain();
    }

    /** There may be room at a target that several services share, or in a service. */
    void placeFree() {
        setup.services().values().forEach(serving -> serving.entrance().admit());
    }

    private void roomAgain() {
        if (!paused.isEmpty() && roomNow()) {
            for (Acceptor waiting : paused) {
                paused.remove(waiting);
                waiting.resume();
            }
        }
    }

    /** The addresses that connections are accepted on, with the ports that the kernel chose; as they are configured. */
    public List<Endpoint> endpoints() {
        return setup.acceptors().stream().map(Acceptor::endpoint).toList();
    }

    /** How many connections are alive. */
    public int sessions() {
        return alive.get();
    }

    /**
     * The connections that are alive, in no order; each line is right in itself. One that ends after {@link #stats} was
     * called, and before this, is in neither; none is in both.
     */
    public Collection<LiveSession> live() {
        return sessions.stream().map(Session::live).toList();
    }

    /** The counters. */
    public RelayStats stats() {
        return counters.stats(alive.get(), setup);
    }

    /** {@link #drain(Duration, Duration)} that cuts off all the rest at once. */
    public int drain(Duration timeout) throws InterruptedException {
        return drain(timeout, Duration.ZERO);
    }

    /**
     * Ends in good order: accepts who has connected already, stops listening, lets all connections finish for as long as
     * the timeout allows, then cuts off the rest. Those are reset, so that nobody takes a cut for the end of a stream.
     *
     * @param spread the last part of the timeout, over which the rest is cut off at random moments, so that not all clients
     *     come back at the same one; at most the timeout
     * @return how many connections were cut off
     * @throws InterruptedException if interrupted while waiting; connections go on then
     */
    public int drain(Duration timeout, Duration spread) throws InterruptedException {
        synchronized (this) {
            if (!closed) {
                draining = true;
                stop(setup.acceptors());
            }
        }
        long within = Math.clamp(spread.toNanos(), 0, timeout.toNanos());
        int cut = 0;
        if (!awaitNone(timeout.toNanos() - within)) {
            cut = cutWithin(within);
            awaitNone(within + CUT_NANOS);
        }
        records.await();
        return cut;
    }

    private boolean awaitNone(long nanos) throws InterruptedException {
        long left = nanos;
        lock.lock();
        try {
            while (alive.get() > 0) {
                if (left <= 0) {
                    return false;
                }
                left = none.awaitNanos(left);
            }
            return true;
        } finally {
            lock.unlock();
        }
    }

    private int cutWithin(long nanos) {
        int cut = 0;
        for (Session session : sessions) {
            cut++;
            long delay = nanos == 0 ? 0 : ThreadLocalRandom.current().nextLong(nanos);
            if (delay == 0) {
                session.loop().execute(() -> session.cut(End.DRAIN));
            } else {
                session.loop().schedule(delay, () -> session.cut(End.DRAIN));
            }
        }
        return cut;
    }

    /** Stops listening and cuts off all connections; waits until they are gone, which takes a moment. */
    @Override
    public void close() {
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
            stop(setup.acceptors());
            setup.targets().values().forEach(target -> target.stopChecks().join());
        }
        cutWithin(0);
        boolean interrupted = false;
        try {
            awaitNone(CUT_NANOS);
        } catch (InterruptedException e) {
            interrupted = true;
        }
        loops.close();
        lookups.shutdownNow();
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
