package dev.sluice.relay;

import dev.sluice.internal.fd.Descriptor;
import dev.sluice.internal.fd.Descriptors;
import dev.sluice.internal.fd.Waiter;
import dev.sluice.internal.linux.Errno;
import dev.sluice.internal.linux.Sockets;
import dev.sluice.io.Endpoint;
import dev.sluice.loop.EventLoop;
import dev.sluice.loop.Watch;
import dev.sluice.net.StreamListener;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.LongAdder;

/** Accepts, on one of the loops, until it is told to stop. No error of an accept ends it. */
final class Acceptor implements Waiter, Runnable {
    private static final System.Logger LOG = System.getLogger(Acceptor.class.getName());

    private static final long MIN_PAUSE_NANOS = 10_000_000;
    private static final long MAX_PAUSE_NANOS = 1_000_000_000;
    private static final long LOG_INTERVAL_NANOS = 1_000_000_000;

    /** As many as a backlog can hold: whoever keeps connecting can't keep a drain from going on. */
    private static final int BACKLOG = 4096;

    /** Sessions have their turn between so many accepts. */
    private static final int BATCH = 64;

    /** A client may think that it is connected a moment before the kernel has put it into the backlog. */
    private static final long LAST_COMERS_NANOS = 50_000_000;

    private final Relay relay;
    private final EventLoop loop;
    private final Endpoint configured;
    private final StreamListener listener;
    private final Descriptor descriptor;
    private final CompletableFuture<Void> stopped = new CompletableFuture<>();

    private final Watch watch;
    private final LongAdder accepted = new LongAdder();
    private final LongAdder active = new LongAdder();
    private volatile Serving serving;
    private boolean stopping;
    private boolean paused;
    private long pause;
    private long failures;
    private long lastLog = System.nanoTime() - LOG_INTERVAL_NANOS;

    /**
     * Listens already, but accepts nobody before {@link #start}.
     *
     * @param configured the address as the configuration has it, port 0 among others
     */
    Acceptor(Relay relay, EventLoop loop, Endpoint configured, Serving serving) throws IOException {
        this.relay = relay;
        this.loop = loop;
        this.configured = configured;
        this.listener = StreamListener.listen(configured);
        this.descriptor = Descriptors.source(listener);
        try {
            descriptor.acquire();
            this.watch = Watch.of(descriptor, loop);
        } catch (IOException | RuntimeException e) {
            abandon();
            throw e;
        }
        serve(serving);
    }

    /** It was never started. */
    void abandon() {
        listener.close();
        descriptor.release();
    }

    /** From now on for this service, which may be another one than before; who waits in the backlog stays there. */
    void serve(Serving next) {
        serving = next;
        if (endpoint() instanceof Endpoint.Tcp) {
            // What every accepted socket inherits.
            Tuning.listener(descriptor.fd(), next.timeouts());
        }
    }

    Serving serving() {
        return serving;
    }

    Endpoint configured() {
        return configured;
    }

    Endpoint endpoint() {
        return listener.endpoint();
    }

    RelayStats.OfListener stats() {
        return new RelayStats.OfListener(serving.service().name(), endpoint(), accepted.sum(), active.sum());
    }

    /** A connection that came here is over. */
    void ended() {
        active.decrement();
    }

    private void accepted(int fd) {
        accepted.increment();
        serving.entrance().accepted();
        active.increment();
        relay.accepted(fd, this);
    }

    void start() {
        loop.execute(this);
    }

    /** Connections wait. */
    @Override
    public void ready() {
        loop.execute(this);
    }

    @Override
    public void run() {
        if (stopping || paused) {
            return;
        }
        for (int i = 0; i < BATCH; i++) {
            if (!relay.hasRoom(this)) {
                paused = true;
                return;
            }
            long early = serving.entrance().nanosUntilAccept();
            if (early > 0) {
                loop.schedule(early, this);
                return;
            }
            watch.clear(Watch.READ);
            int fd = Sockets.accept(descriptor.fd());
            if (fd >= 0) {
                pause = 0;
                accepted(fd);
            } else if (Errno.wouldBlock(fd)) {
                if (watch.arm(Watch.READ, this)) {
                    return;
                }
            } else if (!listener.isOpen()) {
                leave();
                return;
            } else if (exhausted(fd)) {
                backOff(fd);
                return;
            }
            // Anything else concerns the one connection, which is gone.
        }
        loop.execute(this);
    }

    /** There is room again, or it is time to look. From any thread. */
    void resume() {
        loop.execute(() -> {
            if (paused) {
                paused = false;
                run();
            }
        });
    }

    /** Accepts what has connected already, then stops listening; complete when that is done. From any thread. */
    CompletableFuture<Void> stop() {
        loop.execute(() -> {
            if (!stopping) {
                stopping = true;
                acceptRest();
                loop.schedule(LAST_COMERS_NANOS, () -> {
                    acceptRest();
                    leave();
                });
            }
        });
        return stopped;
    }

    private void acceptRest() {
        for (int i = 0; i < BACKLOG && relay.hasRoom(this); i++) {
            int fd = Sockets.accept(descriptor.fd());
            if (fd >= 0) {
                accepted(fd);
            } else if (Errno.wouldBlock(fd) || exhausted(fd) || !listener.isOpen()) {
                return;
            }
        }
    }

    private void leave() {
        if (!stopped.isDone()) {
            stopping = true;
            listener.close();
            descriptor.release();
            stopped.complete(null);
        }
    }

    private static boolean exhausted(int result) {
        return switch (-result) {
            case Errno.EMFILE, Errno.ENFILE, Errno.ENOBUFS, Errno.ENOMEM -> true;
            default -> false;
        };
    }

    /** Out of descriptors or memory: trying again at once would only burn a processor. */
    private void backOff(int result) {
        failures++;
        if (System.nanoTime() - lastLog >= LOG_INTERVAL_NANOS) {
            lastLog = System.nanoTime();
            log(result);
        }
        pause = Math.clamp(pause * 2, MIN_PAUSE_NANOS, MAX_PAUSE_NANOS);
        loop.schedule(pause, this);
    }

    private void log(int result) {
        try {
            String what = Descriptor.failure("accept", listener.endpoint().toString(), result)
                    .getMessage();
            LOG.log(Level.WARNING, "{0}; {1} accepts failed so far, trying on", what, failures);
        } catch (RuntimeException | Error silenced) {
            // Some loggers open files, which is what can't be done now. The listener must not end for that.
        }
    }
}
