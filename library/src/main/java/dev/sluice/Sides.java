package dev.sluice;

import dev.sluice.internal.fd.Adoption;
import dev.sluice.internal.fd.Descriptor;
import dev.sluice.internal.fd.Descriptors;
import dev.sluice.loop.Inlet;
import dev.sluice.loop.Mirror;
import dev.sluice.loop.Outlet;
import java.nio.channels.Channel;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.util.ArrayList;
import java.util.List;

/**
 * The channels of one transfer, claimed: our own by their descriptor, the JDK's by adopting theirs, all others as they
 * are. Keeps them reachable, since a channel that is forgotten is closed.
 */
final class Sides {
    private final List<Channel> channels = new ArrayList<>(2);
    private final List<Adoption> adoptions = new ArrayList<>(2);
    private final List<Outlet> outlets = new ArrayList<>(1);
    private Inlet inlet;

    Inlet inlet(ReadableByteChannel channel) throws ClosedChannelException {
        try {
            Descriptor own = Descriptors.source(keep(channel));
            inlet = Inlet.of(own != null ? own : adopt(channel));
        } catch (Adoption.Refusal e) {
            inlet = Inlet.of(channel, "the source is " + e.getMessage());
        }
        return inlet;
    }

    Outlet sink(WritableByteChannel channel) throws ClosedChannelException {
        Outlet sink;
        try {
            sink = Outlet.of(descriptor(channel));
        } catch (Adoption.Refusal e) {
            sink = Outlet.of(channel, "the sink is " + e.getMessage());
        }
        outlets.add(sink);
        return sink;
    }

    Mirror mirror(WritableByteChannel channel, MirrorPolicy policy) throws ClosedChannelException {
        Mirror.Terms terms = new Mirror.Terms(
                policy.onFailure() == MirrorFailure.DETACH,
                Mirror.Slow.valueOf(policy.onSlow().name()),
                policy.patience().toNanos());
        Mirror mirror;
        try {
            mirror = Mirror.of(descriptor(channel), terms);
        } catch (Adoption.Refusal e) {
            mirror = Mirror.of(channel, "the sink is " + e.getMessage(), terms);
        }
        outlets.add(mirror);
        return mirror;
    }

    private Descriptor descriptor(WritableByteChannel channel) throws ClosedChannelException, Adoption.Refusal {
        Descriptor own = Descriptors.sink(keep(channel));
        return own != null ? own : adopt(channel);
    }

    private Channel keep(Channel channel) {
        channels.add(channel);
        return channel;
    }

    private Descriptor adopt(Channel channel) throws ClosedChannelException, Adoption.Refusal {
        if (!channel.isOpen()) {
            throw new ClosedChannelException();
        }
        Adoption adoption = Adoption.of(channel);
        adoptions.add(adoption);
        return adoption.descriptor();
    }

    /** Ends the adoptions, once the pump has left. May wait for a moment, so never on a loop. */
    void leave() {
        adoptions.forEach(Adoption::leave);
        adoptions.clear();
    }

    /** Gives everything back that no pump has taken over. */
    void abandon() {
        if (inlet != null) {
            inlet.leave();
        }
        outlets.forEach(Outlet::leave);
        leave();
    }
}
