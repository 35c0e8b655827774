package dev.sluice.loop;

import dev.sluice.internal.fd.CopyBuffer;
import dev.sluice.internal.fd.RawPipe;
import dev.sluice.internal.linux.Errno;
import dev.sluice.internal.linux.Files;
import dev.sluice.internal.linux.Pipes;
import dev.sluice.io.Route;
import dev.sluice.io.Side;
import dev.sluice.io.SluiceException;
import dev.sluice.io.TransferException;
import dev.sluice.io.TransferException.Reason;
import dev.sluice.io.TransferResult;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousCloseException;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;

/**
 * The path of the bytes of one pump: where they are, which way they go, and what stopped them.
 *
 * <p>The kernel route: splice fills an empty pipe from the source, tee duplicates it to the mirrors' pipes, and each
 * outlet is drained before the pipe is filled again. So EAGAIN with bytes inside always means the sink, and with an empty
 * pipe always the source (S1, S2).
 */
final class Flow {
    /** A pump that moved so many bytes lets others have their turn. */
    private static final long QUANTUM = 1 << 20;

    /** Bytes of one sendfile or copy_file_range, which can't be cut short once it runs (S19, S37). */
    private static final long MAX_DIRECT = 1 << 20;

    /** A read that finds so much is of a flow that splice serves better; measured, see the benchmarks. */
    private static final int BULK = 32 * 1024;

    /** A flow whose splices find less than this, so many times in a row, has turned chatty. */
    private static final int LEAN = 16 * 1024;

    private static final int LEAN_TIMES = 8;

    enum Outcome {
        /** Some side is armed, and the pump will be told. */
        WAIT,
        /** There is more to do at once, but others may have their turn first. */
        MORE,
        /** The end of the stream, or of the transfer. */
        DONE
    }

    private final Pump pump;
    private final Inlet source;
    private final Outlet sink;
    /** An array, since a step walks it several times, and a list would make an iterator each time. */
    private final Outlet[] mirrors;

    private final long limit;
    private final ByteBuffer prefix;
    private final Rate rate;
    private final long started = System.nanoTime();

    private volatile Stop stop;
    private Route route;
    private Route directRoute;

    /** The route is left to us: a flow starts by copying, and is spliced for as long as it proves to be bulk. */
    private boolean adaptive;

    private boolean bulk = true;
    private int lean;
    private String reason;
    private long taken;
    private boolean atEnd;
    private CopyBuffer buffer;

    /** How many bytes of a stranded pipeful have been handed out. */
    private int untaken;

    Flow(Pump pump, Inlet source, Outlet sink, List<Outlet> mirrors, Pump.Options options) {
        this.pump = pump;
        this.source = source;
        this.sink = sink;
        this.mirrors = mirrors.toArray(Outlet[]::new);
        this.limit = options.limit();
        this.prefix = options.prefix();
        this.rate = options.rate();
        choose(options.route());
    }

    private void choose(Route forced) {
        boolean files = source.blocking() && sink.blocking() && mirrors.length == 0;
        if (forced == Route.COPY) {
            copyBecause("copying was asked for");
            for (Outlet mirror : mirrors) {
                mirror.refuse(reason);
            }
        } else if (source.foreign() || source.refusal() != null) {
            copyBecause(source.refusal());
        } else if (sink.refusal() != null && Arrays.stream(mirrors).allMatch(mirror -> mirror.refusal() != null)) {
            copyBecause(sink.refusal());
        } else if (forced == Route.SENDFILE && source.blocking() && mirrors.length == 0) {
            route = Route.SENDFILE;
            reason = "sendfile(2) was asked for";
        } else if (files && forced != Route.SPLICE) {
            route = Route.COPY_FILE_RANGE;
            reason = "file to file";
        } else {
            route = Route.SPLICE;
            reason = "through a kernel pipe";
            adaptive = forced == null && !source.blocking();
            bulk = !adaptive;
        }
    }

    private void copyBecause(String why) {
        route = Route.COPY;
        reason = why;
    }

    /** Whether a channel takes part that only the caller's own thread may wait on. */
    boolean foreign() {
        return source.foreign() || sink.foreign() || Arrays.stream(mirrors).anyMatch(Outlet::foreign);
    }

    /** Whether steps may block on a disk. A mirror that may is drained aside. */
    boolean blocking() {
        return source.blocking() || sink.blocking();
    }

    /** Registers for readiness; gives the loop of the first side that has one, or null. */
    EventLoop attach() throws IOException {
        source.attach(pump, null);
        EventLoop loop = source.loop();
        sink.attach(pump, loop);
        if (loop == null) {
            loop = sink.loop();
        }
        for (Outlet mirror : mirrors) {
            mirror.attach(pump, loop);
        }
        return loop == null && rate != null && !pump.onCaller() ? EventLoop.shared() : loop;
    }

    void leave() {
        source.leave();
        sink.leave();
        for (Outlet mirror : mirrors) {
            mirror.leave();
        }
    }

    /** Stops at the next step, unless something else has stopped it. */
    void cancel(Reason why) {
        if (stop == null) {
            stop = new Stop(why, Side.NONE, "", "", 0, null);
        }
    }

    /** Stops because of something that should not have happened, such as an exception of somebody else's channel. */
    void abort(String call, Throwable cause) {
        stop = new Stop(Reason.FAILED, Side.NONE, source.name() + " to " + sink.name(), call, 0, cause);
    }

    /** Whether nobody works for the flow aside. */
    boolean quiet() {
        for (Outlet mirror : mirrors) {
            if (mirror.busy()) {
                return false;
            }
        }
        return true;
    }

    /** Whether a foreign channel was closed, which tells nobody. */
    boolean closed() {
        return !source.isOpen() || !sink.isOpen();
    }

    /** As far as it goes now. */
    Outcome step() {
        long turn = taken + QUANTUM;
        while (true) {
            checkOpen();
            if (!deliver()) {
                return Outcome.WAIT;
            }
            if (stop != null || finished()) {
                // A mirror that was detached may still be in a write, which uses its descriptor.
                return quiet() ? Outcome.DONE : Outcome.WAIT;
            }
            if (taken >= turn) {
                if (pump.othersWait()) {
                    return Outcome.MORE;
                }
                turn = taken + QUANTUM;
            }
            if (!fill()) {
                return stop != null ? Outcome.MORE : Outcome.WAIT;
            }
        }
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

    /**
     * Drains the outlets as far as they go; true when the sink is empty and every mirror has room for what comes next, or
     * when the pump stops and nobody works for it any more.
     */
    private boolean deliver() {
        boolean sinkReady = stop != null || deliver(sink);
        boolean ready = sinkReady;
        // A pipeful can be teed past a mirror that has not finished the last one; a shared buffer has to wait for it.
        boolean teeing = route == Route.SPLICE
                && bulk
                && buffer == null
                && sink.stranded() == 0
                && !prefix.hasRemaining()
                && !finished();
        for (Outlet mirror : mirrors) {
            if (stop == null && !mirror.detached()) {
                ready &= serve(mirror, teeing) || stop == null && slow(mirror, sinkReady);
            }
        }
        if (stop != null) {
            return quiet();
        }
        if (ready && buffer != null) {
            if (quiet()) {
                CopyBuffer.giveBack(buffer);
            } else {
                CopyBuffer.forget();
            }
            buffer = null;
        }
        return ready;
    }

    private boolean deliver(Outlet outlet) {
        int drained = outlet.drain();
        return drained < 0 ? failed(outlet, Side.SINK) : drained > 0;
    }

    /** Drains a mirror, a file aside; true if it is ready for what comes next, or out of the way. */
    private boolean serve(Outlet mirror, boolean teeing) {
        if (!mirror.busy()) {
            if (mirror.result() < 0) {
                return failed(mirror, Side.MIRROR);
            }
            mirror.advance();
            if (mirror.blocking() && mirror.pending()) {
                mirror.drainAside();
            } else {
                int drained;
                do {
                    drained = mirror.drain();
                } while (drained > 0 && mirror.advance());
                if (drained < 0) {
                    return failed(mirror, Side.MIRROR);
                }
            }
        }
        boolean ready = teeing ? mirror.hasRoom() : mirror.idle();
        if (ready) {
            mirror.notSlow();
        }
        return ready;
    }

    /** A mirror holds the stream up, if the sink does not; true once it has done so for too long and is detached. */
    private boolean slow(Outlet mirror, boolean sinkReady) {
        long patience = mirror.patience();
        if (patience == 0 || !sinkReady) {
            mirror.notSlow();
            return false;
        }
        long left = mirror.slowUntil(System.nanoTime()) - System.nanoTime();
        if (left > 0) {
            pump.readyAfter(left);
            return false;
        }
        mirror.detach(new SluiceException(
                mirror.name() + ": detached, since it held the stream up for " + Duration.ofNanos(patience), "", 0));
        return true;
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
            mirror.detach(new Stop(why, Side.MIRROR, mirror.name(), mirror.call(), (int) -mirror.result(), cause)
                    .toException());
        } else if (stop == null) {
            int errno = (int) -mirror.result();
            stop = new Stop(why, Side.MIRROR, mirror.name(), mirror.call(), errno, cause);
        }
    }

    /** Takes the next bytes from the source, or finds another way to try them next; false if there are none now, or the source failed. */
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
            case SPLICE -> bulk ? fillPipe(want) : fillBuffer(want);
            case COPY -> fillBuffer(want);
            case SENDFILE, COPY_FILE_RANGE -> direct(want);
        };
    }

    private boolean fillPipe(long want) {
        RawPipe pipe = borrowPipes();
        if (pipe == null) {
            copyBecause("no kernel pipe was to be had; raise the descriptor limit (ulimit -n)");
            return true;
        }
        long count = source.splice(pipe.writeEnd(), Math.min(want, pipe.capacity()));
        if (count > 0) {
            taken += count;
            sink.filled(count);
            tee(pipe, count);
            if (adaptive) {
                lean = count < LEAN ? lean + 1 : 0;
                bulk = lean < LEAN_TIMES;
            }
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
            return true;
        }
        return sourceFailed("splice", count);
    }

    /** The pipe of the sink and of every mirror; null if one of them could not be had. */
    private RawPipe borrowPipes() {
        RawPipe pipe = sink.pipe();
        if (pipe == null || mirrors.length == 0) {
            return pipe;
        }
        int capacity = pipe.capacity();
        for (Outlet mirror : mirrors) {
            if (!mirror.detached()) {
                RawPipe other = mirror.vacantPipe();
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
                long teed = Pipes.tee(pipe.readEnd(), mirror.vacantPipe().writeEnd(), count);
                mirror.teed(Math.max(teed, 0));
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
        pump.readyAfter(Math.max(1, rate.nanosUntilWorthwhile()));
        return false;
    }

    /** False if the pump will be told when there is a buffer. */
    private boolean borrowBuffer() {
        buffer = CopyBuffer.borrow(pump);
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
            if (adaptive && count >= BULK) {
                bulk = true;
                lean = 0;
            }
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
        if (!atEnd) {
            // Splice says that there is nothing, and peeking says that there is: by copying, then, for a while.
            adaptive = route == Route.SPLICE;
            bulk = false;
        }
        return true;
    }

    /** False if the pump will be told; an idle pump holds no pipe. */
    private boolean awaitSource() {
        rest();
        if (source.foreign()) {
            source.pause();
            pump.ready();
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

    /** The account of everything, once no step follows; then the sides may be left. */
    TransferResult result() {
        return account().result(Duration.ofNanos(System.nanoTime() - started));
    }

    private Account account() {
        return new Account(route, directRoute, reason, sink, mirrors);
    }

    /** When even settling failed: nothing is known of what was left on the way. */
    TransferException broken(TransferResult result, Throwable cause) {
        abort("settle", cause);
        return stop.toException(result, -1, new byte[0]);
    }

    /** What stopped the flow, with what was left on the way; null if it came to its end. Empties everything. */
    TransferException settle(TransferResult result) {
        TransferException failure = null;
        if (stop != null) {
            failure = stop.toException(result, account().unacknowledged(), sink.takePending(prefix));
        } else {
            rest();
        }
        for (Outlet mirror : mirrors) {
            mirror.drop();
        }
        if (buffer != null) {
            CopyBuffer.giveBack(buffer);
            buffer = null;
        }
        return failure;
    }

    /** How many bytes the sink has accepted so far. */
    long accepted() {
        return sink.accepted();
    }
}
