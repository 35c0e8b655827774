package dev.sluice.relay;

import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;

/** The connections that are alive, each on a virtual thread of its own. */
final class Sessions {
    private static final System.Logger LOG = System.getLogger(Sessions.class.getName());

    private final Consumer<SessionRecord> onEnd;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private final Map<Thread, Session> alive = new HashMap<>();

    Sessions(Consumer<SessionRecord> onEnd) {
        this.onEnd = onEnd;
    }

    void start(Session session) {
        Thread thread = Thread.ofVirtual().name("sluice-session").unstarted(() -> run(session));
        lock.lock();
        try {
            alive.put(thread, session);
        } finally {
            lock.unlock();
        }
        thread.start();
    }

    private void run(Session session) {
        try {
            SessionRecord record = session.forward();
            // A cut must not spoil what the consumer does with the record.
            Thread.interrupted();
            onEnd.accept(record);
        } catch (RuntimeException e) {
            LOG.log(System.Logger.Level.ERROR, "the consumer of session records failed", e);
        } finally {
            ended();
        }
    }

    private void ended() {
        lock.lock();
        try {
            alive.remove(Thread.currentThread());
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    int count() {
        lock.lock();
        try {
            return alive.size();
        } finally {
            lock.unlock();
        }
    }

    /** Waits until no session is left; false if the time is up before. */
    boolean awaitNone(long nanos) throws InterruptedException {
        long deadline = System.nanoTime() + nanos;
        lock.lock();
        try {
            while (!alive.isEmpty()) {
                long left = deadline - System.nanoTime();
                if (left <= 0) {
                    return false;
                }
                changed.await(left, TimeUnit.NANOSECONDS);
            }
            return true;
        } finally {
            lock.unlock();
        }
    }

    /** Cuts off all sessions, and says how many. */
    int cut() {
        lock.lock();
        try {
            alive.forEach((thread, session) -> {
                session.cut();
                thread.interrupt();
            });
            return alive.size();
        } finally {
            lock.unlock();
        }
    }
}
