package dev.sluice.ring;

import dev.sluice.internal.fd.Descriptor;
import dev.sluice.internal.linux.Errno;
import dev.sluice.internal.linux.Files;
import dev.sluice.internal.linux.Sockets;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.SocketTimeoutException;
import java.nio.channels.AsynchronousCloseException;
import java.util.ArrayDeque;
import java.util.concurrent.locks.LockSupport;

/**
 * The multishot accept of a listening socket: one request for all connections, armed when somebody first waits, and again after
 * it has ended. Connections that came with nobody waiting are kept; when there are {@link #MANY}, the rest stays in the
 * kernel's backlog until they have been taken.
 */
final class Acceptor implements Descriptor.Watcher {
    private static final int MANY = 64;

    private final SharedRing ring;
    private final Descriptor descriptor;
    private final ArrayDeque<Integer> results = new ArrayDeque<>();
    private Request armed;
    private boolean holding;
    private volatile Thread waiting;

    Acceptor(SharedRing ring, Descriptor descriptor) {
        this.ring = ring;
        this.descriptor = descriptor;
    }

    int next(RingStream stream, long deadline) throws IOException {
        descriptor.claimReading(Thread.currentThread());
        waiting = Thread.currentThread();
        try {
            while (true) {
                Integer result = take();
                if (result != null) {
                    if (result >= 0) {
                        return result;
                    }
                    boolean again = result == -Errno.ECONNABORTED || result == -Errno.ECANCELED;
                    if (!again || ring.thread().closed()) {
                        throw stream.failure("accept", result);
                    }
                } else if (!descriptor.isOpen()) {
                    throw new AsynchronousCloseException();
                } else {
                    arm();
                    park(deadline);
                }
            }
        } finally {
            waiting = null;
            descriptor.unclaimReading();
        }
    }

    private synchronized Integer take() {
        return results.poll();
    }

    private void park(long deadline) throws IOException {
        if (Thread.currentThread().isInterrupted()) {
            throw new InterruptedIOException(descriptor.name() + ": interrupted while waiting");
        }
        long left = deadline == Long.MAX_VALUE ? Long.MAX_VALUE : deadline - System.nanoTime();
        if (left <= 0) {
            throw new SocketTimeoutException(descriptor.name() + ": timed out");
        }
        synchronized (this) {
            if (!results.isEmpty()) {
                return;
            }
        }
        if (left == Long.MAX_VALUE) {
            LockSupport.park(this);
        } else {
            LockSupport.parkNanos(this, left);
        }
    }

    private synchronized void arm() throws AsynchronousCloseException {
        if (armed != null || !results.isEmpty()) {
            return;
        }
        // The request is a user of the descriptor: its number must not become another file's before it has ended.
        if (!descriptor.acquire()) {
            // Nobody is going to wake us: a close wakes only whom it finds.
            throw new AsynchronousCloseException();
        }
        holding = false;
        armed = new Accepting();
        ring.thread().submit(armed);
        if (descriptor.watcher() == null) {
            // Last: if it has been closed meanwhile, there is a request to cancel.
            descriptor.watch(this);
        }
    }

    private final class Accepting extends Request {
        @Override
        void fill(Submission submission) {
            submission.acceptMultishot(descriptor.fd(), Sockets.SOCK_NONBLOCK | Sockets.SOCK_CLOEXEC);
        }

        @Override
        boolean completed(Completion completion) {
            boolean last = super.completed(completion);
            if (!last) {
                came(completion.result());
            }
            return last;
        }

        @Override
        void finished() {
            ended(result());
        }
    }

    private void came(int result) {
        boolean enough;
        synchronized (this) {
            results.add(result);
            enough = !holding && results.size() >= MANY;
            holding |= enough;
        }
        if (enough) {
            cancel();
        }
        LockSupport.unpark(waiting);
    }

    private void ended(int result) {
        synchronized (this) {
            results.add(result);
            // Before anybody is told: when a close returns, the socket is gone.
            descriptor.release();
            armed = null;
            notifyAll();
        }
        LockSupport.unpark(waiting);
    }

    /** Till then the kernel listens, and accepts, whatever has been closed. */
    synchronized void awaitEnd() {
        boolean interrupted = false;
        while (armed != null) {
            try {
                wait();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private void cancel() {
        Request target;
        synchronized (this) {
            target = armed;
        }
        if (target != null) {
            ring.thread().submit(new RingThread.Cancel(target));
        }
    }

    @Override
    public void closing() {
        cancel();
        LockSupport.unpark(waiting);
    }

    /** Connections that nobody took are reset, like those in the backlog. */
    @Override
    public void freeing() {
        Integer left;
        while ((left = take()) != null) {
            if (left >= 0) {
                Sockets.lingerZero(left);
                Files.close(left);
            }
        }
    }
}
