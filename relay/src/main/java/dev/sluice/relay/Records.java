package dev.sluice.relay;

import java.util.Optional;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;

/** Hands session records to their consumer, who may block, while the loops must not. */
final class Records implements Runnable {
    private static final System.Logger LOG = System.getLogger(Records.class.getName());

    /** So many records may wait before nobody is accepted any more. */
    private static final int FULL = 10_000;

    private volatile Optional<Consumer<SessionRecord>> consumer;
    private final ConcurrentLinkedQueue<SessionRecord> queue = new ConcurrentLinkedQueue<>();
    private final AtomicInteger waiting = new AtomicInteger();

    private final Runnable onRoom;

    /** @param onRoom run when there is room again, by the thread that consumes */
    Records(Optional<Consumer<SessionRecord>> consumer, Runnable onRoom) {
        this.consumer = consumer;
        this.onRoom = onRoom;
    }

    /** From now on to somebody else, or to nobody. */
    void to(Optional<Consumer<SessionRecord>> other) {
        consumer = other;
    }

    void add(SessionRecord record) {
        if (consumer.isEmpty()) {
            return;
        }
        queue.add(record);
        if (waiting.getAndIncrement() == 0) {
            Thread.ofVirtual().name("sluice-records").start(this);
        }
    }

    boolean full() {
        return waiting.get() >= FULL;
    }

    /** Until none is left; whoever adds the next starts another run. */
    @Override
    public void run() {
        int left;
        do {
            try {
                SessionRecord record = queue.poll();
                consumer.ifPresent(to -> to.accept(record));
            } catch (RuntimeException e) {
                LOG.log(System.Logger.Level.ERROR, "the consumer of session records failed", e);
            }
            left = waiting.decrementAndGet();
            if (left == FULL - 1) {
                onRoom.run();
            }
        } while (left > 0);
        synchronized (this) {
            notifyAll();
        }
    }

    /** Waits until every record so far has been consumed. */
    synchronized void await() throws InterruptedException {
        while (waiting.get() > 0) {
            wait(50);
        }
    }
}
