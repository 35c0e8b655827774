package dev.sluice.loop;

import dev.sluice.internal.fd.CopyBuffer;
import dev.sluice.internal.fd.Descriptor;
import dev.sluice.internal.fd.RawPipe;
import dev.sluice.internal.fd.Waiter;
import dev.sluice.internal.linux.Errno;
import dev.sluice.internal.linux.Files;
import dev.sluice.internal.linux.Pipes;
import dev.sluice.internal.linux.Sockets;
import dev.sluice.io.MirrorResult;
import dev.sluice.io.Route;
import dev.sluice.io.Side;
import dev.sluice.io.TransferException;
import dev.sluice.io.TransferException.Reason;
import dev.sluice.io.TransferResult;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousCloseException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/**
 * Moves bytes one way, from an inlet to an outlet and any number of mirrors, by one route. It never waits: a step goes as
 * far as it can, arms the sides it needs, and returns. Whoever is told of readiness, from whatever thread, calls
 * {@link #ready()}, and the pump takes its next step where its kind of step belongs:
 *
 * <ul>
 *   <li>on an event loop if the source and the sink can be polled,
 *   <li>on the pool of blocking threads if one of them is a file,
 *   <li>on the thread of the caller if one of them is somebody's own channel, which may block as it likes.
 * </ul>
 *
 * <p>The kernel route: splice fills an empty pipe from the source, tee duplicates it to the mirrors' pipes, and each
 * outlet is drained before the pipe is filled again. So EAGAIN with bytes inside always means the sink, and with an empty
 * pipe always the source (S1, S2).
 */
@SuppressWarnings("exports") // Reaches other modules by qualified export only.
public final class Pump implements Runnable, Waiter {
    /** A pump that moved so many bytes lets others have their turn. */
    private static final long QUANTUM = 1 << 20;

    /** Bytes of one sendfile or copy_file_range, which can't be cut short once it runs (S19, S37). */
    private static final long MAX_DIRECT = 1 << 20;

    private static final long FOREIGN_SWEEP = 50_000_000;

    private static final int IDLE = 0;
    private static final int RUNNING = 1;
    private static final int AGAIN = 2;
    private static final int ENDED = 3;

    private enum Outcome {
        WAIT,
        MORE,
        DONE
    }

    private final Inlet source;
    private final Outlet sink;
    private final List<Outlet> mirrors;
    private final long limit;
    private final ByteBuffer prefix;
    private final Rate rate;
    private final Runnable onEnd;
    private final long started = System.nanoTime();

    private final AtomicInteger state = new AtomicInteger(IDLE);
    private volatile Stop stop;
    private EventLoop loop;
    private Thread caller;

    private Route route;
    private Route directRoute;
    private String reason;
    private long taken;
    private boolean atEnd;
    private CopyBuffer buffer;

    /** How many bytes of a stranded pipeful have been handed out. */
    private int untaken;

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
        /** Everything, the best way, as fast as possible. */
        public static final Options DEFAULT = new Options(Long.MAX_VALUE, null, ByteBuffer.allocate(0), null);
    }

    /**
     * @param onEnd run once when the pump has ended, on the thread of its last step; must not block
     */
    public Pump(Inlet source, Outlet sink, List<Outlet> mirrors, Options options, Runnable onEnd) {
        this.source = source;
        this.sink = sink;
        this.mirrors = mirrors;
        this.limit = options.limit();
        this.prefix = options.prefix();
        this.rate = options.rate();
        this.onEnd = onEnd;
        choose(options.route());
    }

    private void choose(Route forced) {
        boolean files = source.blocking() && sink.blocking() && mirrors.isEmpty();
        if (forced == Route.COPY) {
            copyBecause("copying was asked for");
            for (Outlet mirror : mirrors) {
                mirror.refuse(reason);
            }
        } else if (source.foreign() || source.refusal() != null) {
            copyBecause(source.refusal());
        } else if (sink.refusal() != null && mirrors.stream().allMatch(mirror -> mirror.refusal() != null)) {
            copyBecause(sink.refusal());
        } else if (forced == Route.SENDFILE && source.blocking() && mirrors.isEmpty()) {
            route = Route.SENDFILE;
            reason = "sendfile(2) was asked for";
        } else if (files && forced != Route.SPLICE) {
            route = Route.COPY_FILE_RANGE;
            reason = "file to file";
        } else {
            route = Route.SPLICE;
            reason = "through a kernel pipe";
        }
    }

    private void copyBecause(String why) {
        route = Route.COPY;
        reason = why;
    }

    /** Takes the first step, and all others without the caller, who is told of the end by {@code onEnd}. */
    public void start() {
        if (attach()) {
            ready();
        }
    }

    /** Whether a channel takes part that only the caller's own thread may wait on; then {@link #pumpHere} is the way. */
    public boolean needsCaller() {
        return source.foreign() || sink.foreign() || mirrors.stream().anyMatch(Outlet::foreign);
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
        if (attach()) {
            ready();
        }
        while (state.get() != ENDED) {
            if (state.get() == IDLE) {
                awaitTurn(deadline);
            } else {
                run();
                checkCaller(deadline);
            }
        }
    }

    private void awaitTurn(long deadline) {
        // A foreign channel tells nobody that it was closed, so it is asked.
        LockSupport.parkNanos(
                this, Math.min(FOREIGN_SWEEP, deadline == Long.MAX_VALUE ? deadline : deadline - System.nanoTime()));
        if (!source.isOpen() || !sink.isOpen()) {
            ready();
        }
        checkCaller(deadline);
    }

    private void checkCaller(long deadline) {
        if (caller.isInterrupted()) {
            cancel(Reason.INTERRUPTED);
        } else if (deadline != Long.MAX_VALUE && deadline - System.nanoTime() <= 0) {
            cancel(Reason.DEADLINE);
        }
    }

    /** Registers for readiness; a pump that can't has ended already. */
    private boolean attach() {
        try {
            source.attach(this, null);
            loop = source.loop();
            sink.attach(this, loop);
            if (loop == null) {
                loop = sink.loop();
            }
            for (Outlet mirror : mirrors) {
                mirror.attach(this, loop);
            }
            if (loop == null && rate != null && caller == null) {
                loop = EventLoop.shared();
            }
            return true;
        } catch (IOException e) {
            state.set(RUNNING);
            stop = new Stop(Reason.FAILED, Side.NONE, source.name() + " to " + sink.name(), "epoll", 0, e);
            end();
            return false;
        }
    }

    private void leave() {
        source.leave();
        sink.leave();
        for (Outlet mirror : mirrors) {
            mirror.leave();
        }
    }

    /** Ends the pump at its next step, unless it has ended by itself. Callable from any thread, any number of times. */
    public void cancel(Reason why) {
        if (stop == null) {
            stop = new Stop(why, Side.NONE, "", "", 0, null);
        }
        ready();
    }

    /** Something that the pump waits for may have come. */
    @Override
    public void ready() {
        while (true) {
            int now = state.get();
            if (now == IDLE) {
                if (state.compareAndSet(IDLE, RUNNING)) {
                    dispatch();
                    return;
                }
            } else if (now != RUNNING || state.compareAndSet(RUNNING, AGAIN)) {
                return;
            }
        }
    }

    private void dispatch() {
        if (caller != null) {
            LockSupport.unpark(caller);
        } else if (offLoop()) {
            BlockingPool.shared().execute(this);
        } else {
            loop.execute(this);
        }
    }

    /** Steps until the pump has to wait; called by the executor that {@link #ready} chose. */
    @Override
    public void run() {
        Outcome outcome;
        do {
            outcome = safeStep();
            if (outcome == Outcome.DONE) {
                end();
                return;
            }
            if (outcome == Outcome.MORE) {
                dispatch();
                return;
            }
        } while (!state.compareAndSet(RUNNING, IDLE) && again());
    }

    /** Told while running: another step follows, of which a caller sees to its deadline first. */
    private boolean again() {
        state.set(RUNNING);
        return caller == null;
    }

    /** A channel of somebody else may throw what it likes; the transfer ends and everything is given back. */
    private Outcome safeStep() {
        try {
            return step();
        } catch (RuntimeException | Error e) {
            stop = new Stop(Reason.FAILED, Side.NONE, source.name() + " to " + sink.name(), "step", 0, e);
            return mirrors.stream().noneMatch(Outlet::busy) ? Outcome.DONE : Outcome.WAIT;
        }
    }

    private Outcome step() {
        long turn = taken + QUANTUM;
        while (true) {
            checkOpen();
            if (!deliver()) {
                return Outcome.WAIT;
            }
            if (stop != null || finished()) {
                return Outcome.DONE;
            }
            if (taken >= turn) {
                if (othersWait()) {
                    return Outcome.MORE;
                }
                turn = taken + QUANTUM;
            }
            if (!fill()) {
                return stop != null ? Outcome.MORE : Outcome.WAIT;
            }
        }
    }

    /** On the pool, a thread without a queue behind it goes on: handing over to another thread costs more than a step. */
    private boolean othersWait() {
        return caller != null || !offLoop() || BlockingPool.contended();
    }

    private boolean offLoop() {
        return source.blocking() || sink.blocking();
    }

    private boolean finished() {
        return (atEnd || taken == limit) && sink.stranded() == 0 && !prefix.hasRemaining();
    }

    private void checkOpen() {
        if (stop != null) {
            return;
        }
        if (!source.isOpen()) {
            closed(Side.SOURCE, source.name());
        } else if (!sink.isOpen()) {
            closed(Side.SINK, sink.name());
        } else {
            for (Outlet mirror : mirrors) {
                if (!mirror.detached() && !mirror.isOpen() && !mirror.busy()) {
                    mirrorFailed(mirror, Reason.CLOSED, new AsynchronousCloseException());
                }
            }
        }
    }

    private void closed(Side side, String name) {
        stop = new Stop(Reason.CLOSED, side, name, "", 0, new AsynchronousCloseException());
    }

    /** Drains the outlets; true when all of them are empty, or when the pump stops and nobody works for it any more. */
    private boolean deliver() {
        boolean empty = stop != null || deliver(sink, Side.SINK);
        for (Outlet mirror : mirrors) {
            if (!mirror.detached()) {
                empty &= stop != null ? !mirror.busy() : deliver(mirror, Side.MIRROR);
            }
        }
        if (stop != null) {
            return mirrors.stream().noneMatch(Outlet::busy);
        }
        if (empty && buffer != null) {
            CopyBuffer.giveBack(buffer);
            buffer = null;
        }
        return empty;
    }

    private boolean deliver(Outlet outlet, Side side) {
        if (outlet.busy()) {
            return false;
        }
        if (outlet.result() < 0) {
            return failed(outlet, side);
        }
        if (!outlet.pending()) {
            return true;
        }
        if (side == Side.MIRROR && outlet.blocking()) {
            outlet.drainAside();
            return false;
        }
        int drained = outlet.drain();
        return drained < 0 ? failed(outlet, side) : drained > 0;
    }

    /** True if the pump goes on, without the outlet. */
    private boolean failed(Outlet outlet, Side side) {
        int errno = (int) -outlet.result();
        if (side == Side.MIRROR) {
            mirrorFailed(outlet, Reason.FAILED, outlet.failure());
        } else if (stop == null) {
            stop = new Stop(Reason.FAILED, side, outlet.name(), outlet.call(), errno, outlet.failure());
        }
        return stop == null;
    }

    private void mirrorFailed(Outlet mirror, Reason why, Throwable cause) {
        if (mirror.detachable()) {
            mirror.detach(why);
        } else if (stop == null) {
            int errno = (int) -mirror.result();
            stop = new Stop(why, Side.MIRROR, mirror.name(), mirror.call(), errno, cause);
        }
    }

    /** Takes the next bytes from the source; false if there are none now, or the source failed. */
    private boolean fill() {
        if (sink.stranded() > 0) {
            return fillFromStranded();
        }
        if (prefix.hasRemaining()) {
            return fillFromPrefix();
        }
        long want = Math.min(limit - taken, rate == null ? Long.MAX_VALUE : rate.allowed());
        if (want <= 0) {
            return awaitRate();
        }
        long before = taken;
        boolean filled = fillFromSource(want);
        if (rate != null) {
            rate.take(taken - before);
        }
        return filled;
    }

    private boolean fillFromSource(long want) {
        return switch (route) {
            case SPLICE -> fillPipe(want);
            case COPY -> fillBuffer(want);
            case SENDFILE, COPY_FILE_RANGE -> direct(want);
        };
    }

    private boolean fillPipe(long want) {
        RawPipe pipe = borrowPipes();
        if (pipe == null) {
            copyBecause("no kernel pipe was to be had; raise the descriptor limit (ulimit -n)");
            return fillBuffer(want);
        }
        long count = source.splice(pipe.writeEnd(), Math.min(want, pipe.capacity()));
        if (count > 0) {
            taken += count;
            sink.filled(count);
            tee(pipe, count);
            return true;
        }
        if (count == 0) {
            return end(want);
        }
        if (Errno.wouldBlock(count)) {
            return awaitSource();
        }
        if (Outlet.refused(count)) {
            source.refuse("the source refuses splice(2): " + Errno.name((int) -count));
            rest();
            copyBecause(source.refusal());
            return fillBuffer(want);
        }
        return sourceFailed("splice", count);
    }

    /** The pipe of the sink and of every mirror; null if one of them could not be had. */
    private RawPipe borrowPipes() {
        RawPipe pipe = sink.pipe();
        if (pipe == null || mirrors.isEmpty()) {
            return pipe;
        }
        int capacity = pipe.capacity();
        for (Outlet mirror : mirrors) {
            if (!mirror.detached()) {
                RawPipe other = mirror.pipe();
                if (other == null) {
                    rest();
                    return null;
                }
                capacity = Math.min(capacity, other.capacity());
            }
        }
        // An empty mirror pipe with as many slots as the main one takes a whole tee (S22).
        if (pipe.resize(capacity) != capacity) {
            rest();
            return null;
        }
        return pipe;
    }

    /**
     * Duplicates the pipeful to the mirrors. A tee can't begin where the last one ended (S21, S22), so if a mirror got
     * less than all, the pipeful leaves the pipe through memory, and each mirror is written what it lacks from there.
     */
    private void tee(RawPipe pipe, long count) {
        boolean complete = true;
        for (Outlet mirror : mirrors) {
            if (!mirror.detached()) {
                long teed = Pipes.tee(pipe.readEnd(), mirror.pipe().writeEnd(), count);
                mirror.filled(Math.max(teed, 0));
                complete &= teed == count;
            }
        }
        if (!complete) {
            sink.strand();
            untaken = 0;
        }
    }

    /** The next part of a pipeful that a mirror could not take whole. */
    private boolean fillFromStranded() {
        if (!borrowBuffer()) {
            return false;
        }
        int count = sink.readStranded(buffer);
        for (Outlet mirror : mirrors) {
            if (!mirror.detached()) {
                mirror.share(buffer, Math.clamp(mirror.teed() - untaken, 0, count), count);
            }
        }
        untaken += count;
        sink.share(buffer, 0, count);
        return true;
    }

    private boolean fillFromPrefix() {
        if (!borrowBuffer()) {
            return false;
        }
        int count = Math.min(prefix.remaining(), CopyBuffer.SIZE);
        buffer.view().clear().put(0, prefix, prefix.position(), count);
        prefix.position(prefix.position() + count);
        share(count);
        return true;
    }

    /** Until the bucket has filled again. */
    private boolean awaitRate() {
        rest();
        long nanos = Math.max(1, rate.nanosUntilWorthwhile());
        if (caller != null) {
            LockSupport.parkNanos(this, Math.min(nanos, FOREIGN_SWEEP));
            ready();
        } else {
            loop.schedule(nanos, this::ready);
        }
        return false;
    }

    /** False if the pump will be told when there is a buffer. */
    private boolean borrowBuffer() {
        buffer = CopyBuffer.borrow(this);
        return buffer != null;
    }

    private void share(int count) {
        sink.share(buffer, 0, count);
        for (Outlet mirror : mirrors) {
            if (!mirror.detached()) {
                mirror.share(buffer, 0, count);
            }
        }
    }

    private boolean fillBuffer(long want) {
        if (!borrowBuffer()) {
            return false;
        }
        long count = source.read(buffer, (int) Math.min(want, CopyBuffer.SIZE));
        if (count > 0) {
            taken += count;
            share((int) count);
            return true;
        }
        CopyBuffer.giveBack(buffer);
        buffer = null;
        if (count == 0) {
            return end(want);
        }
        return Errno.wouldBlock(count) ? awaitSource() : sourceFailed("read", count);
    }

    /** Calls that need no pipe. Nothing is in flight between two of them, so any failure may be tried again by splice. */
    private boolean direct(long want) {
        int from = source.descriptor().fd();
        int to = sink.descriptor().fd();
        long length = Math.min(want, MAX_DIRECT);
        long count = route == Route.SENDFILE ? Files.sendfile(to, from, length) : Files.copyFileRange(from, to, length);
        if (count > 0) {
            taken += count;
            sink.accepted(count);
            directRoute = route;
            return true;
        }
        if (count == 0 && taken > 0) {
            return end(want);
        }
        if (Errno.wouldBlock(count)) {
            return !sink.arm();
        }
        // Virtual file systems say 0 at once, whatever there is to read; splice and read tell the truth.
        String call = route == Route.SENDFILE ? "sendfile" : "copy_file_range";
        reason = "through a kernel pipe, since " + call + "(2) "
                + (count == 0 ? "found nothing" : "was refused: " + Errno.name((int) -count));
        route = Route.SPLICE;
        if (sink.refusal() != null) {
            copyBecause(sink.refusal());
        }
        return fill();
    }

    /** The source says that there is nothing more. */
    private boolean end(long want) {
        long missing = Math.min(want, source.missing(taken));
        if (missing > 0) {
            return sourceFailed("a file that shrank meanwhile; " + missing + " bytes are missing", -Errno.ENODATA);
        }
        CopyBuffer scratch = CopyBuffer.borrowBriefly();
        atEnd = source.atEnd(scratch);
        CopyBuffer.giveBack(scratch);
        return atEnd || fillBuffer(want);
    }

    /** False if the pump will be told; an idle pump holds no pipe. */
    private boolean awaitSource() {
        rest();
        if (source.foreign()) {
            source.pause();
            ready();
            return false;
        }
        return !source.arm();
    }

    private void rest() {
        sink.rest();
        for (Outlet mirror : mirrors) {
            mirror.rest();
        }
    }

    private boolean sourceFailed(String call, long count) {
        stop = new Stop(Reason.FAILED, Side.SOURCE, source.name(), call, (int) -count, source.failure());
        return false;
    }

    private void end() {
        Stop why = stop;
        long unacknowledged = why == null ? 0 : unacknowledged();
        byte[] residue = why == null ? null : sink.takePending(prefix);
        if (why == null) {
            rest();
        }
        for (Outlet mirror : mirrors) {
            mirror.drop();
        }
        if (buffer != null) {
            CopyBuffer.giveBack(buffer);
            buffer = null;
        }
        result = new TransferResult(sink.accepted(), resultRoute(), reason(), elapsed(), mirrorResults());
        if (why != null) {
            failure = why.toException(result, unacknowledged, residue);
        }
        leave();
        state.set(ENDED);
        onEnd.run();
    }

    private long unacknowledged() {
        Descriptor descriptor = sink.descriptor();
        boolean tcp = descriptor != null
                && descriptor.kind() == Descriptor.Kind.SOCKET
                && Sockets.option(descriptor.fd(), Sockets.SOL_SOCKET, Sockets.SO_DOMAIN) != Sockets.AF_UNIX;
        return tcp ? Math.max(0, Sockets.unacknowledged(descriptor.fd())) : -1;
    }

    private Duration elapsed() {
        return Duration.ofNanos(System.nanoTime() - started);
    }

    private Route resultRoute() {
        if (sink.accepted() == 0) {
            return route;
        }
        return sink.direct() * 2 > sink.accepted() ? directRoute : sink.route();
    }

    private String reason() {
        return route == Route.SPLICE && sink.refusal() != null ? sink.refusal() : reason;
    }

    private List<MirrorResult> mirrorResults() {
        List<MirrorResult> results = new ArrayList<>(mirrors.size());
        for (Outlet mirror : mirrors) {
            String why =
                    mirror.refusal() != null ? mirror.refusal() : route == Route.COPY ? reason : "tee(2) and splice(2)";
            results.add(new MirrorResult(
                    mirror.name(), mirror.accepted(), mirror.route(), why, Optional.ofNullable(mirror.detachment())));
        }
        return results;
    }

    /** How many bytes the sink has accepted so far. */
    public long accepted() {
        return sink.accepted();
    }

    /** Whether the last step is behind; then there is a result, and a failure if it did not come to its end. */
    public boolean ended() {
        return state.get() == ENDED;
    }

    public TransferResult result() {
        return result;
    }

    /** Null if the pump came to its end. */
    public TransferException failure() {
        return failure;
    }
}
