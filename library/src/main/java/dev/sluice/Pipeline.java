package dev.sluice;

import dev.sluice.internal.fd.Descriptor;
import dev.sluice.internal.fd.Descriptors;
import dev.sluice.internal.linux.Native;
import dev.sluice.io.Route;
import dev.sluice.io.TransferException;
import dev.sluice.io.TransferResult;
import dev.sluice.loop.Inlet;
import dev.sluice.loop.Outlet;
import dev.sluice.loop.Pump;
import java.io.IOException;
import java.lang.ref.Reference;
import java.nio.channels.Channel;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.locks.LockSupport;

/**
 * A transfer with choices: from a source, past any number of mirrors, to a sink.
 *
 * <pre>{@code
 * Pipeline.from(camera).mirror(recording).to(client);
 * }</pre>
 *
 * <p>Every mirror gets every byte that the sink gets, in order: inside the kernel by tee(2) and splice(2), or from the
 * same buffer when copying. The slowest of them sets the pace.
 *
 * <p>The library's own channels (StreamSocket, KernelPipe, KernelFile) take the kernel's route; any other channel is
 * copied. A pipeline is a plain object for one thread, to be used once.
 */
public final class Pipeline {
    private final ReadableByteChannel source;
    private final List<Mirror> mirrors = new ArrayList<>();
    private long limit = Long.MAX_VALUE;
    private long timeoutNanos;
    private Route route;

    private record Mirror(WritableByteChannel channel, MirrorFailure onFailure) {}

    private Pipeline(ReadableByteChannel source) {
        this.source = source;
    }

    /** Begins a pipeline at its source. */
    public static Pipeline from(ReadableByteChannel source) {
        return new Pipeline(Objects.requireNonNull(source, "source"));
    }

    /** Adds a mirror whose failure fails the transfer. */
    public Pipeline mirror(WritableByteChannel mirror) {
        return mirror(mirror, MirrorFailure.FAIL);
    }

    /** Adds a mirror. */
    public Pipeline mirror(WritableByteChannel mirror, MirrorFailure onFailure) {
        mirrors.add(
                new Mirror(Objects.requireNonNull(mirror, "mirror"), Objects.requireNonNull(onFailure, "onFailure")));
        return this;
    }

    /** Ends the transfer after so many bytes; what follows them stays readable from the source. */
    public Pipeline limit(long bytes) {
        if (bytes < 0) {
            throw new IllegalArgumentException("limit " + bytes + " is negative");
        }
        limit = bytes;
        return this;
    }

    /**
     * Ends the transfer with a TransferException when so much time has passed. A read or write of a foreign channel that
     * blocks can't be cut short; the deadline is seen once it returns.
     */
    public Pipeline timeout(Duration timeout) {
        if (timeout.isNegative() || timeout.isZero()) {
            throw new IllegalArgumentException("timeout " + timeout + " is not positive");
        }
        timeoutNanos = timeout.toNanos();
        return this;
    }

    /** Asks for a route, to test and to compare. Where it is impossible, the best possible one is taken. */
    public Pipeline route(Route wanted) {
        route = Objects.requireNonNull(wanted, "wanted");
        return this;
    }

    /**
     * Runs the transfer to the end of the source or to the limit. Nothing is closed or shut down.
     *
     * <p>The calling thread parks once, until the end; with a foreign channel it makes that channel's calls itself. While
     * the transfer runs, the source has no other reader, and the sink and the mirrors no other writer: a second one gets
     * a ReadPendingException or WritePendingException.
     *
     * @return bytes, route and reason, also of each mirror
     * @throws TransferException if a side fails, if one of the channels is closed meanwhile (the cause is an
     *     AsynchronousCloseException), at the deadline, and on an interrupt, which stays set. It accounts for every byte
     *     that was taken from the source; the channels stay open
     * @throws ClosedChannelException if a channel is closed already
     * @throws IOException if no transfer can be started
     */
    public TransferResult to(WritableByteChannel sink) throws IOException {
        Thread waiting = Thread.currentThread();
        Pump pump = pump(Objects.requireNonNull(sink, "sink"), () -> LockSupport.unpark(waiting));
        long deadline = timeoutNanos == 0 ? Long.MAX_VALUE : System.nanoTime() + timeoutNanos;
        try {
            if (pump.needsCaller()) {
                pump.pumpHere(deadline);
            } else {
                pump.start();
                await(pump, deadline);
            }
        } finally {
            // A channel that is forgotten is closed, but not while it is at work.
            Reference.reachabilityFence(this);
            Reference.reachabilityFence(sink);
        }
        if (pump.failure() != null) {
            throw pump.failure();
        }
        return pump.result();
    }

    private static void await(Pump pump, long deadline) {
        boolean interrupted = false;
        boolean cancelled = false;
        while (!pump.ended()) {
            if (cancelled || deadline == Long.MAX_VALUE) {
                LockSupport.park(pump);
            } else {
                LockSupport.parkNanos(pump, deadline - System.nanoTime());
            }
            if (Thread.interrupted()) {
                interrupted = true;
                cancelled = true;
                pump.cancel(TransferException.Reason.INTERRUPTED);
            } else if (!cancelled && deadline != Long.MAX_VALUE && deadline - System.nanoTime() <= 0) {
                cancelled = true;
                pump.cancel(TransferException.Reason.DEADLINE);
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** Claims all sides, or none. */
    Pump pump(WritableByteChannel sink, Runnable onEnd) throws ClosedChannelException {
        Inlet inlet = inlet(source);
        List<Outlet> outlets = new ArrayList<>(mirrors.size() + 1);
        try {
            outlets.add(outlet(sink, false));
            for (Mirror mirror : mirrors) {
                outlets.add(outlet(mirror.channel, mirror.onFailure == MirrorFailure.DETACH));
            }
        } catch (ClosedChannelException | RuntimeException e) {
            Pump.unclaim(inlet, outlets);
            throw e;
        }
        List<Outlet> claimedMirrors = List.copyOf(outlets.subList(1, outlets.size()));
        return new Pump(inlet, outlets.getFirst(), claimedMirrors, limit, route, onEnd);
    }

    private static Inlet inlet(ReadableByteChannel channel) throws ClosedChannelException {
        Descriptor descriptor = Descriptors.of(channel);
        if (descriptor != null) {
            return Inlet.of(descriptor);
        }
        requireOpen(channel);
        return Inlet.of(channel, foreign("source", channel));
    }

    private static Outlet outlet(WritableByteChannel channel, boolean detachable) throws ClosedChannelException {
        Descriptor descriptor = Descriptors.of(channel);
        if (descriptor != null) {
            return Outlet.of(descriptor, detachable);
        }
        requireOpen(channel);
        return Outlet.of(channel, foreign("sink", channel), detachable);
    }

    private static void requireOpen(Channel channel) throws ClosedChannelException {
        if (!channel.isOpen()) {
            throw new ClosedChannelException();
        }
    }

    private static String foreign(String side, Channel channel) {
        return Native.available()
                ? "the " + side + " is a " + channel.getClass().getName() + ", whose descriptor is out of reach"
                : "no native access: " + Native.unavailable();
    }
}
