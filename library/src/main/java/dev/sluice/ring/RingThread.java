package dev.sluice.ring;

import dev.sluice.internal.fd.Descriptor;
import dev.sluice.internal.linux.Errno;
import dev.sluice.internal.linux.Files;
import dev.sluice.internal.linux.Polling;
import dev.sluice.internal.linux.Sleeper;
import dev.sluice.io.SluiceException;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.System.Logger.Level;
import java.net.SocketTimeoutException;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.locks.LockSupport;

/**
 * The platform thread that owns the ring of a {@link SharedRing} and makes all its system calls. It takes requests out of the
 * queue, many at a time while others keep coming, waits in the kernel, and wakes the threads whose requests are over.
 */
final class RingThread {
    private static final System.Logger LOG = System.getLogger("dev.sluice.ring");
    private static final long PATIENCE_MILLIS = 1000;

    /** Ids of entries that are nobody's request; those of requests are never negative. */
    private static final long WAKE_UP = -1;

    private static final long NOBODY = -2;

    /** How often in a row io_uring_enter may fail for good, with ever longer pauses, before the ring is given up. */
    private static final int MAX_FAILURES = 50;

    /** Requests that the kernel never gave back: what they refer to is never freed. */
    private static final List<Request> QUARANTINE = new CopyOnWriteArrayList<>();

    private final long holdUpNanos;
    private final int wakeUp;
    private final RequestQueue queue = new RequestQueue();
    private final Thread thread;
    private final Sleeper sleeper = new Sleeper();
    private volatile boolean closing;
    private volatile boolean ended;
    private volatile Throwable failure;
    /** Written by the thread alone. */
    private volatile long enters;

    private Ring ring;
    private Slots slots;
    private boolean cancelled;
    private boolean listening;

    /** Null while there is none. */
    private volatile Guest guest;

    private int failures;
    private final Ring.Handler handler = this::completed;

    private RingThread(long holdUpNanos, int wakeUp) {
        this.holdUpNanos = holdUpNanos;
        this.wakeUp = wakeUp;
        this.thread = Thread.currentThread();
    }

    /** Another ring, which others submit to; it wakes this thread when there is something to take in. */
    interface Guest {
        /** Takes it in. */
        void look();

        /** Whether something is still to come, for which the thread stays. */
        boolean busy();

        /** Nobody will look any more. */
        void end();
    }

    /** What happens on the thread before everything else. */
    interface Opening {
        void opened(Ring ring) throws IOException;
    }

    static RingThread start(int entries, long holdUpNanos, Opening opening) throws IOException {
        int wakeUp = Polling.eventFd();
        if (wakeUp < 0) {
            throw Descriptor.failure("eventfd", "ring", wakeUp);
        }
        CompletableFuture<RingThread> started = new CompletableFuture<>();
        Thread.ofPlatform().daemon().name("sluice-ring").start(() -> {
            RingThread own = new RingThread(holdUpNanos, wakeUp);
            try {
                own.ring = new RingSetup().entries(entries).open();
                own.slots = new Slots();
                opening.opened(own.ring);
            } catch (Throwable t) {
                if (own.ring != null) {
                    own.ring.close();
                }
                Files.close(wakeUp);
                started.completeExceptionally(t);
                return;
            }
            started.complete(own);
            own.run();
        });
        return await(started);
    }

    private static RingThread await(CompletableFuture<RingThread> started) throws IOException {
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    return started.get();
                } catch (InterruptedException e) {
                    interrupted = true;
                } catch (ExecutionException e) {
                    throw e.getCause() instanceof IOException io ? io : new IOException(e.getCause());
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** How often the thread has entered the kernel: how well requests are batched. */
    long enters() {
        return enters;
    }

    /** Queues the request. Its last completion is what ends it, or −ECANCELED once the ring is closed. */
    void submit(Request request) {
        queue.add(request);
        if (ended) {
            refuseRest();
        } else {
            wake();
        }
    }

    private void wake() {
        if (sleeper.mustBeWoken()) {
            signal();
        }
    }

    /** Once the thread has ended, the number may be somebody else's. */
    private synchronized void signal() {
        if (!ended) {
            Polling.signal(wakeUp);
        }
    }

    /** Has the completions of the other ring wake this thread; false if it has no time for that any more. */
    synchronized boolean attend(Ring other, Guest newcomer) throws IOException {
        if (closing || ended) {
            return false;
        }
        other.registry().eventFd(wakeUp);
        guest = newcomer;
        return true;
    }

    /** Whether the caller is the ring's own thread, which can't wait for the ring. */
    boolean isCurrent() {
        return Thread.currentThread() == thread;
    }

    /**
     * Waits until a submitted request is over, and cancels it on an interrupt or at the deadline; it does not return before
     * the kernel has let go of the request's memory.
     *
     * @return the result or −errno
     */
    int await(Request request, long deadline) throws IOException {
        if (isCurrent()) {
            throw new IllegalStateException("the ring's own thread can't wait for the ring");
        }
        boolean interrupted = false;
        boolean late = false;
        while (!request.done()) {
            boolean asked = interrupted || late;
            if (deadline == Long.MAX_VALUE || asked) {
                LockSupport.park(this);
            } else {
                long left = deadline - System.nanoTime();
                if (left <= 0) {
                    late = true;
                } else {
                    LockSupport.parkNanos(this, left);
                }
            }
            interrupted |= Thread.interrupted();
            if (!asked && (interrupted || late)) {
                submit(new Cancel(request));
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        int result = request.result();
        if (result == -Errno.ECANCELED || result == -Errno.EINTR) {
            if (interrupted) {
                throw new InterruptedIOException("interrupted while waiting for the ring");
            }
            if (late) {
                throw new SocketTimeoutException("the time is over");
            }
        }
        return result;
    }

    /** Asks for another request to end. */
    static final class Cancel extends Request {
        private final Request target;

        Cancel(Request target) {
            this.target = target;
        }

        @Override
        void fill(Submission submission) {
            throw new AssertionError("made by the thread itself");
        }
    }

    private void run() {
        try {
            while (!closing || unfinished() || !queue.isEmpty()) {
                step();
            }
        } catch (Throwable t) {
            giveUp(t);
        } finally {
            end();
        }
    }

    private boolean unfinished() {
        return slots.live() > 0 || guest != null && guest.busy();
    }

    private void step() throws IOException {
        if (!listening && ring.room() > 0) {
            ring.next().pollMultishot(wakeUp, Polling.EPOLLIN | Polling.EPOLLET).id(WAKE_UP);
            listening = true;
        }
        if (closing && !cancelled && ring.room() > 0) {
            ring.next().cancelAll().id(NOBODY);
            cancelled = true;
        }
        boolean more = take();
        if (holdUpNanos > 0 && !more && ring.queued() > 0 && !closing) {
            hold();
            more = take();
        }
        try {
            enter(!more && maySleep());
            ring.reap(handler);
            failures = 0;
        } catch (SluiceException e) {
            // Nothing is lost by that: what the kernel did not take is still queued, what it has will complete.
            if (++failures > MAX_FAILURES) {
                throw e;
            }
            LockSupport.parkNanos(this, 1_000_000L * failures);
        }
    }

    /** Waits for others to come before what is queued is handed over; completions wait, too. */
    private void hold() {
        long end = System.nanoTime() + holdUpNanos;
        long left;
        while (ring.room() > 0 && !closing && (left = end - System.nanoTime()) > 0) {
            LockSupport.parkNanos(this, left);
            take();
        }
    }

    /** Moves requests from the queue to the ring; whether some are left for want of room. */
    private boolean take() {
        while (ring.room() > 0 && !slots.full()) {
            Request request = queue.poll();
            if (request == null) {
                return false;
            }
            start(request);
        }
        return true;
    }

    private void start(Request request) {
        if (request instanceof Cancel cancel) {
            // The target is in the kernel, or over; or, if a close was quick, not yet queued.
            if (cancel.target.slot >= 0) {
                ring.next().cancel(slots.id(cancel.target)).id(NOBODY);
            } else {
                cancel.target.dropped = true;
            }
            return;
        }
        if (closing || request.dropped) {
            request.finish(-Errno.ECANCELED);
            return;
        }
        Submission entry = ring.next();
        try {
            request.fill(entry);
            entry.alone();
            entry.id(slots.put(request));
        } catch (Throwable t) {
            // The entry is taken already: it does nothing, for nobody.
            entry.clear();
            entry.nop().id(NOBODY);
            request.finish(t);
        }
    }

    private boolean maySleep() {
        sleeper.aboutToSleep();
        // What was queued before we were seen asleep rang no bell.
        return queue.isEmpty() && !closing;
    }

    private void enter(boolean sleep) throws IOException {
        int queued = ring.queued();
        boolean wait = sleep || slots.full() || closing && unfinished();
        if (queued > 0 || wait) {
            enters = enters + 1;
            try {
                int taken = ring.submitAndWait(wait ? 1 : 0);
                if (taken == 0 && queued > 0 && ring.peek() == null) {
                    // The kernel is short of memory: asking again at once would be spinning.
                    LockSupport.parkNanos(this, 1_000_000);
                }
            } finally {
                sleeper.awake();
            }
        } else {
            sleeper.awake();
        }
    }

    private void completed(Completion completion) {
        long id = completion.id();
        if (id == WAKE_UP) {
            listening = completion.more();
            if (guest != null) {
                guest.look();
            }
            return;
        }
        Request request = id == NOBODY ? null : slots.get(id);
        if (request != null && request.completed(completion)) {
            slots.remove(request);
            request.finish();
        }
    }

    /** The kernel serves us no more. What it holds is kept for good; those who wait are told. */
    private void giveUp(Throwable t) {
        failure = t;
        closing = true;
        LOG.log(Level.ERROR, "the shared ring has failed", t);
        for (Request request : slots.drain()) {
            QUARANTINE.add(request);
            request.finish(-Errno.EIO);
        }
    }

    private void end() {
        synchronized (this) {
            ended = true;
            Files.close(wakeUp);
        }
        refuseRest();
        if (guest != null) {
            guest.end();
        }
        ring.close();
    }

    private void refuseRest() {
        while (true) {
            Request request;
            synchronized (this) {
                if (queue.isEmpty()) {
                    return;
                }
                request = queue.poll();
            }
            // Not under the lock: whoever is told may hold one, and submit.
            if (request != null) {
                request.finish(-Errno.ECANCELED);
            }
        }
    }

    boolean closed() {
        return closing;
    }

    /** For the thread itself. */
    Ring ring() {
        return ring;
    }

    /** Why it has ended, if nobody wanted that; or null. */
    Throwable failure() {
        return failure;
    }

    /**
     * Cancels what is in flight. Returns when the thread has ended, or after a second: it ends when the last completion has
     * come, and till then nobody who waits returns.
     */
    void close() {
        closing = true;
        signal();
        try {
            thread.join(PATIENCE_MILLIS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
