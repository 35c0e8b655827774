package dev.sluice.loop;

import dev.sluice.internal.fd.CopyBuffer;
import dev.sluice.internal.fd.Descriptor;
import dev.sluice.internal.fd.PipePool;
import dev.sluice.internal.fd.RawPipe;
import dev.sluice.internal.linux.Errno;
import dev.sluice.internal.linux.Files;
import dev.sluice.io.Route;
import dev.sluice.io.SluiceException;
import java.io.IOException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.WritableByteChannel;

/**
 * An outlet beside the sink. It has a second pipe, which takes the next pipeful while the first is being drained; a file
 * is drained aside, by a thread that may block.
 */
@SuppressWarnings("exports") // Reaches other modules by qualified export only.
public final class Mirror extends Outlet implements Runnable {
    private static final int PAGE = 4096;

    private final Terms terms;
    private final Runnable onDetach;
    private long slowUntil;

    /** What was teed while the first pipe was not empty yet. Only ever touched by the pump. */
    private RawPipe nextPipe;

    private int inNext;
    private boolean teeIntoNext;

    /** How much of the last pipeful it was given. */
    private int teed;

    /** Set while a pool thread drains this mirror, which then nobody else may touch. */
    private volatile boolean busy;

    private volatile SluiceException detachment;

    /** The descriptor has been given back. */
    private boolean left;

    /** Of the stream: what went to the mirror, delivered or not, and what passed it by. Only ever touched by the pump. */
    private long given;

    private boolean skipping;
    /** Of the bytes that leave through the pipes, those that came in by write(2). */
    private long copiedIn;

    private long missed;
    private long gaps;
    private long lastGap = -1;

    /**
     * What becomes of a mirror that fails or is slow.
     *
     * @param detachable whether the transfer goes on without a mirror that has failed
     * @param slow what happens once it has held the stream up for too long
     * @param patience for how many nanoseconds it may do so
     */
    public record Terms(boolean detachable, Slow slow, long patience) {
        /** Its failure is the transfer's, and it is waited for. */
        static final Terms COMPLETE = new Terms(false, Slow.BLOCK, 0);
    }

    /** What becomes of a mirror that is slow. */
    public enum Slow {
        BLOCK,
        DETACH,
        /** It misses what comes before it has caught up. Only with a tape, which can say so. */
        DROP
    }

    private Mirror(Descriptor descriptor, WritableByteChannel channel, String refusal, Terms terms, Runnable onDetach) {
        super(descriptor, channel, refusal);
        this.terms = terms;
        this.onDetach = onDetach;
    }

    /**
     * Becomes the only writer of the descriptor.
     *
     * @throws ClosedChannelException if it is closed
     */
    public static Mirror of(Descriptor descriptor, Terms terms) throws ClosedChannelException {
        return of(descriptor, terms, () -> {});
    }

    /**
     * The same for an owner who wants to close it as soon as the pump goes on without it.
     *
     * @param onDetach run once it is detached and its descriptor has been left, by any thread; must not block
     */
    public static Mirror of(Descriptor descriptor, Terms terms, Runnable onDetach) throws ClosedChannelException {
        return claimed(new Mirror(acquired(descriptor), null, refusalOf(descriptor), terms, onDetach));
    }

    /** Somebody's channel, which can only be written to. */
    public static Mirror of(WritableByteChannel channel, String refusal, Terms terms) {
        return new Mirror(null, channel, refusal, terms, () -> {});
    }

    Terms terms() {
        return terms;
    }

    boolean busy() {
        return busy;
    }

    boolean detached() {
        return detachment != null;
    }

    /** What detached the mirror, or null. */
    public SluiceException detachment() {
        return detachment;
    }

    /** Nothing is on its way any more. */
    boolean idle() {
        return !busy && !pending() && inNext == 0;
    }

    /**
     * Delivers as far as it goes, a file aside: 1 if the mirror can take what comes next, 0 if not yet, −errno if it failed.
     *
     * @param teeing whether what comes next is a pipeful, for which one empty pipe will do
     */
    int serve(boolean teeing) {
        skipping = false;
        if (!busy) {
            if (result() < 0) {
                return (int) result();
            }
            advance();
            if (blocking() && pending()) {
                drainAside();
            } else {
                int drained;
                do {
                    drained = drain();
                } while (drained > 0 && advance());
                if (drained < 0) {
                    return drained;
                }
            }
        }
        if (teeing) {
            return hasRoom() ? 1 : 0;
        }
        return (terms.slow() == Slow.DROP ? canKeep() : idle()) ? 1 : 0;
    }

    /**
     * Whether one of the pipes is empty and may be filled, which {@link #vacantPipe} then gives. What waits in the second
     * pipe comes before anything new, even if the first has been emptied in this moment.
     */
    private boolean hasRoom() {
        if (inNext > 0) {
            return false;
        }
        teeIntoNext = busy || pending();
        return true;
    }

    /**
     * Whether a part of a buffer fits into the pipes. A mirror that may drop does not share the buffer: each part would have
     * to wait until the last one is written, or be dropped however fast the disk is.
     */
    private boolean canKeep() {
        teeIntoNext = busy || pending() || inNext > 0;
        // A part takes at most one slot more than it has pages.
        return inNext == 0 || inNext + CopyBuffer.SIZE + PAGE <= nextPipe.capacity();
    }

    /** The bytes go into the pipe at once, as far as there is room. */
    private void keep(CopyBuffer buffer, int from, int length) {
        RawPipe pipe = vacantPipe();
        long count = pipe == null ? 0 : Files.write(pipe.writeEnd(), buffer.address() + from, length);
        int kept = (int) Math.max(count, 0);
        copiedIn += kept;
        if (teeIntoNext) {
            inNext += kept;
        } else {
            filled(kept);
        }
        given += kept;
        if (kept < length) {
            missed(length - kept);
        }
    }

    @Override
    void share(CopyBuffer buffer, int from, int to) {
        if (skipping) {
            missed(to - from);
        } else if (terms.slow() == Slow.DROP && from < to) {
            keep(buffer, from, to - from);
        } else {
            given += to - from;
            super.share(buffer, from, to);
        }
    }

    @Override
    Route route() {
        boolean copied = copiedIn > 0 && spliced() - copiedIn <= copied() + copiedIn;
        return copied ? Route.COPY : super.route();
    }

    /** The mirror is not to get what comes next. */
    void skip() {
        skipping = true;
    }

    boolean skipping() {
        return skipping;
    }

    /** The last pipeful passed it by. */
    void skipped(long count) {
        missed(count);
        // It lacks nothing that would still have to be shared.
        teed = (int) count;
    }

    private void missed(long count) {
        if (count > 0) {
            gaps += given == lastGap ? 0 : 1;
            lastGap = given;
            missed += count;
            tape().missed(given, count);
        }
    }

    long gaps() {
        return gaps;
    }

    long missed() {
        return missed;
    }

    /** After {@link #serve} found room: the empty pipe, borrowed if need be; null when there is none to be had. */
    RawPipe vacantPipe() {
        if (!teeIntoNext) {
            return pipe();
        }
        if (nextPipe == null) {
            nextPipe = PipePool.shared().borrow();
        }
        return nextPipe;
    }

    /** {@code count} bytes were teed into the vacant pipe. */
    void teed(long count) {
        teed = (int) count;
        given += count;
        if (teeIntoNext) {
            inNext = teed;
        } else {
            filled(teed);
        }
    }

    int teed() {
        return teed;
    }

    /** Makes the second pipe the first, once that is empty; true if there is something in it. */
    private boolean advance() {
        if (busy || pending() || inNext == 0) {
            return false;
        }
        nextPipe = exchange(nextPipe, inNext);
        inNext = 0;
        return true;
    }

    /** How long the mirror may go on holding the stream up, in nanoseconds; the clock starts with the first call. */
    long patienceLeft() {
        long now = System.nanoTime();
        if (slowUntil == 0) {
            slowUntil = now + terms.patience();
        }
        return slowUntil - now;
    }

    /** The mirror does not hold the stream up. */
    void keepsUp() {
        slowUntil = 0;
    }

    /** Lets a thread of the pool drain this mirror; the pump is told when it has. */
    private void drainAside() {
        busy = true;
        BlockingPool.shared().execute(this);
    }

    @Override
    public void run() {
        try {
            drain();
        } catch (RuntimeException | Error e) {
            failed(new IOException(e), -Errno.EIO);
        }
        boolean gone;
        synchronized (this) {
            gone = detached();
            if (gone) {
                drop();
                leave();
            }
            // Last: the pump drops the mirror, too, once it is quiet.
            busy = false;
        }
        ready();
        if (gone) {
            onDetach.run();
        }
    }

    /** Goes on without this mirror. What was on its way to it is dropped. */
    void detach(SluiceException why) {
        boolean gone;
        synchronized (this) {
            detachment = why;
            gone = !busy;
            if (gone) {
                drop();
                leave();
            }
        }
        if (gone) {
            onDetach.run();
        }
    }

    /** Also at once when it is detached: a stream may go on for long, and its owner wants to close it. */
    @Override
    public void leave() {
        if (!left) {
            left = true;
            super.leave();
        }
    }

    /**
     * Its owner has found out that it is broken; the pump is told, though it may have nothing to write to it now. On the
     * thread of the pump's steps.
     */
    public void broken(String call, int errno) {
        failed(call, errno);
        ready();
    }

    @Override
    void rest() {
        if (idle()) {
            super.rest();
            if (nextPipe != null) {
                PipePool.shared().giveBack(nextPipe);
                nextPipe = null;
            }
        }
    }

    @Override
    void drop() {
        super.drop();
        if (nextPipe != null) {
            PipePool.shared().discard(nextPipe);
            nextPipe = null;
        }
        inNext = 0;
    }
}
