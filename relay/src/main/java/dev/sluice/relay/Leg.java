package dev.sluice.relay;

import dev.sluice.JoinResult;
import dev.sluice.internal.fd.Descriptor;
import dev.sluice.internal.linux.Sockets;
import dev.sluice.io.Route;
import dev.sluice.io.Side;
import dev.sluice.io.TransferException;
import dev.sluice.io.TransferException.Reason;
import dev.sluice.loop.Inlet;
import dev.sluice.loop.Mirror;
import dev.sluice.loop.Outlet;
import dev.sluice.loop.Pump;
import dev.sluice.loop.Rate;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;

/** One direction of a session: a pump, and what its end means to the other direction. */
final class Leg {
    private static final ByteBuffer NO_PREFIX = ByteBuffer.allocate(0);

    private final Descriptor sink;
    private final Pump pump;

    private boolean passedOn;

    /** @param rate how fast, or null for as fast as it goes */
    Leg(Descriptor source, Descriptor sink, List<Mirror> mirrors, Route route, Rate rate, Consumer<Leg> onEnd)
            throws IOException {
        this.sink = sink;
        this.pump = new Pump(
                Inlet.of(source),
                Outlet.of(sink),
                mirrors,
                new Pump.Options(Long.MAX_VALUE, route, NO_PREFIX, rate),
                () -> onEnd.accept(this));
    }

    /** Passes the end of the stream on as soon as the sink has all, rather than when the slowest copy has. */
    void passOnEarly(Leg other) {
        pump.onDelivered(() -> passOn(other));
    }

    private void passOn(Leg other) {
        if (!passedOn && !falseEnd(other)) {
            passedOn = true;
            // If the peer has gone meanwhile, the other direction finds out and reports it.
            Sockets.shutdown(sink.fd(), Sockets.SHUT_WR);
        }
    }

    void start() {
        pump.start();
    }

    void cancel() {
        pump.cancel(Reason.CANCELLED);
    }

    boolean ended() {
        return pump.ended();
    }

    /** Any thread may ask. */
    long taken() {
        return pump.taken();
    }

    /** Any thread may ask. */
    long accepted() {
        return pump.accepted();
    }

    /** At its end: the end of the stream becomes the sink's; a source that failed takes the other direction with it. */
    void carryOver(Leg other) {
        TransferException failure = pump.failure();
        if (failure == null) {
            passOn(other);
        } else if (failure.side() != Side.SINK && failure.reason() != Reason.CANCELLED) {
            other.cancel();
        }
    }

    /** Whether the end of the stream that it has come to is the shadow of a reset. */
    boolean falseEnd(Leg other) {
        return pump.failure() == null && !pump.endIsReal(other.pump);
    }

    JoinResult.Direction direction() {
        return new JoinResult.Direction(pump.result(), Optional.ofNullable(pump.failure()));
    }
}
