package dev.sluice.internal.fd;

import java.util.ArrayDeque;

/**
 * Lends kernel pipes. An idle connection holds none; a flow borrows one when bytes are at hand and gives it back empty.
 *
 * <p>Only empty pipes come back: one with bytes inside would hand them to the next borrower (S10). The last one given
 * back is lent first, since the kernel's pages of it are warm.
 */
public final class PipePool {
    /** The largest size an unprivileged user may ask for by default; larger steps and fewer wake-ups than 64 KiB. */
    public static final int PREFERRED_CAPACITY = 1 << 20;

    private static final int MAX_IDLE = 64;

    /**
     * Bytes that all lent pipes together may hold before each has to do with less. A byte in a pipe can cost six bytes of
     * kernel memory, as whole socket buffers are moved into it (S35).
     */
    private static final int BUDGET = 64 << 20;

    private static final int LEAST_SHARE = 64 << 10;
    private static final PipePool SHARED = new PipePool();

    private final ArrayDeque<RawPipe> idle = new ArrayDeque<>();
    private volatile int lent;
    private long small;

    private PipePool() {}

    public static PipePool shared() {
        return SHARED;
    }

    /** An empty pipe, as large as the kernel allows up to the preferred size; null when none is to be had. */
    public RawPipe borrow() {
        synchronized (this) {
            RawPipe pipe = idle.pollLast();
            if (pipe != null) {
                lent++;
                return pipe;
            }
        }
        return make();
    }

    private RawPipe make() {
        RawPipe pipe = RawPipe.open();
        if (pipe != null) {
            boolean full = pipe.resize(PREFERRED_CAPACITY) >= PREFERRED_CAPACITY;
            synchronized (this) {
                lent++;
                small += full ? 0 : 1;
            }
            if (!full) {
                Shortfall.LARGE_PIPES.tell(() -> "transfers take small steps: the kernel gave a pipe of "
                        + pipe.capacity() / 1024 + " KiB, not " + PREFERRED_CAPACITY / 1024
                        + "; raise fs.pipe-max-size or fs.pipe-user-pages-soft with sysctl");
            }
        }
        return pipe;
    }

    /** Takes back a pipe that is empty. */
    public void giveBack(RawPipe pipe) {
        synchronized (this) {
            lent--;
            if (idle.size() < MAX_IDLE && pipe.capacity() >= PREFERRED_CAPACITY) {
                idle.addLast(pipe);
                return;
            }
        }
        // A small pipe was the best to be had at the time; the next borrower may be luckier.
        pipe.close();
    }

    /** Takes back a pipe that may hold bytes: it is closed and they are gone. */
    public void discard(RawPipe pipe) {
        synchronized (this) {
            lent--;
        }
        pipe.close();
    }

    /** How many bytes a flow may put into its pipe now: plenty for few flows, less when many are stalled. */
    public int fairShare() {
        return Math.clamp(BUDGET / (lent + 1), LEAST_SHARE, PREFERRED_CAPACITY);
    }

    /** How many pipes are lent at the moment. */
    public int lent() {
        return lent;
    }

    /** How many pipes could not be had in the preferred size, ever. */
    public synchronized long small() {
        return small;
    }

    /** Closes the idle pipes. */
    public void trim() {
        RawPipe pipe;
        while ((pipe = poll()) != null) {
            pipe.close();
        }
    }

    private synchronized RawPipe poll() {
        return idle.pollLast();
    }
}
