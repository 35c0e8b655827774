package dev.sluice;

import dev.sluice.io.TransferException;
import dev.sluice.io.TransferException.Reason;
import dev.sluice.io.TransferResult;
import dev.sluice.loop.EventLoop;
import dev.sluice.loop.Pump;
import dev.sluice.loop.Sides;
import java.io.IOException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;

/** A transfer that was {@linkplain Pipeline#start started}. All methods may be called from any thread. */
public final class Transfer {
    private final Sides sides;
    private final CompletableFuture<TransferResult> completion = new CompletableFuture<>();
    private final Pump pump;
    private Runnable onEnd;
    private EventLoop.Timer deadlineTimer;

    Transfer(Sides sides, Pump.Options options) {
        this.sides = sides;
        this.pump = sides.pump(options, this::ended);
    }

    /** How many bytes the sink has accepted so far. */
    public long bytes() {
        return pump.accepted();
    }

    /** Whether it has ended, one way or the other. */
    public boolean isDone() {
        return completion.isDone();
    }

    /**
     * Asks it to end with a TransferException, reason CANCELLED. Returns at once; {@link #completion} tells when it has
     * ended. A blocked call of a foreign channel can't be cut short.
     */
    public void cancel() {
        pump.cancel(Reason.CANCELLED);
    }

    /**
     * Completes with the result, or with the TransferException, on a virtual thread. Completing or cancelling it does not
     * touch the transfer.
     */
    public CompletionStage<TransferResult> completion() {
        return completion.minimalCompletionStage();
    }

    /**
     * Waits for the end, parking. An interrupt ends the wait, not the transfer.
     *
     * @throws TransferException as {@link Pipeline#to} would
     */
    public TransferResult await() throws TransferException, InterruptedException {
        try {
            return completion.get();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof TransferException failure) {
                throw failure;
            }
            throw new AssertionError("a transfer ends with a result or a TransferException", e.getCause());
        }
    }

    Pump pump() {
        return pump;
    }

    /** The pump's last act, on whatever thread that is. */
    private void ended() {
        onEnd.run();
    }

    void start(long deadline) throws IOException {
        if (pump.needsCaller()) {
            onEnd = () -> {};
            Thread.ofVirtual().name("sluice-transfer").start(() -> {
                pump.pumpHere(deadline);
                complete();
            });
            return;
        }
        onEnd = () -> Thread.ofVirtual().name("sluice-transfer").start(this::complete);
        if (deadline != Long.MAX_VALUE) {
            deadlineTimer =
                    EventLoop.shared().schedule(deadline - System.nanoTime(), () -> pump.cancel(Reason.DEADLINE));
        }
        pump.start();
    }

    private void complete() {
        if (deadlineTimer != null) {
            deadlineTimer.cancel();
        }
        sides.leave();
        if (pump.failure() != null) {
            completion.completeExceptionally(pump.failure());
        } else {
            completion.complete(pump.result());
        }
    }

    /** Starts as one of the two directions of a join, which is told of the end and leaves the sides when both are over. */
    void startLeg(Runnable ended) {
        onEnd = ended;
        if (pump.needsCaller()) {
            // A foreign channel blocks the thread that serves it, so each direction has one of its own.
            Thread.ofVirtual().name("sluice-join").start(pump::pumpHere);
        } else {
            pump.start();
        }
    }

    void leave() {
        sides.leave();
    }

    /** Gives everything back instead of starting. */
    void abandon() {
        sides.abandon();
    }
}
