package dev.sluice;

import dev.sluice.io.Capabilities;
import dev.sluice.io.Route;
import dev.sluice.io.TransferResult;
import java.io.IOException;
import java.nio.channels.ByteChannel;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.util.Objects;

/** The front door: one line for what most programs want. {@link Pipeline} has the choices. */
public final class Sluice {
    private Sluice() {}

    /**
     * Moves bytes from the source to the sink until the source ends, inside the kernel where that is possible and by
     * copying where it is not; the result says which it was, and why. Neither channel is closed or shut down.
     *
     * <p>Blocks the calling thread by parking it. See {@link Pipeline#to} for interrupts, closing, partial results and
     * exceptions.
     */
    public static TransferResult transfer(ReadableByteChannel source, WritableByteChannel sink) throws IOException {
        return Pipeline.from(source).to(sink);
    }

    /**
     * Moves at most {@code limit} bytes; the rest stays readable from the source. Fewer bytes in the result mean that the
     * source ended.
     */
    public static TransferResult transfer(ReadableByteChannel source, WritableByteChannel sink, long limit)
            throws IOException {
        return Pipeline.from(source).limit(limit).to(sink);
    }

    /**
     * Moves bytes both ways until both directions have ended. The end of one direction is carried over, once everything
     * before it has been delivered, by shutting down the output of the other channel, so that a peer which waits for the
     * end of the request gets it and can still reply (tcp(7), shutdown(2)).
     *
     * <p>A peer that has reset the connection is never taken for one that has finished: its end is not carried over.
     *
     * <p>A direction that fails does not lose the other: after a failed write the replies still come through; after a
     * failed read the other direction is cancelled, as its sink is gone. Failures of the peers are in the result and not
     * thrown. Neither channel is closed. Blocks by parking; an interrupt cancels both directions and stays set.
     *
     * @throws java.nio.channels.ClosedChannelException if a channel is closed already
     * @throws IOException if the transfers can't be started
     */
    public static JoinResult join(ByteChannel a, ByteChannel b) throws IOException {
        return Join.run(a, b, null);
    }

    /** A join by a route of choice, to test and to compare; see {@link Pipeline#route}. */
    public static JoinResult join(ByteChannel a, ByteChannel b, Route route) throws IOException {
        return Join.run(a, b, Objects.requireNonNull(route, "route"));
    }

    /** What this kernel, JVM and configuration can do; tried out at each call, in a few milliseconds after the first. */
    public static Capabilities capabilities() {
        return Probe.run();
    }
}
