package dev.sluice.loop;

import dev.sluice.internal.fd.CopyBuffer;
import dev.sluice.internal.fd.RawPipe;
import dev.sluice.internal.linux.Pipes;
import dev.sluice.io.Side;
import dev.sluice.io.SluiceException;
import dev.sluice.io.TransferException.Reason;
import java.io.IOException;
import java.nio.channels.AsynchronousCloseException;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;

/** The mirrors of a flow: gives each its copy of the bytes, and holds each to its terms. */
final class Mirrors {
    private final Pump pump;
    /** An array, since a step walks it several times, and a list would make an iterator each time. */
    private final Mirror[] all;

    private Stop stop;

    Mirrors(Pump pump, List<Mirror> mirrors) {
        this.pump = pump;
        this.all = mirrors.toArray(Mirror[]::new);
    }

    boolean none() {
        return all.length == 0;
    }

    List<Mirror> list() {
        return Arrays.asList(all);
    }

    /** Why the flow can't go on, or null as long as it can: one has failed that may not. */
    Stop stop() {
        return stop;
    }

    boolean allRefuse() {
        return Arrays.stream(all).allMatch(mirror -> mirror.refusal() != null);
    }

    void refuse(String why) {
        for (Mirror mirror : all) {
            mirror.refuse(why);
        }
    }

    /** Whether one of them has only so much time, which a loop has to watch. */
    boolean timed() {
        return Arrays.stream(all).anyMatch(mirror -> mirror.terms().slow() != Mirror.Slow.BLOCK);
    }

    boolean foreign() {
        return Arrays.stream(all).anyMatch(Outlet::foreign);
    }

    void attach(EventLoop loop) throws IOException {
        for (Mirror mirror : all) {
            mirror.attach(pump, loop);
        }
    }

    void leave() {
        for (Mirror mirror : all) {
            mirror.leave();
        }
    }

    void rest() {
        for (Mirror mirror : all) {
            mirror.rest();
        }
    }

    void drop() {
        for (Mirror mirror : all) {
            mirror.drop();
        }
    }

    /** Whether nobody works for the flow aside. */
    boolean quiet() {
        for (Mirror mirror : all) {
            if (mirror.busy()) {
                return false;
            }
        }
        return true;
    }

    void checkOpen() {
        for (Mirror mirror : all) {
            if (!mirror.detached() && !mirror.isOpen() && !mirror.busy()) {
                failed(mirror, Reason.CLOSED, new AsynchronousCloseException());
            }
        }
    }

    /**
     * Drains the mirrors as far as they go; true when each can take what comes next, or is out of the way.
     *
     * @param teeing whether what comes next is a pipeful
     * @param sinkReady whether only the mirrors hold the stream up
     * @param last whether nothing comes next
     */
    boolean serve(boolean teeing, boolean sinkReady, boolean last) {
        boolean ready = true;
        for (Mirror mirror : all) {
            if (stop == null && !mirror.detached()) {
                int served = mirror.serve(teeing);
                if (served < 0) {
                    failed(mirror, Reason.FAILED, mirror.failure());
                } else if (served > 0 && (!last || mirror.idle())) {
                    mirror.keepsUp();
                } else {
                    ready &= slow(mirror, sinkReady, last);
                }
            }
        }
        return ready && stop == null;
    }

    /** A mirror holds the stream up, if the sink does not; true once it has done so for too long and is passed by. */
    private boolean slow(Mirror mirror, boolean sinkReady, boolean last) {
        Mirror.Slow terms = mirror.terms().slow();
        if (terms == Mirror.Slow.BLOCK || !sinkReady || last && terms == Mirror.Slow.DROP) {
            mirror.keepsUp();
            return false;
        }
        long left = mirror.patienceLeft();
        if (left > 0) {
            pump.readyAfter(left);
            return false;
        }
        if (terms == Mirror.Slow.DROP) {
            mirror.skip();
            return true;
        }
        Duration patience = Duration.ofNanos(mirror.terms().patience());
        mirror.detach(
                new SluiceException(mirror.name() + ": detached, since it held the stream up for " + patience, "", 0));
        return true;
    }

    private void failed(Mirror mirror, Reason why, Throwable cause) {
        Stop what = new Stop(why, Side.MIRROR, mirror.name(), mirror.call(), (int) -mirror.result(), cause);
        if (mirror.terms().detachable()) {
            mirror.detach(what.toException());
        } else if (stop == null) {
            stop = what;
        }
    }

    /** Lends every mirror an empty pipe; the smallest capacity among them and {@code capacity}, or −1 without one. */
    int borrowPipes(int capacity) {
        int smallest = capacity;
        for (Mirror mirror : all) {
            if (!mirror.detached() && !mirror.skipping()) {
                RawPipe pipe = mirror.vacantPipe();
                if (pipe == null) {
                    return -1;
                }
                smallest = Math.min(smallest, pipe.capacity());
            }
        }
        return smallest;
    }

    /** Duplicates a pipeful to each; false if one of them did not get all of it (S21, S22). */
    boolean tee(RawPipe pipe, long count) {
        boolean complete = true;
        for (Mirror mirror : all) {
            if (mirror.detached()) {
                continue;
            }
            if (mirror.skipping()) {
                mirror.skipped(count);
            } else {
                long teed = Pipes.tee(pipe.readEnd(), mirror.vacantPipe().writeEnd(), count);
                mirror.teed(Math.max(teed, 0));
                if (teed < 0) {
                    pump.refused(mirror, "tee", teed, "a pipeful could not be duplicated and is copied");
                }
                complete &= teed == count;
            }
        }
        return complete;
    }

    /** The buffer's first {@code count} bytes go to each. */
    void share(CopyBuffer buffer, int count) {
        for (Mirror mirror : all) {
            if (!mirror.detached()) {
                mirror.share(buffer, 0, count);
            }
        }
    }

    /** The buffer holds a part of the last pipeful, from {@code offset}: each gets what it lacks of that. */
    void shareRest(CopyBuffer buffer, int offset, int count) {
        for (Mirror mirror : all) {
            if (!mirror.detached()) {
                mirror.share(buffer, Math.clamp(mirror.teed() - offset, 0, count), count);
            }
        }
    }
}
