package dev.sluice.relay;

import dev.sluice.io.Endpoint;
import dev.sluice.loop.Rate;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.LongAdder;

/**
 * Who comes into a service, and who waits: a place in the service and one at a target are given together, first come first
 * served. It outlives the configurations of its service. Any thread may call.
 */
final class Entrance {
    /** What a session hears that asks to be let in. */
    enum Answer {
        /** It has its place, and {@link Upstreams.Order#chosen}: the target to try, or null if none is left. */
        ENTER,
        /** It will be told by {@link Session#admitted}, unless it goes away before. */
        WAIT,
        /** There are too many. */
        FULL
    }

    private Limits limits = Limits.NONE;
    private ConnectionRate rate;
    private ClientRates clients;
    private Rate bytesToTarget;
    private Rate bytesToClient;

    private int taken;
    private final Set<Session> waiting = new LinkedHashSet<>();

    /** The size of the set for those who have no lock. Counted up before a last look at what is free. */
    private volatile int waitingCount;

    private final LongAdder refused = new LongAdder();
    private final LongAdder toTarget = new LongAdder();
    private final LongAdder toClient = new LongAdder();

    /** From now on, also for those who wait; then {@link #admit} is due. */
    synchronized void serve(Serving serving) {
        limit(serving.service().limits());
        waiting.forEach(session -> session.follow(serving));
    }

    private void limit(Limits next) {
        if (next.connectionRate() != limits.connectionRate()) {
            rate = next.connectionRate() == 0 ? null : new ConnectionRate(next.connectionRate(), System.nanoTime());
        }
        if (next.clientRate() != limits.clientRate()) {
            clients = next.clientRate() == 0 ? null : new ClientRates(next.clientRate());
        }
        if (next.serviceByteRate() != limits.serviceByteRate()) {
            bytesToTarget = next.serviceByteRate() == 0 ? null : new Rate(next.serviceByteRate());
            bytesToClient = next.serviceByteRate() == 0 ? null : new Rate(next.serviceByteRate());
        }
        limits = next;
    }

    /** Until the next connection may be accepted; 0 if it may now. */
    synchronized long nanosUntilAccept() {
        return rate == null ? 0 : rate.nanosUntilNext(System.nanoTime());
    }

    synchronized void accepted() {
        if (rate != null) {
            rate.take();
        }
    }

    /** Whether the client, by who it is, may come in. */
    synchronized boolean admits(Endpoint client) {
        return clients == null || clients.admits(client, System.nanoTime());
    }

    /** For one connection; null for no limit. */
    synchronized Rate rateToTarget() {
        return rate(bytesToTarget);
    }

    /** For one connection; null for no limit. */
    synchronized Rate rateToClient() {
        return rate(bytesToClient);
    }

    private Rate rate(Rate ofService) {
        return limits.byteRate() == 0 ? ofService : new Rate(limits.byteRate(), ofService);
    }

    /** By the session's loop: lets it in, for the first time or to the next target, or has it wait. */
    synchronized Answer ask(Session session) {
        if (waiting.isEmpty() && enter(session)) {
            return Answer.ENTER;
        }
        if (waiting.size() >= limits.queueLength()) {
            return Answer.FULL;
        }
        waiting.add(session);
        waitingCount = waiting.size();
        // Whoever made room a moment ago may have seen nobody waiting.
        if (waiting.size() == 1 && enter(session)) {
            forget(session);
            return Answer.ENTER;
        }
        return Answer.WAIT;
    }

    private boolean enter(Session session) {
        if (noPlace(session) || !session.order().next()) {
            return false;
        }
        if (!session.placed) {
            session.placed = true;
            taken++;
        }
        return true;
    }

    private boolean noPlace(Session session) {
        return !session.placed && limits.maxConnections() > 0 && taken >= limits.maxConnections();
    }

    private void forget(Session session) {
        waiting.remove(session);
        waitingCount = waiting.size();
    }

    /** There may be room: lets in who can come in. */
    void admit() {
        if (waitingCount > 0) {
            admitted().forEach(session -> session.loop().execute(session::admitted));
        }
    }

    private synchronized List<Session> admitted() {
        List<Session> admitted = new ArrayList<>();
        Set<Upstreams> full = new HashSet<>();
        Iterator<Session> inOrder = waiting.iterator();
        while (inOrder.hasNext()) {
            Session session = inOrder.next();
            if (!noPlace(session) && !full.contains(session.order().group())) {
                if (enter(session)) {
                    inOrder.remove();
                    admitted.add(session);
                } else {
                    full.add(session.order().group());
                }
            }
        }
        waitingCount = waiting.size();
        return admitted;
    }

    /** The session waits no more; false if it does not, as it is about to be {@link Session#admitted}. */
    synchronized boolean giveUp(Session session) {
        boolean waited = waiting.contains(session);
        forget(session);
        return waited;
    }

    /** The session is over. */
    void ended(Session session, SessionRecord record) {
        toTarget.add(record.toTarget().bytes());
        toClient.add(record.toClient().bytes());
        leave(session);
    }

    /** Its place is free. */
    void leave(Session session) {
        synchronized (this) {
            forget(session);
            if (session.placed) {
                session.placed = false;
                taken--;
            }
        }
        admit();
    }

    void refused() {
        refused.increment();
    }

    synchronized Limits limits() {
        return limits;
    }

    RelayStats.OfService stats(String name) {
        synchronized (this) {
            return new RelayStats.OfService(name, taken, waiting.size(), refused.sum(), toTarget.sum(), toClient.sum());
        }
    }
}
