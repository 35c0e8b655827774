package dev.sluice.relay;

import dev.sluice.internal.fd.Descriptor;
import dev.sluice.internal.linux.Sockets;
import dev.sluice.loop.EventLoop;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ThreadLocalRandom;

/** Connects to a target from time to time, to tell how it stands; beside the connections of clients, on one loop. */
final class Check implements Dial.Caller {
    private final Upstream target;
    private final EventLoop loop;
    private final Duration interval;

    private Dial dial;
    private EventLoop.Timer timer;
    private boolean stopped;

    private Check(Upstream target, EventLoop loop, Duration interval) {
        this.target = target;
        this.loop = loop;
        this.interval = interval;
    }

    /** The first time is at random, so that not all targets are checked at once. */
    static Check start(Upstream target, EventLoop loop, Duration interval) {
        Check check = new Check(target, loop, interval);
        loop.execute(() -> check.next(ThreadLocalRandom.current().nextLong(interval.toNanos())));
        return check;
    }

    private void next(long delayNanos) {
        if (!stopped) {
            timer = loop.schedule(delayNanos, this::dial);
        }
    }

    private void dial() {
        dial = new Dial(target, loop, Timeouts.DEFAULT.connect(interval), this);
        dial.start();
    }

    @Override
    public void reached(Descriptor server) {
        // A target should see a client that has nothing to say, not one that breaks off.
        Sockets.lingerNormal(server.fd());
        server.close();
        told(true);
    }

    @Override
    public void failed(IOException why) {
        told(false);
    }

    private void told(boolean good) {
        dial = null;
        target.standing().checked(good, System.nanoTime());
        next(interval.toNanos());
    }

    /** From any thread; complete when nothing of it is left. */
    CompletableFuture<Void> stop() {
        CompletableFuture<Void> gone = new CompletableFuture<>();
        loop.execute(() -> {
            stopped = true;
            if (timer != null) {
                timer.cancel();
            }
            if (dial != null) {
                dial.abandon();
            }
            gone.complete(null);
        });
        return gone;
    }
}
