package dev.sluice;

import dev.sluice.io.Route;
import dev.sluice.io.Side;
import dev.sluice.io.TransferException;
import dev.sluice.io.TransferException.Reason;
import dev.sluice.net.StreamSocket;
import java.io.IOException;
import java.nio.channels.ByteChannel;
import java.nio.channels.SocketChannel;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.locks.LockSupport;

/** Both directions between two channels. */
final class Join {
    private Join() {}

    static JoinResult run(ByteChannel a, ByteChannel b, Route route) throws IOException {
        Thread waiting = Thread.currentThread();
        Leg forward = new Leg(a, b, route, waiting);
        Leg backward;
        try {
            backward = new Leg(b, a, route, waiting);
        } catch (IOException | RuntimeException e) {
            forward.transfer.abandon();
            throw e;
        }
        forward.start(backward);
        backward.start(forward);
        await(forward, backward);
        forward.transfer.leave();
        backward.transfer.leave();
        return new JoinResult(forward.direction(), backward.direction());
    }

    private static void await(Leg forward, Leg backward) {
        boolean interrupted = false;
        while (!(forward.over() & backward.over())) {
            LockSupport.park(forward);
            if (Thread.interrupted()) {
                interrupted = true;
                forward.transfer.pump().cancel(Reason.INTERRUPTED);
                backward.transfer.pump().cancel(Reason.INTERRUPTED);
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** One direction, and what happens at its end. */
    private static final class Leg {
        /** Of these reasons the other direction hears from here; the others are told to both. */
        private static final Set<Reason> BROKEN = Set.of(Reason.FAILED, Reason.CLOSED);

        private final ByteChannel sink;
        private final Thread waiting;
        private final Transfer transfer;
        private Leg other;
        private volatile boolean ended;
        private boolean carriedOver;

        Leg(ByteChannel source, ByteChannel sink, Route route, Thread waiting) throws IOException {
            this.sink = sink;
            this.waiting = waiting;
            Pipeline pipeline = Pipeline.from(source);
            this.transfer = (route == null ? pipeline : pipeline.route(route)).prepare(sink);
        }

        void start(Leg opposite) {
            other = opposite;
            transfer.startLeg(this::ended);
        }

        /** On the thread of the last step, so a JDK channel, whose locks the user may hold, is left to the caller. */
        private void ended() {
            if (sink instanceof StreamSocket) {
                carryOver();
            }
            ended = true;
            LockSupport.unpark(waiting);
        }

        boolean over() {
            if (ended && !carriedOver) {
                carryOver();
            }
            return ended;
        }

        /** The end of the stream becomes the other channel's; a source that failed takes the other direction with it. */
        private void carryOver() {
            carriedOver = true;
            TransferException failure = transfer.pump().failure();
            if (failure == null) {
                if (transfer.pump().endIsReal(other.transfer.pump())) {
                    shutdownOutput();
                }
            } else if (failure.side() != Side.SINK && BROKEN.contains(failure.reason())) {
                other.transfer.pump().cancel(Reason.CANCELLED);
            }
        }

        private void shutdownOutput() {
            try {
                switch (sink) {
                    case StreamSocket socket -> socket.shutdownOutput();
                    case SocketChannel socket -> socket.shutdownOutput();
                    default -> {
                        // Not a socket: there is no half of it to close.
                    }
                }
            } catch (IOException e) {
                // The peer has gone meanwhile; the other direction finds out and reports it.
            }
        }

        JoinResult.Direction direction() {
            return new JoinResult.Direction(
                    transfer.pump().result(),
                    Optional.ofNullable(transfer.pump().failure()));
        }
    }
}
