package dev.sluice.loop;

import dev.sluice.internal.fd.CopyBuffer;
import dev.sluice.internal.fd.Waiter;
import dev.sluice.internal.linux.Errno;
import dev.sluice.io.Route;
import dev.sluice.io.Side;
import dev.sluice.io.TransferException;
import dev.sluice.io.TransferException.Reason;
import dev.sluice.io.TransferResult;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/**
 * Moves bytes one way, from an inlet to an outlet and any number of mirrors. It never waits: a step takes its {@link Flow}
 * as far as it goes, arms the sides it needs, and returns. Whoever is told of readiness, from whatever thread, calls
 * {@link #ready()}, and the pump takes its next step where its kind of step belongs:
 *
 * <ul>
 *   <li>on an event loop if the source and the sink can be polled,
 *   <li>on the pool of blocking threads if one of them is a file,
 *   <li>on the thread of the caller if one of them is somebody's own channel, which may block as it likes.
 * </ul>
 *
 * <p>One thread at a time is inside: the state is IDLE, RUNNING, or AGAIN when readiness came during a step.
 */
@SuppressWarnings("exports") // Reaches other modules by qualified export only.
public final class Pump implements Runnable, Waiter {
    private static final long FOREIGN_SWEEP = 50_000_000;

    private static final int IDLE = 0;
    private static final int RUNNING = 1;
    private static final int AGAIN = 2;
    private static final int ENDED = 3;

    private final Flow flow;
    private final Runnable onEnd;
    /** Running until it is started: who cancels it or closes a side before that is heard at the first step. */
    private final AtomicInteger state = new AtomicInteger(RUNNING);

    private EventLoop loop;
    private Thread caller;
    private Runnable onDelivered;

    private TransferResult result;
    private TransferException failure;

    /**
     * What a pump is to do.
     *
     * @param limit how many bytes to take from the source at most, {@link Long#MAX_VALUE} for all
     * @param route the route to take if it is possible, or null for the best
     * @param prefix goes ahead of the source's bytes
     * @param rate how fast to take them, or null for as fast as they come
     */
    public record Options(long limit, Route route, ByteBuffer prefix, Rate rate) {
        private static final ByteBuffer NOTHING = ByteBuffer.allocate(0);

        /** Nothing special, but a limit. */
        public static Options upTo(long limit) {
            return new Options(limit, null, NOTHING, null);
        }
    }

    /**
     * Takes over the sides, which are left at the end.
     *
     * @param onEnd run once when the pump has ended, on the thread of its last step; must not block
     */
    public Pump(Inlet source, Outlet sink, List<Mirror> mirrors, Options options, Runnable onEnd) {
        this.flow = new Flow(this, source, sink, mirrors, options);
        this.onEnd = onEnd;
    }

    /**
     * To be run once, before the end, when the sink has the whole stream, and only mirrors may still lack of it. On the
     * thread of a step; must not block. To be set before the start.
     */
    public void onDelivered(Runnable told) {
        onDelivered = told;
    }

    void delivered() {
        if (onDelivered != null) {
            Runnable telling = onDelivered;
            onDelivered = null;
            telling.run();
        }
    }

    /** Takes the first step, and all others without the caller, who is told of the end by {@code onEnd}. */
    public void start() {
        if (attach()) {
            dispatch(flow.bulk());
        }
    }

    /** Whether a channel takes part that only the caller's own thread may wait on; then {@link #pumpHere} is the way. */
    public boolean needsCaller() {
        return flow.foreign();
    }

    /** {@link #pumpHere(long)} without a deadline. */
    public void pumpHere() {
        pumpHere(Long.MAX_VALUE);
    }

    /**
     * Takes all steps on the calling thread, parking between them. A blocked read or write of a foreign channel can't be
     * cut short by the deadline, only by closing the channel.
     *
     * @param deadline in terms of {@link System#nanoTime}, or {@link Long#MAX_VALUE}
     */
    public void pumpHere(long deadline) {
        caller = Thread.currentThread();
        attach();
        while (!ended()) {
            if (state.get() == IDLE) {
                awaitTurn(deadline);
            } else {
                run();
            }
            checkCaller(deadline);
        }
    }

    private void awaitTurn(long deadline) {
        long left = deadline == Long.MAX_VALUE ? deadline : deadline - System.nanoTime();
        LockSupport.parkNanos(this, Math.min(FOREIGN_SWEEP, left));
        // A foreign channel tells nobody that it was closed, so it is asked.
        if (flow.closed()) {
            ready();
        }
    }

    private void checkCaller(long deadline) {
        if (caller.isInterrupted()) {
            cancel(Reason.INTERRUPTED);
        } else if (deadline != Long.MAX_VALUE && deadline - System.nanoTime() <= 0) {
            cancel(Reason.DEADLINE);
        }
    }

    boolean onCaller() {
        return caller != null;
    }

    /** Registers for readiness; a pump that can't has ended already. */
    private boolean attach() {
        try {
            loop = flow.attach();
            return true;
        } catch (IOException e) {
            flow.abort("epoll", e);
            end();
            return false;
        }
    }

    /** Ends the pump at its next step, unless it has ended by itself. Callable from any thread, any number of times. */
    public void cancel(Reason why) {
        flow.cancel(why);
        ready();
    }

    /** Something that the pump waits for may have come. */
    @Override
    public void ready() {
        while (true) {
            int now = state.get();
            if (now == IDLE) {
                if (state.compareAndSet(IDLE, RUNNING)) {
                    dispatch(flow.bulk());
                    return;
                }
            } else if (now != RUNNING || state.compareAndSet(RUNNING, AGAIN)) {
                return;
            }
        }
    }

    /** {@link #ready} after a while. */
    void readyAfter(long nanos) {
        if (onCaller()) {
            LockSupport.parkNanos(this, Math.min(nanos, FOREIGN_SWEEP));
            ready();
        } else {
            loop.schedule(nanos, this::ready);
        }
    }

    private void dispatch(boolean takesLong) {
        if (onCaller()) {
            LockSupport.unpark(caller);
        } else if (flow.blocking()) {
            BlockingPool.shared().execute(this);
        } else if (takesLong) {
            loop.executeLong(this);
        } else {
            loop.execute(this);
        }
    }

    /** Steps until the pump has to wait; called by the executor that {@link #ready} chose. */
    @Override
    public void run() {
        Flow.Outcome outcome;
        do {
            outcome = step();
            if (outcome == Flow.Outcome.DONE) {
                end();
                return;
            }
            if (loop != null && loop.inLoop()) {
                flow.place(loop.placement());
            }
            if (outcome == Flow.Outcome.MORE) {
                dispatch(true);
                return;
            }
        } while (!state.compareAndSet(RUNNING, IDLE) && again());
    }

    /** Told while running: another step follows, of which a caller sees to its deadline first. */
    private boolean again() {
        state.set(RUNNING);
        return !onCaller();
    }

    /** A channel of somebody else may throw what it likes; the transfer ends and everything is given back. */
    private Flow.Outcome step() {
        try {
            return flow.step();
        } catch (RuntimeException | Error e) {
            flow.abort("step", e);
            return flow.quiet() ? Flow.Outcome.DONE : Flow.Outcome.WAIT;
        }
    }

    void refused(Outlet outlet, String call, long result, String why) {
        flow.refused(outlet, call, result, why);
    }

    /** On the pool, a thread without a queue behind it goes on: handing over to another thread costs more than a step. */
    boolean othersWait() {
        return onCaller() || !flow.blocking() || BlockingPool.contended();
    }

    private void end() {
        result = flow.result();
        try {
            failure = flow.settle(result);
        } catch (RuntimeException | Error e) {
            // Whoever waits is told in any case.
            failure = flow.broken(result, e);
        }
        CopyBuffer.forget(this);
        flow.leave();
        record();
        state.set(ENDED);
        onEnd.run();
    }

    /** Whoever observes, and the names of somebody's channels, must not change the end of the transfer. */
    private void record() {
        try {
            flow.record(result, failure);
        } catch (RuntimeException e) {
            System.getLogger(Pump.class.getName()).log(Level.WARNING, "a transfer could not be recorded", e);
        }
    }

    /** How many bytes the sink has accepted so far. */
    public long accepted() {
        return flow.accepted();
    }

    /** How many bytes were taken from the source so far; any thread may ask. */
    public long taken() {
        return flow.taken();
    }

    /** Whether the last step is behind; then there is a result, and a failure if it did not come to its end. */
    public boolean ended() {
        return state.get() == ENDED;
    }

    public TransferResult result() {
        return result;
    }

    /**
     * Whether the end of the stream that this pump has come to may be passed on, given the pump of the other direction. The
     * kernel tells of a reset once: if a write to the same socket got to know of it, a read says that the stream has ended.
     * Such an end is believed only if it was announced before the reset. A write that splice cut short may even swallow
     * ECONNRESET, and the next one says EPIPE, as after a real end.
     */
    public boolean endIsReal(Pump opposite) {
        TransferException other = opposite.ended() ? opposite.failure() : null;
        if (failure != null || other == null || other.side() != Side.SINK) {
            return failure == null;
        }
        return switch (other.errno()) {
            case Errno.ECONNRESET -> false;
            case Errno.EPIPE -> flow.endAnnounced();
            default -> true;
        };
    }

    /** Null if the pump came to its end. */
    public TransferException failure() {
        return failure;
    }
}
