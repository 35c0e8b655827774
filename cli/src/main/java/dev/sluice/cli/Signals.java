package dev.sluice.cli;

import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;
import sun.misc.Signal;

/**
 * SIGTERM and SIGINT: the first asks for a drain, the second one n stops at once with exit code 128+n. SIGHUP does something
 * only for who asks for it. SIGQUIT stays the JVM's thread dump.
 */
final class Signals {
    private final AtomicBoolean first = new AtomicBoolean();
    private final CountDownLatch drain = new CountDownLatch(1);
    private final Supplier<Duration> timeout;
    private final Runnable onDrain;

    private Signals(Supplier<Duration> timeout, Runnable onDrain) {
        this.timeout = timeout;
        this.onDrain = onDrain;
    }

    /**
     * Takes over SIGTERM and SIGINT; to be called before readiness is announced.
     *
     * @param timeout how long a drain may take, for the message
     * @param onDrain called at the first signal, on a thread of its own
     */
    static Signals handle(Duration timeout, Runnable onDrain) {
        return handle(() -> timeout, onDrain);
    }

    /** The same with a time that may have changed until the signal comes. */
    static Signals handle(Supplier<Duration> timeout, Runnable onDrain) {
        Signals signals = new Signals(timeout, onDrain);
        for (String name : new String[] {"TERM", "INT"}) {
            Signal.handle(new Signal(name), signals::received);
        }
        return signals;
    }

    /**
     * Takes over SIGHUP, which would end the JVM; to be called before readiness is announced. Where it is ignored, as under
     * nohup(1), it stays so.
     *
     * @param onHangUp called at each signal, on a thread of its own
     */
    static void onHangUp(Runnable onHangUp) {
        Signal.handle(new Signal("HUP"), _ -> onHangUp.run());
    }

    private void received(Signal signal) {
        if (!drain("SIG" + signal.getName(), "another signal stops at once")) {
            Runtime.getRuntime().halt(Failure.SIGNALLED + signal.getNumber());
        }
    }

    /** The same without a signal; false if a drain has begun already. */
    boolean drain(String who) {
        return drain(who, "a signal stops at once");
    }

    private boolean drain(String who, String otherwise) {
        if (!first.compareAndSet(false, true)) {
            return false;
        }
        Console.say(who + ": draining for at most " + timeout.get().toMillis() / 1000.0 + " s; " + otherwise);
        onDrain.run();
        drain.countDown();
        return true;
    }

    /** Whether a drain has been asked for. */
    boolean draining() {
        return first.get();
    }

    void awaitDrain() throws InterruptedException {
        drain.await();
    }

    /** False if the time has passed first. */
    boolean awaitDrain(Duration atMost) throws InterruptedException {
        return drain.await(atMost.toNanos(), TimeUnit.NANOSECONDS);
    }
}
