package dev.sluice.loop;

import dev.sluice.internal.fd.Descriptor;
import dev.sluice.internal.fd.Waiter;
import dev.sluice.internal.linux.Polling;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.net.SocketTimeoutException;
import java.nio.channels.AsynchronousCloseException;
import java.util.concurrent.locks.LockSupport;

/**
 * The readiness of one descriptor, edge-triggered, registered with one loop at a time for as long as it is open.
 *
 * <p>Each direction has a slot: empty, {@link #READY} when an edge came and nobody waited, or the one who waits. Who gets
 * EAGAIN {@linkplain #arm arms} the slot; finding READY there means that the edge came in between, and to try again. So
 * no edge is lost, whichever thread makes the call and whichever polls.
 */
@SuppressWarnings("exports") // Reaches other modules by qualified export only.
public final class Watch implements Descriptor.Watcher {
    public static final VarHandle READ = slot("reader");
    public static final VarHandle WRITE = slot("writer");

    /** Something may be in the error queue: completions of zero-copy sends, stamps. No error, for all that is known. */
    public static final VarHandle ERRORS = slot("errors");

    private static final Object READY = "READY";
    private static final int READABLE = Polling.EPOLLIN | Polling.EPOLLRDHUP | Polling.EPOLLHUP | Polling.EPOLLERR;
    private static final int HUNG_UP = Polling.EPOLLRDHUP | Polling.EPOLLHUP | Polling.EPOLLERR;
    private static final int WRITABLE = Polling.EPOLLOUT | Polling.EPOLLHUP | Polling.EPOLLERR;

    private volatile EventLoop loop;
    private final Descriptor descriptor;
    private int index;

    /** Whether an edge told of the end of the stream or of an error, which no later edge tells again. */
    private volatile boolean hungUp;

    /** Whether an edge told of urgent data. */
    private volatile boolean urgent;

    /** Whether an edge told of the end of the peer's stream, and not of a reset with it. */
    private volatile boolean ended;

    /** How often the reading direction was told of anything. Only ever written by whoever tells, and compared for change. */
    private volatile int tidings;

    @SuppressWarnings("unused")
    private volatile Object reader;

    @SuppressWarnings("unused")
    private volatile Object writer;

    @SuppressWarnings("unused")
    private volatile Object errors;

    private static VarHandle slot(String name) {
        try {
            return MethodHandles.lookup().findVarHandle(Watch.class, name, Object.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private Watch(EventLoop loop, Descriptor descriptor) {
        this.loop = loop;
        this.descriptor = descriptor;
    }

    /**
     * The descriptor's watch, on {@code preferred}, or on the loop that it is on already, or on the next of the shared loops.
     * The caller is a user of the descriptor.
     */
    public static Watch of(Descriptor descriptor, EventLoop preferred) throws IOException {
        Watch watch = (Watch) descriptor.watcher();
        if (watch != null) {
            watch.follow(preferred);
            return watch;
        }
        synchronized (descriptor) {
            watch = (Watch) descriptor.watcher();
            if (watch == null) {
                watch = new Watch(preferred != null ? preferred : EventLoop.shared(), descriptor);
                watch.index = watch.loop.register(descriptor, watch);
                descriptor.watch(watch);
            }
            return watch;
        }
    }

    /**
     * Moves to the loop that is going to step the pump: an edge that another thread sees costs a hand-over. The new loop
     * comes first, and reports what is ready already, so no edge is lost; one that the old loop still tells is spurious.
     */
    private void follow(EventLoop preferred) {
        if (preferred == null || preferred == loop) {
            return;
        }
        synchronized (descriptor) {
            EventLoop before = loop;
            if (preferred == before) {
                return;
            }
            int indexBefore = index;
            try {
                index = preferred.register(descriptor, this);
                loop = preferred;
            } catch (IOException e) {
                // It is watched as before, only at a price.
                return;
            }
            before.unregister(descriptor, indexBefore);
        }
    }

    EventLoop loop() {
        return loop;
    }

    /** Forgets an edge that came while nobody waited: the call that is made next sees what it announced. */
    public void clear(VarHandle direction) {
        if (direction.getVolatile(this) == READY) {
            direction.compareAndSet(this, READY, null);
        }
    }

    /** After EAGAIN: true if the waiter will be told, false if it should try again at once. */
    public boolean arm(VarHandle direction, Waiter waiter) {
        return enter(direction, waiter);
    }

    private boolean enter(VarHandle direction, Object waiter) {
        while (!direction.compareAndSet(this, null, waiter)) {
            Object now = direction.getVolatile(this);
            if (now == waiter) {
                return true;
            }
            if (now == READY && direction.compareAndSet(this, READY, null)) {
                return false;
            }
        }
        // A close that came before the slot was filled found nobody to tell.
        return descriptor.isOpen() || !direction.compareAndSet(this, waiter, null);
    }

    /** Takes the waiter out of the slot, if it is still there. */
    public void disarm(VarHandle direction, Waiter waiter) {
        direction.compareAndSet(this, waiter, null);
    }

    /**
     * Parks the thread until the direction is ready: trying again may succeed.
     *
     * @param deadline in terms of {@link System#nanoTime}, or {@link Long#MAX_VALUE}
     */
    public void await(VarHandle direction, long deadline) throws IOException {
        Thread me = Thread.currentThread();
        if (!enter(direction, me)) {
            return;
        }
        while (direction.getVolatile(this) == me) {
            if (!descriptor.isOpen()) {
                direction.compareAndSet(this, me, null);
                throw new AsynchronousCloseException();
            }
            if (me.isInterrupted()) {
                direction.compareAndSet(this, me, null);
                throw new InterruptedIOException(descriptor.name() + ": interrupted while waiting");
            }
            if (deadline == Long.MAX_VALUE) {
                LockSupport.park(this);
            } else {
                long left = deadline - System.nanoTime();
                if (left <= 0) {
                    direction.compareAndSet(this, me, null);
                    throw new SocketTimeoutException(descriptor.name() + ": timed out");
                }
                LockSupport.parkNanos(this, left);
            }
        }
    }

    /** Whether the end of the stream, an error or more data may lie behind a read that gave less than it could. */
    boolean special() {
        return hungUp || urgent;
    }

    /** Whether the peer certainly sends no more than what a read that is made from now on can see. */
    public boolean hungUp() {
        return hungUp;
    }

    /** Whether there ever was urgent data, which splice(2) does not get past. */
    boolean urgent() {
        return urgent;
    }

    /** Whether the peer certainly has ended its stream, whatever else it did later. */
    boolean ended() {
        return ended;
    }

    /** Changes with every edge of the reading direction, also with one that was told to somebody who could not read then. */
    int tidings() {
        return tidings;
    }

    /** On the loop's thread: epoll reported an edge. */
    void event(int mask) {
        if ((mask & HUNG_UP) == Polling.EPOLLRDHUP) {
            ended = true;
        }
        if ((mask & Polling.EPOLLPRI) != 0) {
            urgent = true;
        }
        if ((mask & HUNG_UP) != 0) {
            hungUp = true;
        }
        if ((mask & READABLE) != 0) {
            tell(READ, READY);
        }
        if ((mask & WRITABLE) != 0) {
            tell(WRITE, READY);
        }
        if ((mask & Polling.EPOLLERR) != 0) {
            tell(ERRORS, READY);
        }
    }

    @SuppressWarnings("NonAtomicOperationOnVolatileField") // Two at once still change it.
    private void tell(VarHandle direction, Object otherwise) {
        if (direction == READ) {
            tidings++;
        }
        while (true) {
            Object now = direction.getVolatile(this);
            if (now == null || now == READY) {
                if (now == otherwise || direction.compareAndSet(this, now, otherwise)) {
                    return;
                }
            } else if (direction.compareAndSet(this, now, null)) {
                if (now instanceof Thread thread) {
                    LockSupport.unpark(thread);
                } else {
                    ((Waiter) now).ready();
                }
                return;
            }
        }
    }

    @Override
    public void closing() {
        tell(READ, READY);
        tell(WRITE, READY);
        tell(ERRORS, READY);
    }

    @Override
    public void freeing() {
        synchronized (descriptor) {
            loop.unregister(descriptor, index);
        }
    }
}
