package dev.sluice.loop;

import dev.sluice.internal.fd.Descriptor;
import dev.sluice.internal.fd.PipePool;
import dev.sluice.internal.fd.RawPipe;
import dev.sluice.internal.linux.Errno;
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
    private final Terms terms;
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

    /**
     * What becomes of a mirror that fails or is slow.
     *
     * @param detachable whether the transfer goes on without a mirror that has failed
     * @param patience for how many nanoseconds it may hold the stream up before it is detached; 0 for ever
     */
    public record Terms(boolean detachable, long patience) {}

    private Mirror(Descriptor descriptor, WritableByteChannel channel, String refusal, Terms terms) {
        super(descriptor, channel, refusal);
        this.terms = terms;
    }

    /**
     * Becomes the only writer of the descriptor.
     *
     * @throws ClosedChannelException if it is closed
     */
    public static Mirror of(Descriptor descriptor, Terms terms) throws ClosedChannelException {
        return claimed(new Mirror(acquired(descriptor), null, refusalOf(descriptor), terms));
    }

    /** Somebody's channel, which can only be written to. */
    public static Mirror of(WritableByteChannel channel, String refusal, Terms terms) {
        return new Mirror(null, channel, refusal, terms);
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
    SluiceException detachment() {
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
        return (teeing ? hasRoom() : idle()) ? 1 : 0;
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
        } catch (RuntimeException e) {
            failed(new IOException(e), -Errno.EIO);
        }
        synchronized (this) {
            busy = false;
            if (detached()) {
                drop();
            }
        }
        ready();
    }

    /** Goes on without this mirror. What was on its way to it is dropped. */
    synchronized void detach(SluiceException why) {
        detachment = why;
        if (!busy) {
            drop();
        }
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
