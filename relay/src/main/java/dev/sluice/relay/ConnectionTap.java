package dev.sluice.relay;

import dev.sluice.internal.fd.CopyBuffer;
import dev.sluice.internal.fd.Descriptor;
import dev.sluice.internal.fd.Waiter;
import dev.sluice.internal.linux.Errno;
import dev.sluice.internal.linux.Sockets;
import dev.sluice.io.Endpoint;
import dev.sluice.io.SluiceException;
import dev.sluice.loop.EventLoop;
import dev.sluice.loop.Watch;
import java.io.IOException;

/** A copy that goes to a mirror target. What the target answers is read and thrown away, so that it never has to wait. */
final class ConnectionTap extends Tap implements Dial.Caller, Waiter {
    /** Others have their turn after so many reads of a target that talks without end. */
    private static final int READS = 16;

    private final Endpoint client;
    private final Timeouts times;
    private final Runnable placeFree;
    private Upstreams.Order order;
    private Upstream target;
    private Dial dial;
    private IOException lastError;

    private Descriptor descriptor;
    private Watch watch;
    private boolean answered;

    ConnectionTap(
            MirrorPoint point,
            Directions direction,
            EventLoop loop,
            Runnable onChange,
            Endpoint client,
            Timeouts times,
            Runnable placeFree) {
        super(point, direction, loop, onChange);
        this.client = client;
        this.placeFree = placeFree;
        this.times = times.connect(((MirrorTargets) point.mirroring()).connectTimeout());
    }

    @Override
    void open() {
        if (!point.awaited() && !point.upstreams().available()) {
            absent(new SluiceException(
                    point.mirroring().name() + ": left for a while, since it could not be reached", "", 0));
            return;
        }
        order = point.upstreams().order(client);
        next();
    }

    private void next() {
        if (!order.next()) {
            absent(new SluiceException(point.mirroring().name() + ": it has as many connections as it may", "", 0));
            return;
        }
        target = order.chosen();
        if (target == null) {
            absent(lastError);
            return;
        }
        dial = new Dial(target, loop, times, this);
        dial.start();
    }

    @Override
    public void reached(Descriptor connected) {
        dial = null;
        descriptor = connected;
        target.standing().reached();
        target.connected.increment();
        target.active.increment();
        opened();
    }

    @Override
    public void failed(IOException why) {
        dial = null;
        lastError = why;
        leave(true);
        next();
    }

    private void leave(boolean failing) {
        if (failing) {
            target.failed.increment();
            target.standing().failed(order.claim(), System.nanoTime());
        } else {
            target.standing().unknown(order.claim());
        }
        leave();
    }

    private void leave() {
        target.leave();
        placeFree.run();
    }

    @Override
    void giveUp(boolean tooSlow) {
        if (dial != null) {
            dial.abandon();
            dial = null;
            leave(tooSlow);
        }
    }

    @Override
    Descriptor descriptor() {
        return descriptor;
    }

    @Override
    void flowing() {
        try {
            watch = Watch.of(descriptor, loop);
            drain();
        } catch (IOException e) {
            // It is watched already, since it was connected; if not, the pump fails to watch it, too.
            broken("epoll_ctl", Errno.EIO);
        }
    }

    /** Something to read, or the end. */
    @Override
    public void ready() {
        loop.execute(this::drain);
    }

    private void drain() {
        if (!descriptor.isOpen() || watch == null) {
            return;
        }
        for (int i = 0; i < READS; i++) {
            watch.clear(Watch.READ);
            long count = discard();
            if (count < 0 && !Errno.wouldBlock(count)) {
                broken("recv", (int) -count);
                return;
            }
            if (count == 0) {
                answered = true;
                int error = Sockets.option(descriptor.fd(), Sockets.SOL_SOCKET, Sockets.SO_ERROR);
                if (error != 0) {
                    broken("recv", Math.abs(error));
                    return;
                }
                if (state() == State.PARTING) {
                    finish();
                    return;
                }
            }
            if (count <= 0 && watch.arm(Watch.READ, this)) {
                return;
            }
        }
        loop.execute(this::drain);
    }

    private long discard() {
        CopyBuffer scratch = CopyBuffer.borrowBriefly();
        try {
            return Sockets.discard(descriptor.fd(), scratch.address(), CopyBuffer.SIZE);
        } finally {
            CopyBuffer.giveBack(scratch);
        }
    }

    @Override
    void close(boolean whole) {
        if (!whole) {
            // By a reset, as it was born.
            hangUp();
        } else {
            Sockets.shutdown(descriptor.fd(), Sockets.SHUT_WR);
            if (answered) {
                finish();
            }
        }
    }

    @Override
    void part() {
        // It ended with its direction.
    }

    /** A close before the target has done would reset it if it said another word, and it might lose what it has not read. */
    @Override
    void hurry() {
        if (state() == State.PARTING) {
            finish();
        }
    }

    private void finish() {
        Sockets.lingerNormal(descriptor.fd());
        hangUp();
    }

    private void hangUp() {
        if (descriptor.isOpen()) {
            if (watch != null) {
                watch.disarm(Watch.READ, this);
            }
            descriptor.close();
            target.active.decrement();
            leave();
        }
        gone();
    }
}
