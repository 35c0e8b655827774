package dev.sluice;

import dev.sluice.io.Route;
import dev.sluice.io.Side;
import dev.sluice.io.TransferException;
import dev.sluice.io.TransferException.Reason;
import dev.sluice.loop.Pump;
import dev.sluice.net.StreamSocket;
import java.io.IOException;
import java.lang.ref.Reference;
import java.nio.channels.ByteChannel;
import java.nio.channels.Channel;
import java.nio.channels.SocketChannel;
import java.util.Optional;
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
            forward.pump.leave();
            throw e;
        }
        forward.other = backward.pump;
        backward.other = forward.pump;
        forward.start(backward);
        await(forward, backward);
        // A channel that is forgotten is closed, but not while it is at work.
        Reference.reachabilityFence(a);
        Reference.reachabilityFence(b);
        return new JoinResult(forward.direction(), backward.direction());
    }

    private static void await(Leg forward, Leg backward) {
        boolean interrupted = false;
        while (!forward.finished || !backward.finished) {
            LockSupport.park(forward);
            if (Thread.interrupted()) {
                interrupted = true;
                forward.pump.cancel(Reason.INTERRUPTED);
                backward.pump.cancel(Reason.INTERRUPTED);
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** One direction, and what happens at its end. */
    private static final class Leg {
        private final ByteChannel sink;
        private final Thread waiting;
        private final Pump pump;
        private Pump other;
        private volatile boolean finished;

        Leg(ByteChannel source, ByteChannel sink, Route route, Thread waiting) throws IOException {
            this.sink = sink;
            this.waiting = waiting;
            Pipeline pipeline = Pipeline.from(source);
            this.pump = (route == null ? pipeline : pipeline.route(route)).pump(sink, this::ended);
        }

        void start(Leg backward) {
            if (pump.needsCaller() || backward.pump.needsCaller()) {
                // Foreign channels block the thread that serves them, so each direction has one of its own.
                Thread.ofVirtual().name("sluice-join").start(backward.pump::pumpHere);
                Thread.ofVirtual().name("sluice-join").start(pump::pumpHere);
                return;
            }
            backward.pump.start();
            pump.start();
        }

        private void ended() {
            TransferException failure = pump.failure();
            if (failure == null) {
                shutdownOutput(sink);
            } else if (failure.side() == Side.SOURCE) {
                other.cancel(Reason.CANCELLED);
            }
            finished = true;
            LockSupport.unpark(waiting);
        }

        private static void shutdownOutput(Channel channel) {
            try {
                switch (channel) {
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
            return new JoinResult.Direction(pump.result(), Optional.ofNullable(pump.failure()));
        }
    }
}
