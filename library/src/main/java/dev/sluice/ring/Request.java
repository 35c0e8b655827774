package dev.sluice.ring;

import java.util.concurrent.locks.LockSupport;

/**
 * One operation on its way through the shared ring, and the only object that it costs: a link of the queue, the slot's
 * content, and what its thread waits for. Used once.
 */
abstract class Request {
    /** Of the queue: set by whoever comes next. */
    volatile Request next;

    /** Of the ring's thread: where it is known by, or −1 while the kernel does not have it. */
    int slot = -1;

    /** Of the ring's thread: cancelled before it was started. */
    boolean dropped;

    private final Thread waiter = Thread.currentThread();
    private int result;
    private Throwable failure;
    private volatile boolean done;

    /** Makes the entry; on the ring's thread. What it throws ends the request. */
    abstract void fill(Submission submission);

    /** The same by ordinary calls, on a thread that may block: the result or −errno. */
    int ordinary() {
        throw new UnsupportedOperationException();
    }

    /** Takes a completion, and says whether it was the last one; on the ring's thread. */
    boolean completed(Completion completion) {
        if (!completion.notification()) {
            result = completion.result();
        }
        return !completion.more();
    }

    /** The request is over: the kernel has let go of its buffer. */
    final void finish() {
        done = true;
        finished();
    }

    /** Told when it is over. */
    void finished() {
        wake();
    }

    /** Wakes who waits. */
    final void wake() {
        LockSupport.unpark(waiter);
    }

    final void finish(int outcome) {
        result = outcome;
        finish();
    }

    final void finish(Throwable t) {
        failure = t;
        finish();
    }

    /** Parks until it is over; an interrupt changes nothing. */
    final void awaitDone() {
        boolean interrupted = false;
        while (!done) {
            LockSupport.park(this);
            interrupted |= Thread.interrupted();
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    final boolean done() {
        return done;
    }

    /** The result, once it is done. */
    final int result() {
        switch (failure) {
            case null -> {
                return result;
            }
            case RuntimeException runtime -> throw runtime;
            case Error error -> throw error;
            default -> throw new AssertionError(failure);
        }
    }
}
