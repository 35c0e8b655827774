package dev.sluice.relay;

import dev.sluice.net.StreamListener;
import dev.sluice.net.StreamSocket;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.System.Logger.Level;
import java.net.SocketTimeoutException;
import java.nio.channels.ClosedChannelException;
import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;

/** Accepts until it is told to stop. No error of an accept ends it. */
final class Acceptor implements Runnable {
    private static final System.Logger LOG = System.getLogger(Acceptor.class.getName());

    private static final long MIN_PAUSE_NANOS = 10_000_000;
    private static final long MAX_PAUSE_NANOS = 1_000_000_000;
    private static final long LOG_INTERVAL_NANOS = 1_000_000_000;

    /** As many as a backlog can hold: whoever keeps connecting can't keep a drain from going on. */
    private static final int BACKLOG = 4096;

    /** A client may think that it is connected a moment before the kernel has put it into the backlog. */
    private static final Duration LAST_COMERS = Duration.ofMillis(50);

    private final StreamListener listener;
    private final Consumer<StreamSocket> onAccept;
    private final Thread thread;

    private volatile boolean stopping;
    private long pause;
    private long failures;
    private long lastLog = System.nanoTime() - LOG_INTERVAL_NANOS;

    /** @param onAccept takes over each connection; must not block */
    Acceptor(StreamListener listener, Consumer<StreamSocket> onAccept) {
        this.listener = listener;
        this.onAccept = onAccept;
        this.thread = Thread.ofVirtual().name("sluice-accept").unstarted(this);
    }

    void start() {
        thread.start();
    }

    /** Accepts what has connected already, then stops listening. */
    void stop() throws InterruptedException {
        stopping = true;
        thread.interrupt();
        thread.join();
    }

    @Override
    public void run() {
        try (listener) {
            while (!stopping) {
                accept();
            }
            // Who waits to be interrupted has been; what follows must not end by it.
            Thread.interrupted();
            acceptBacklog();
        }
    }

    private void accept() {
        try {
            onAccept.accept(listener.accept());
            pause = 0;
        } catch (InterruptedIOException e) {
            // Told to stop.
        } catch (ClosedChannelException e) {
            stopping = true;
        } catch (IOException | RuntimeException | Error e) {
            // Errors, too: while no descriptor is left, not even a class can be loaded.
            backOff(e);
        }
    }

    /** Out of descriptors or memory: trying again at once would only burn a processor. */
    private void backOff(Throwable e) {
        failures++;
        if (System.nanoTime() - lastLog >= LOG_INTERVAL_NANOS) {
            lastLog = System.nanoTime();
            log("{0}; {1} accepts failed so far, trying on", e);
        }
        pause = Math.clamp(pause * 2, MIN_PAUSE_NANOS, MAX_PAUSE_NANOS);
        LockSupport.parkNanos(this, pause);
    }

    private void acceptBacklog() {
        try {
            for (int i = 0; i < BACKLOG; i++) {
                onAccept.accept(listener.accept(LAST_COMERS));
            }
        } catch (SocketTimeoutException | ClosedChannelException e) {
            // Nobody is left, or close() was faster.
        } catch (IOException | RuntimeException e) {
            log("{0}; who waited in the backlog is reset", e);
        }
    }

    private void log(String message, Throwable e) {
        try {
            LOG.log(Level.WARNING, message, e.getMessage(), failures);
        } catch (RuntimeException | Error silenced) {
            // Some loggers open files, which is what can't be done now. The listener must not end for that.
        }
    }
}
