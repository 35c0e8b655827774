package dev.sluice.loop;

import dev.sluice.internal.fd.CopyBuffer;
import dev.sluice.internal.fd.PipePool;
import dev.sluice.internal.fd.RawPipe;
import dev.sluice.internal.fd.Shortfall;
import dev.sluice.internal.linux.Errno;
import dev.sluice.internal.linux.Files;
import dev.sluice.io.Route;
import dev.sluice.io.Side;
import dev.sluice.io.TransferException;
import dev.sluice.io.TransferException.Reason;
import dev.sluice.io.TransferResult;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousCloseException;
import java.time.Duration;
import java.util.List;

/**
 * The path of the bytes of one pump: where they are, which way they go, and what stopped them.
 *
 * <p>The kernel route: splice fills an empty pipe from the source, tee duplicates it to the mirrors' pipes, and each
 * outlet is drained before the pipe is filled again. So EAGAIN with bytes inside always means the sink, and with an empty
 * pipe always the source (S1, S2).
 */
final class Flow {
    /** A pump that moved so many bytes lets others have their turn: about as many as a pipe holds. */
    private static final long QUANTUM = 1 << 20;

    /** Bytes of one sendfile or copy_file_range, which can't be cut short once it runs (S19, S37). */
    private static final long MAX_DIRECT = 1 << 20;

    /** Bytes spliced into a file at once: writes of a MiB may take pages that the machine has to find first; measured. */
    private static final int MAX_TO_FILE = 256 * 1024;

    /** A read that finds so much is of a flow that splice serves better; measured, see the benchmarks. */
    private static final int BULK = 32 * 1024;

    /** A flow whose splices find less than this, so many times in a row, has turned chatty. */
    private static final int LEAN = 16 * 1024;

    private static final int LEAN_TIMES = 8;

    /** There copy_file_range splices, too, by 64 KiB at a time; measured, see the benchmarks. */
    private static final String NO_SHARING = ", since ext4 shares no blocks and gains nothing from copy_file_range(2)";

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
    private final Mirrors mirrors;

    private final long limit;
    private final ByteBuffer prefix;
    private final Rate rate;
    private final long started = System.nanoTime();
    private final Object recorded = FlightRecorder.begin();

    private volatile Stop stop;
    private Route route;
    private Route directRoute;

    /** The route is left to us: a flow starts by copying, and is spliced for as long as it proves to be bulk. */
    private boolean adaptive;

    private boolean bulk = true;

    /** Bytes of the last splice from the source. */
    private long pipeful;

    private int lean;
    private String reason;
    private volatile long taken;
    private boolean atEnd;

    /** The last read took everything that there was then. */
    private boolean emptied;

    /** How many bytes of a stranded pipeful have been handed out. */
    private int untaken;

    Flow(Pump pump, Inlet source, Outlet sink, List<Mirror> mirrors, Pump.Options options) {
        this.pump = pump;
        this.source = source;
        this.sink = sink;
        this.mirrors = new Mirrors(pump, mirrors);
        this.limit = options.limit();
        this.prefix = options.prefix();
        this.rate = options.rate();
        choose(options.route());
    }

    private void choose(Route forced) {
        boolean files = source.blocking() && sink.blocking() && mirrors.none();
        if (forced == Route.COPY) {
            copyBecause("copying was asked for");
            mirrors.refuse(reason);
        } else if (source.foreign() || source.refusal() != null) {
            copyBecause(source.refusal());
        } else if (sink.refusal() != null && mirrors.allRefuse()) {
            copyBecause(sink.refusal());
        } else if (forced == Route.SENDFILE && source.blocking() && mirrors.none()) {
            route = Route.SENDFILE;
            reason = "sendfile(2) was asked for";
        } else if (files && forced != Route.SPLICE && (forced != null || !sink.onExt())) {
            route = Route.COPY_FILE_RANGE;
            reason = "file to file";
        } else {
            route = Route.SPLICE;
            reason = "through a kernel pipe" + (files && forced == null ? NO_SHARING : "");
            adaptive = forced == null && !source.blocking();
            bulk = !adaptive;
        }
        if (forced != Route.COPY && FlightRecorder.recordsFallbacks()) {
            recordRefusals();
        }
    }

    /** What is known before anything was tried: somebody's channel, a terminal, a file for appending. */
    private void recordRefusals() {
        if (source.refusal() != null) {
            FlightRecorder.fallback(Side.SOURCE, source.name(), "", 0, source.refusal());
        }
        if (sink.refusal() != null) {
            FlightRecorder.fallback(Side.SINK, sink.name(), "", 0, sink.refusal());
        }
        for (Mirror mirror : mirrors.list()) {
            if (mirror.refusal() != null) {
                FlightRecorder.fallback(Side.MIRROR, mirror.name(), "", 0, mirror.refusal());
            }
        }
    }

    /** A call was refused, after which an outlet goes on without it. Also called by the thread that drains a mirror aside. */
    void refused(Outlet outlet, String call, long result, String why) {
        fellBack(outlet == sink ? Side.SINK : Side.MIRROR, outlet.name(), call, result, why);
    }

    private void fellBack(Side side, String name, String call, long result, String why) {
        FlightRecorder.fallback(side, name, call, (int) -result, why);
        boolean forbidden = result == -Errno.ENOSYS || result == -Errno.EPERM;
        if (forbidden && (call.equals("splice") || call.equals("tee"))) {
            Shortfall.SPLICE.tell(() -> "transfers copy: " + call + "(2) says " + Errno.name((int) -result)
                    + "; the kernel or a sandbox forbids it, allow " + call + " in its seccomp profile");
        }
    }

    private void copyBecause(String why) {
        route = Route.COPY;
        reason = why;
    }

    /** Whether a channel takes part that only the caller's own thread may wait on. */
    boolean foreign() {
        return source.foreign() || sink.foreign() || mirrors.foreign();
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
        mirrors.attach(loop);
        boolean timed = rate != null || mirrors.timed();
        return loop == null && timed && !pump.onCaller() ? EventLoop.shared() : loop;
    }

    void leave() {
        source.leave();
        sink.leave();
        mirrors.leave();
    }

    /** Stops at the next step, unless something else has stopped it. */
    void cancel(Reason why) {
        if (stop == null) {
            stop = new Stop(why, Side.NONE, "", "", 0, null);
        }
    }

    private void stopWith(Stop what) {
        // Whoever cancels does so from another thread: what is not null must never become so.
        if (what != null && stop == null) {
            stop = what;
        }
    }

    /** Stops because of something that should not have happened, such as an exception of somebody else's channel. */
    void abort(String call, Throwable cause) {
        stop = new Stop(Reason.FAILED, Side.NONE, source.name() + " to " + sink.name(), call, 0, cause);
    }

    /** Whether nobody works for the flow aside. */
    boolean quiet() {
        return mirrors.quiet();
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

    /** Whether a step may move a lot. */
    boolean bulk() {
        return bulk;
    }

    /** After a step on a loop: where its thread had better be, and when. */
    void place(Placement placement) {
        if (route != Route.SPLICE || !bulk || !sink.nearby()) {
            return;
        }
        if (sink.pending()) {
            placement.waitsForReader();
        } else {
            placement.delivered(sink.descriptor().fd(), pipeful);
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
            mirrors.checkOpen();
            stopWith(mirrors.stop());
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
        boolean ready = stop != null || deliverToSink();
        if (ready && stop == null && finished()) {
            pump.delivered();
        }
        if (stop == null) {
            // A pipeful can be teed past a mirror that has not finished the last one; other things go to all at once.
            boolean teeing =
                    route == Route.SPLICE && bulk && sink.stranded() == 0 && !prefix.hasRemaining() && !finished();
            ready &= mirrors.serve(teeing, ready, finished());
            stopWith(mirrors.stop());
        }
        return stop != null ? quiet() : ready;
    }

    private boolean deliverToSink() {
        int drained = sink.drain();
        if (drained < 0 && stop == null) {
            stop = new Stop(Reason.FAILED, Side.SINK, sink.name(), sink.call(), -drained, sink.failure());
        }
        return drained > 0;
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
        if (emptied && source.stillEmpty()) {
            return awaitSource();
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
            FlightRecorder.fallback(Side.NONE, "", "pipe2", 0, reason);
            Shortfall.PIPES.tell(() -> "transfers copy: " + reason);
            return true;
        }
        long room = Math.min(pipe.capacity(), PipePool.shared().fairShare());
        long most = Math.min(want, sink.blocking() ? Math.min(room, MAX_TO_FILE) : room);
        emptied = false;
        long count = source.splice(pipe.writeEnd(), most);
        if (count > 0) {
            taken += count;
            pipeful = count;
            sink.filled(count);
            if (!mirrors.tee(pipe, count)) {
                // A tee can't begin where the last one ended: the pipeful leaves through memory, to all who lack of it.
                sink.strand();
                untaken = 0;
            }
            if (adaptive) {
                lean = count < LEAN ? lean + 1 : 0;
                bulk = lean < LEAN_TIMES;
            }
            return true;
        }
        if (count == 0) {
            return end();
        }
        if (Errno.wouldBlock(count)) {
            if (source.urgent()) {
                // By copying, then, until there is nothing indeed, or plenty again.
                adaptive = true;
                bulk = false;
                return true;
            }
            return awaitSource();
        }
        if (Outlet.refused(count)) {
            source.refuse("the source refuses splice(2): " + Errno.name((int) -count));
            fellBack(Side.SOURCE, source.name(), "splice", count, source.refusal());
            rest();
            copyBecause(source.refusal());
            return true;
        }
        return sourceFailed("splice", count);
    }

    /** The pipe of the sink and of every mirror; null if one of them could not be had. */
    private RawPipe borrowPipes() {
        RawPipe pipe = sink.pipe();
        if (pipe == null || mirrors.none()) {
            return pipe;
        }
        // An empty mirror pipe with as many slots as the main one takes a whole tee (S22).
        int capacity = mirrors.borrowPipes(pipe.capacity());
        if (capacity < 0 || pipe.resize(capacity) != capacity) {
            rest();
            return null;
        }
        return pipe;
    }

    /** The next part of a pipeful that a mirror could not take whole. */
    private boolean fillFromStranded() {
        CopyBuffer buffer = CopyBuffer.borrow(pump);
        if (buffer == null) {
            return false;
        }
        int count = sink.readStranded(buffer);
        sink.share(buffer, 0, count);
        mirrors.shareRest(buffer, untaken, count);
        untaken += count;
        CopyBuffer.giveBack(buffer);
        return true;
    }

    private boolean fillFromPrefix() {
        CopyBuffer buffer = CopyBuffer.borrow(pump);
        if (buffer == null) {
            return false;
        }
        int count = Math.min(prefix.remaining(), CopyBuffer.SIZE);
        buffer.view().clear().put(0, prefix, prefix.position(), count);
        prefix.position(prefix.position() + count);
        share(buffer, count);
        CopyBuffer.giveBack(buffer);
        return true;
    }

    /** Until the bucket has filled again. */
    private boolean awaitRate() {
        rest();
        pump.readyAfter(Math.max(1, rate.nanosUntilWorthwhile()));
        return false;
    }

    private void share(CopyBuffer buffer, int count) {
        sink.share(buffer, 0, count);
        mirrors.share(buffer, count);
    }

    /** False, too, if the pump will be told when there is a buffer. */
    private boolean fillBuffer(long want) {
        CopyBuffer buffer = CopyBuffer.borrow(pump);
        if (buffer == null) {
            return false;
        }
        int room = (int) Math.min(want, CopyBuffer.SIZE);
        long count;
        try {
            count = source.read(buffer, room);
            if (count > 0) {
                taken += count;
                share(buffer, (int) count);
            }
        } finally {
            CopyBuffer.giveBack(buffer);
        }
        if (count > 0) {
            if (adaptive && count >= BULK) {
                bulk = true;
                lean = 0;
            }
            emptied = count < room;
            return true;
        }
        if (count == 0) {
            return end();
        }
        return Errno.wouldBlock(count) ? awaitSource() : sourceFailed("read", count);
    }

    /** Calls that need no pipe. Nothing is in flight between two of them, so any failure may be tried again by splice. */
    private boolean direct(long want) {
        int from = source.descriptor().fd();
        int to = sink.descriptor().fd();
        sink.descriptor().stayNonBlocking();
        long length = Math.min(want, MAX_DIRECT);
        long count = route == Route.SENDFILE ? Files.sendfile(to, from, length) : Files.copyFileRange(from, to, length);
        if (count > 0) {
            taken += count;
            sink.accepted(count);
            directRoute = route;
            return true;
        }
        if (count == 0 && taken > 0) {
            return end();
        }
        if (Errno.wouldBlock(count)) {
            return !sink.arm();
        }
        // Virtual file systems say 0 at once, whatever there is to read; splice and read tell the truth.
        String call = route == Route.SENDFILE ? "sendfile" : "copy_file_range";
        reason = "through a kernel pipe, since " + call + "(2) "
                + (count == 0 ? "found nothing" : "was refused: " + Errno.name((int) -count));
        route = Route.SPLICE;
        fellBack(Side.NONE, source.name() + " to " + sink.name(), call, count, reason);
        if (sink.refusal() != null) {
            copyBecause(sink.refusal());
        }
        return fill();
    }

    /** The source says that there is nothing more. */
    private boolean end() {
        long missing = Math.min(limit - taken, source.missing(taken));
        if (missing > 0) {
            return sourceFailed("a file that shrank meanwhile; " + missing + " bytes are missing", -Errno.ENODATA);
        }
        CopyBuffer scratch = CopyBuffer.borrowBriefly();
        atEnd = source.atEnd(scratch);
        CopyBuffer.giveBack(scratch);
        if (!atEnd) {
            // Splice says that there is nothing, and somebody else that there is: by copying, then, for a while.
            adaptive = route != Route.COPY;
            route = adaptive ? Route.SPLICE : Route.COPY;
            bulk = false;
        }
        return true;
    }

    /** False if the pump will be told; an idle pump holds no pipe. */
    private boolean awaitSource() {
        rest();
        if (source.foreign() || source.blocking()) {
            source.pause();
            pump.ready();
            return false;
        }
        return !source.arm();
    }

    private void rest() {
        sink.rest();
        mirrors.rest();
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
        return new Account(route, directRoute, reason, sink, mirrors.list());
    }

    /** Tells Flight Recorder how it ended. */
    void record(TransferResult result, TransferException failure) {
        FlightRecorder.end(recorded, source, sink, result, failure);
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
        mirrors.drop();
        return failure;
    }

    /** How many bytes the sink has accepted so far. */
    long accepted() {
        return sink.accepted();
    }

    boolean endAnnounced() {
        return source.endAnnounced();
    }

    /** How many bytes were taken from the source so far. */
    long taken() {
        return taken;
    }
}
