package dev.sluice.send;

import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;

/** How many bytes a sender may have in flight, and who waits until it has fewer. */
final class Allowance {
    private final long most;
    private final AtomicLong inFlight = new AtomicLong();

    Allowance(long most) {
        this.most = most;
    }

    /** Whether so many more may fly: always if nothing does. */
    boolean allows(int bytes) {
        long now = inFlight.get();
        return now == 0 || now <= most - bytes;
    }

    /**
     * Parks until so many more may fly.
     *
     * @return false if the sender was closed first
     * @throws TimeoutException if the deadline passed first
     */
    synchronized boolean await(int bytes, long deadline, BooleanSupplier open)
            throws InterruptedException, TimeoutException {
        while (!allows(bytes)) {
            if (!open.getAsBoolean()) {
                return false;
            }
            long left = deadline == Long.MAX_VALUE ? Long.MAX_VALUE : deadline - System.nanoTime();
            if (left <= 0) {
                throw new TimeoutException(inFlight + " bytes in flight");
            }
            wait(left / 1_000_000 + 1);
        }
        return true;
    }

    void take(int bytes) {
        inFlight.addAndGet(bytes);
    }

    void giveBack(int bytes) {
        inFlight.addAndGet(-bytes);
        if (most != Long.MAX_VALUE) {
            lookAgain();
        }
    }

    /** To whoever waits: something has changed. */
    synchronized void lookAgain() {
        notifyAll();
    }

    long inFlight() {
        return inFlight.get();
    }
}
