package dev.sluice.loop;

import dev.sluice.internal.fd.Adoption;
import dev.sluice.internal.fd.Descriptor;
import dev.sluice.internal.fd.Descriptors;
import dev.sluice.io.TransferException;
import dev.sluice.io.TransferException.Reason;
import dev.sluice.io.TransferResult;
import java.nio.channels.Channel;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.locks.LockSupport;

/**
 * The channels of one transfer, claimed: our own by their descriptor, the JDK's by adopting theirs, all others as they
 * are. Keeps them reachable, since a channel that is forgotten is closed.
 */
public final class Sides {
    private final List<Channel> channels = new ArrayList<>(2);
    private final List<Adoption> adoptions = new ArrayList<>(2);
    private final List<Mirror> mirrors = new ArrayList<>(0);
    private Inlet source;
    private Outlet sink;

    /** A channel that is to get what the sink gets, and what becomes of it when it fails or is slow. */
    public record Mirrored(WritableByteChannel channel, Mirror.Terms terms) {
        public Mirrored {
            Objects.requireNonNull(channel, "mirror");
        }
    }

    private Sides() {}

    /**
     * Claims all channels, or none. A source that has mirrors of its own brings them along, ahead of the others.
     *
     * @throws ClosedChannelException if one of them is closed
     * @throws IllegalStateException if one of them is taken by another reader or writer
     */
    public static Sides claim(ReadableByteChannel source, WritableByteChannel sink, List<Mirrored> mirrors)
            throws ClosedChannelException {
        Sides sides = new Sides();
        try {
            sides.source = sides.inlet(Objects.requireNonNull(source, "source"));
            sides.sink = sides.outlet(Objects.requireNonNull(sink, "sink"));
            for (WritableByteChannel tee : Descriptors.mirrors(source)) {
                sides.mirrors.add(sides.mirror(new Mirrored(tee, Mirror.Terms.COMPLETE)));
            }
            for (Mirrored mirrored : mirrors) {
                sides.mirrors.add(sides.mirror(mirrored));
            }
            return sides;
        } catch (ClosedChannelException | RuntimeException e) {
            sides.abandon();
            throw e;
        }
    }

    private Inlet inlet(ReadableByteChannel channel) throws ClosedChannelException {
        try {
            Descriptor own = Descriptors.source(keep(channel));
            return Inlet.of(own != null ? own : adopt(channel, Adoption.Way.READ));
        } catch (Adoption.Refusal e) {
            return Inlet.of(channel, "the source is " + e.getMessage());
        }
    }

    private Outlet outlet(WritableByteChannel channel) throws ClosedChannelException {
        try {
            return Outlet.of(descriptor(channel));
        } catch (Adoption.Refusal e) {
            return Outlet.of(channel, "the sink is " + e.getMessage());
        }
    }

    private Mirror mirror(Mirrored mirrored) throws ClosedChannelException {
        WritableByteChannel channel = mirrored.channel;
        try {
            return Mirror.of(descriptor(channel), mirrored.terms);
        } catch (Adoption.Refusal e) {
            return Mirror.of(channel, "the sink is " + e.getMessage(), mirrored.terms);
        }
    }

    private Descriptor descriptor(WritableByteChannel channel) throws ClosedChannelException, Adoption.Refusal {
        Descriptor own = Descriptors.sink(keep(channel));
        return own != null ? own : adopt(channel, Adoption.Way.WRITE);
    }

    private Channel keep(Channel channel) {
        channels.add(channel);
        return channel;
    }

    private Descriptor adopt(Channel channel, Adoption.Way way) throws ClosedChannelException, Adoption.Refusal {
        if (!channel.isOpen()) {
            throw new ClosedChannelException();
        }
        Adoption adoption = Adoption.of(channel, way);
        adoptions.add(adoption);
        return adoption.descriptor();
    }

    /** A pump between the sides, which it leaves at its end; {@link #leave} has to follow. */
    public Pump pump(Pump.Options options, Runnable onEnd) {
        return new Pump(source, sink, mirrors, options, onEnd);
    }

    /**
     * Runs a pump on behalf of the calling thread, which parks, or serves the foreign channels among the sides itself.
     *
     * @param deadline in terms of {@link System#nanoTime}, or {@link Long#MAX_VALUE}
     * @throws TransferException if it did not come to its end; an interrupt is one reason, and stays set
     */
    public TransferResult transfer(Pump.Options options, long deadline) throws TransferException {
        Thread waiting = Thread.currentThread();
        Pump pump = pump(options, () -> LockSupport.unpark(waiting));
        if (pump.needsCaller()) {
            pump.pumpHere(deadline);
        } else {
            pump.start();
            park(pump, deadline);
        }
        leave();
        if (pump.failure() != null) {
            throw pump.failure();
        }
        return pump.result();
    }

    private static void park(Pump pump, long deadline) {
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
                pump.cancel(Reason.INTERRUPTED);
            } else if (!cancelled && deadline != Long.MAX_VALUE && deadline - System.nanoTime() <= 0) {
                cancelled = true;
                pump.cancel(Reason.DEADLINE);
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** Ends the adoptions, once the pump has left. May wait for a moment, so never on a loop. */
    public void leave() {
        adoptions.forEach(Adoption::leave);
        adoptions.clear();
    }

    /** Gives everything back that no pump has taken over. */
    public void abandon() {
        if (source != null) {
            source.leave();
        }
        if (sink != null) {
            sink.leave();
        }
        mirrors.forEach(Outlet::leave);
        leave();
    }
}
