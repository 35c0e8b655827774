package dev.sluice.relay;

import dev.sluice.internal.fd.Descriptor;
import dev.sluice.internal.fd.Descriptors;
import dev.sluice.internal.linux.Sockets;
import dev.sluice.io.Endpoint;
import dev.sluice.loop.EventLoop;
import dev.sluice.net.StreamListener;
import dev.sluice.relay.SessionRecord.End;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Forwards each connection to one of its targets, bytes both ways through the kernel, until both sides have ended.
 *
 * <pre>{@code
 * try (Relay relay = Relay.start(Endpoint.parse(":8080"), List.of(Endpoint.parse("db:5432")), RelayOptions.DEFAULT)) {
 *     ...
 *     relay.drain(Duration.ofSeconds(30));
 * }
 * }</pre>
 *
 * <p>The targets take turns; one that can't be reached is passed over for the next. The end of one direction is passed on
 * while the other goes on. A reset is passed on too, once everything before it has been delivered; so is any other
 * failure, because a side that was given less than the whole stream must not take it for complete.
 *
 * <p>A few threads, each with an {@link EventLoop}, share the connections evenly; a connection stays on its loop. An idle
 * one costs two descriptors and about a kilobyte. Safe for use by many threads.
 */
public final class Relay implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(Relay.class.getName());

    /** How long sessions that were cut off may take to be gone: they only have to notice. */
    private static final long CUT_NANOS = TimeUnit.SECONDS.toNanos(5);

    private static final AtomicInteger NUMBER = new AtomicInteger();

    private final RelayOptions options;
    private final StreamListener listener;
    private final List<Target> targets;
    private final Capacity capacity;
    private final EventLoop[] loops;
    private final AtomicInteger[] load;
    private final Acceptor acceptor;
    private final Counters counters = new Counters();
    private final Records records;

    private final Set<Session> sessions = ConcurrentHashMap.newKeySet();
    private final AtomicInteger alive = new AtomicInteger();
    private final AtomicInteger turn = new AtomicInteger();
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition none = lock.newCondition();

    private volatile Acceptor paused;
    private volatile boolean closed;

    private Relay(StreamListener listener, List<Endpoint> targets, RelayOptions options) throws IOException {
        this.options = options;
        this.listener = listener;
        this.targets = targets.stream().map(Target::new).toList();
        this.capacity = Capacity.of(options.maxConnections());
        this.records = options.onEnd()
                .map(consumer -> new Records(consumer, this::roomAgain))
                .orElse(null);
        int threads =
                options.threads() > 0 ? options.threads() : Runtime.getRuntime().availableProcessors();
        this.loops = new EventLoop[threads];
        this.load = new AtomicInteger[threads];
        int number = NUMBER.incrementAndGet();
        try {
            for (int i = 0; i < threads; i++) {
                loops[i] = EventLoop.open("sluice-relay-" + number + "-" + i);
                load[i] = new AtomicInteger();
            }
            tuneListener(Descriptors.source(listener).fd());
            this.acceptor = new Acceptor(this, loops[0], listener);
        } catch (IOException | RuntimeException e) {
            closeLoops();
            throw e;
        }
    }

    /**
     * Listens, and accepts from now on. The targets are not contacted before a client comes.
     *
     * @param listen port 0 lets the kernel choose a free one, see {@link #endpoint()}
     * @param targets at least one; names are looked up when they are needed, and again from time to time
     * @throws dev.sluice.io.SluiceException with the errno of bind(2) or listen(2)
     * @throws UnsupportedOperationException if this is not Linux, or native access is denied
     */
    public static Relay start(Endpoint listen, List<Endpoint> targets, RelayOptions options) throws IOException {
        if (targets.isEmpty()) {
            throw new IllegalArgumentException("a relay needs at least one target");
        }
        for (Endpoint target : targets) {
            if (target instanceof Endpoint.Inherited) {
                throw new IllegalArgumentException(target + " can't be a target: it is one connection, not an address");
            }
        }
        Objects.requireNonNull(options, "options");
        StreamListener listener = StreamListener.listen(listen);
        try {
            Relay relay = new Relay(listener, targets, options);
            relay.acceptor.start();
            return relay;
        } catch (IOException | RuntimeException e) {
            listener.close();
            throw e;
        }
    }

    RelayOptions options() {
        return options;
    }

    /** What every accepted TCP socket inherits. */
    private void tuneListener(int fd) {
        if (listener.endpoint() instanceof Endpoint.Tcp) {
            tune(fd);
        }
    }

    /** Small messages leave at once, a peer that is gone is noticed, and a socket that nobody closes is reset. */
    void tune(int fd) {
        Sockets.lingerZero(fd);
        Sockets.setOption(fd, Sockets.IPPROTO_TCP, Sockets.TCP_NODELAY, 1);
        int seconds = (int) Math.min(32767, Math.ceilDiv(options.keepAlive().toMillis(), 1000));
        if (seconds > 0) {
            Sockets.setOption(fd, Sockets.SOL_SOCKET, Sockets.SO_KEEPALIVE, 1);
            Sockets.setOption(fd, Sockets.IPPROTO_TCP, Sockets.TCP_KEEPIDLE, seconds);
            Sockets.setOption(fd, Sockets.IPPROTO_TCP, Sockets.TCP_KEEPINTVL, Math.max(1, seconds / 4));
        }
        long millis = options.userTimeout().toMillis();
        if (millis > 0) {
            Sockets.setOption(
                    fd, Sockets.IPPROTO_TCP, Sockets.TCP_USER_TIMEOUT, (int) Math.min(Integer.MAX_VALUE, millis));
        }
    }

    /** Whether one more connection can be served; if not, the acceptor is told when it can. */
    boolean hasRoom(Acceptor asking) {
        if (roomNow()) {
            return true;
        }
        paused = asking;
        if (alive.get() >= capacity.connections()) {
            capacity.warn(LOG);
        }
        // What made room meanwhile saw nobody waiting.
        return roomNow();
    }

    private boolean roomNow() {
        return alive.get() < capacity.connections() && (records == null || !records.full());
    }

    /** On the loop of the acceptor. */
    void accepted(int fd, Endpoint at) {
        counters.accepted();
        alive.incrementAndGet();
        int chosen = 0;
        for (int i = 1; i < loops.length; i++) {
            if (load[i].get() < load[chosen].get()) {
                chosen = i;
            }
        }
        load[chosen].incrementAndGet();
        Endpoint peer = Sockets.remoteAddress(fd);
        boolean unnamed = peer == null || peer.equals(new Endpoint.Unix(""));
        Endpoint name = unnamed ? at : peer;
        Descriptor client = new Descriptor(fd, Descriptor.Kind.SOCKET, name.toString());
        Session session = new Session(this, loops[chosen], at, client, name);
        sessions.add(session);
        if (closed) {
            loops[chosen].execute(() -> session.cut(End.DRAIN));
        }
        if (loops[chosen].inLoop()) {
            session.start();
        } else {
            loops[chosen].execute(session::start);
        }
    }

    /** On the session's loop: it is over, both its sockets are closed. */
    void ended(Session session, SessionRecord record) {
        counters.ended(record);
        if (records != null) {
            records.add(record);
        }
        sessions.remove(session);
        for (int i = 0; i < loops.length; i++) {
            if (loops[i] == session.loop()) {
                load[i].decrementAndGet();
            }
        }
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

    private void roomAgain() {
        Acceptor waiting = paused;
        if (waiting != null && roomNow()) {
            paused = null;
            waiting.resume();
        }
    }

    /** The targets in the order in which a new connection tries them. */
    Iterator<Target> targetsInTurn() {
        if (targets.size() == 1) {
            return targets.iterator();
        }
        List<Target> inTurn = new ArrayList<>(targets);
        Collections.rotate(inTurn, -Math.floorMod(turn.getAndIncrement(), inTurn.size()));
        return inTurn.iterator();
    }

    /** For a connection that has not come to try one. */
    Endpoint anyTarget() {
        return targets.getFirst().name();
    }

    /** The address that connections are accepted on, with the port that the kernel chose. */
    public Endpoint endpoint() {
        return listener.endpoint();
    }

    /** How many connections are alive. */
    public int sessions() {
        return alive.get();
    }

    /** The connections that are alive, in no order; each line is right in itself. */
    public Collection<LiveSession> live() {
        return sessions.stream().map(Session::live).toList();
    }

    /** The counters. */
    public RelayStats stats() {
        return counters.stats(alive.get(), targets);
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
        if (!closed) {
            acceptor.stop().join();
        }
        long within = Math.clamp(spread.toNanos(), 0, timeout.toNanos());
        int cut = 0;
        if (!awaitNone(timeout.toNanos() - within)) {
            cut = cutWithin(within);
            awaitNone(within + CUT_NANOS);
        }
        if (records != null) {
            records.await();
        }
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
        AtomicInteger cut = new AtomicInteger();
        for (Session session : sessions) {
            cut.incrementAndGet();
            long delay = nanos == 0 ? 0 : ThreadLocalRandom.current().nextLong(nanos);
            if (delay == 0) {
                session.loop().execute(() -> session.cut(End.DRAIN));
            } else {
                session.loop().schedule(delay, () -> session.cut(End.DRAIN));
            }
        }
        return cut.get();
    }

    /** Stops listening and cuts off all connections; waits until they are gone, which takes a moment. */
    @Override
    public void close() {
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
        }
        acceptor.stop().join();
        cutWithin(0);
        boolean interrupted = false;
        try {
            awaitNone(CUT_NANOS);
        } catch (InterruptedException e) {
            interrupted = true;
        }
        closeLoops();
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private void closeLoops() {
        for (EventLoop loop : loops) {
            if (loop != null) {
                loop.close();
            }
        }
    }
}
