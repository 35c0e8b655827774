package dev.sluice.relay;

import dev.sluice.internal.fd.Descriptor;
import dev.sluice.internal.fd.Waiter;
import dev.sluice.internal.linux.Errno;
import dev.sluice.internal.linux.Files;
import dev.sluice.internal.linux.Sockets;
import dev.sluice.io.Endpoint;
import dev.sluice.io.SluiceException;
import dev.sluice.loop.EventLoop;
import dev.sluice.loop.Watch;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * One try to reach a target: looks its name up, and connects to one of its addresses after the other, until one answers or
 * the time is up. An address that does not answer leaves the others their share of the time. Everything happens on the loop.
 */
final class Dial implements Waiter {
    /** The backlog of a Unix listener is full, and no poll tells when it is not. */
    private static final long BACKLOG_POLL_NANOS = 2_000_000;

    /** How long an answer is worth waiting for if there is an old one. */
    private static final long NEW_ANSWER_NANOS = TimeUnit.SECONDS.toNanos(1);

    private final Upstream target;
    private final EventLoop loop;
    private final Timeouts times;
    private final Caller caller;

    private final long deadline;
    private final Runnable lookedUp = this::lookedUp;
    private List<Endpoint> addresses = List.of();
    private int next;
    private Descriptor connecting;
    private EventLoop.Timer timer;
    private IOException lastError;
    private boolean over;

    /** Who wants to reach the target; is told once. */
    interface Caller {
        /** The socket is the caller's now. */
        void reached(Descriptor server);

        void failed(IOException why);
    }

    Dial(Upstream target, EventLoop loop, Timeouts times, Caller caller) {
        this.target = target;
        this.loop = loop;
        this.times = times;
        this.caller = caller;
        this.deadline = System.nanoTime() + times.connect().toNanos();
    }

    /** The caller may be told before this returns. */
    void start() {
        timer = loop.schedule(times.connect().toNanos(), this::timedOut);
        lookUp();
    }

    /** The caller will not be told any more. */
    void abandon() {
        over = true;
        if (timer != null) {
            timer.cancel();
        }
        target.addresses().forget(lookedUp);
        hangUp();
    }

    private void lookUp() {
        List<Endpoint> found = target.addresses().get(lookedUp);
        if (found == null) {
            // A name server that is gone must not keep us from where we have been before.
            loop.schedule(NEW_ANSWER_NANOS, () -> tryAt(target.addresses().last()));
        } else if (found.isEmpty()) {
            fail(target.addresses().failure());
        } else {
            tryAt(found);
        }
    }

    private void tryAt(List<Endpoint> found) {
        if (!over && addresses.isEmpty() && !found.isEmpty()) {
            addresses = found;
            nextAddress();
        }
    }

    /** On any thread. */
    private void lookedUp() {
        loop.execute(() -> {
            if (!over && addresses.isEmpty()) {
                lookUp();
            }
        });
    }

    private void timedOut() {
        String what = addresses.isEmpty()
                ? ": the name was not looked up in time; check the name server"
                : ": connect: no answer in time; check the address and the firewall";
        lastError = new SluiceException(target.name() + what, "connect", Errno.ETIMEDOUT);
        hangUp();
        nextAddress();
    }

    private void nextAddress() {
        if (next > 0) {
            target.addresses().reachable(addresses.get(next - 1), false);
        }
        while (next < addresses.size()) {
            timer.cancel();
            long share = (deadline - System.nanoTime()) / (addresses.size() - next);
            timer = loop.schedule(Math.max(0, share), this::timedOut);
            if (connect(addresses.get(next++))) {
                return;
            }
            target.addresses().reachable(addresses.get(next - 1), false);
        }
        fail(lastError);
    }

    private void fail(IOException why) {
        abandon();
        caller.failed(why);
    }

    /** False if the address is out of the question. */
    private boolean connect(Endpoint address) {
        int fd = Sockets.stream(Sockets.family(address));
        if (fd < 0) {
            lastError = Descriptor.failure("socket", address.toString(), fd);
            return false;
        }
        if (address instanceof Endpoint.Tcp) {
            Tuning.connection(fd, times);
        }
        int result = Sockets.connect(fd, address);
        if (result == 0 || result == -Errno.EINPROGRESS || result == -Errno.EINTR) {
            connecting = new Descriptor(fd, Descriptor.Kind.SOCKET, address.toString());
            if (result == 0) {
                connected();
            } else {
                awaitConnected();
            }
            return true;
        }
        Files.close(fd);
        if (result == -Errno.EAGAIN) {
            loop.schedule(BACKLOG_POLL_NANOS, () -> {
                if (!over && !connect(address)) {
                    nextAddress();
                }
            });
            return true;
        }
        lastError = Descriptor.failure("connect", address.toString(), result);
        return false;
    }

    private void awaitConnected() {
        try {
            Watch watch = Watch.of(connecting, loop);
            while (!watch.arm(Watch.WRITE, this)) {
                if (checkConnected()) {
                    return;
                }
            }
        } catch (IOException e) {
            lastError = e;
            hangUp();
            nextAddress();
        }
    }

    /** The socket is ready: it is connected, or refused, or it was a false alarm. */
    @Override
    public void ready() {
        loop.execute(() -> {
            if (!over && connecting != null && !checkConnected()) {
                awaitConnected();
            }
        });
    }

    /** False if it is neither connected nor refused yet. */
    private boolean checkConnected() {
        boolean made;
        try {
            made = connecting.connected();
        } catch (SluiceException e) {
            lastError = e;
            hangUp();
            nextAddress();
            return true;
        }
        if (made) {
            connected();
        }
        return made;
    }

    private void connected() {
        Descriptor server = connecting;
        connecting = null;
        target.addresses().reachable(addresses.get(next - 1), true);
        abandon();
        caller.reached(server);
    }

    private void hangUp() {
        if (connecting != null) {
            connecting.close();
            connecting = null;
        }
    }
}
