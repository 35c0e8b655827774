package dev.sluice.cli;

import dev.sluice.Pipeline;
import dev.sluice.cli.Platform.Listening;
import dev.sluice.io.Endpoint;
import dev.sluice.io.TransferException;
import java.io.IOException;
import java.nio.channels.ByteChannel;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;

/** One stream from the first contact to the report: what record, send and receive have in common. */
final class OneStream {
    private final Thread caller = Thread.currentThread();
    private final Platform platform = Platform.here();
    private final StreamOptions options;
    private final Signals signals;
    private volatile Listening listening;

    OneStream(StreamOptions options) {
        this.options = options;
        this.signals = Signals.handle(options.drainTimeout, this::drain);
    }

    Platform platform() {
        return platform;
    }

    /** Whoever waits for a connection is woken; a stream that flows may go on until the time is up. */
    private void drain() {
        close(listening);
        Thread.ofVirtual().start(() -> {
            try {
                Thread.sleep(options.drainTimeout);
                caller.interrupt();
            } catch (InterruptedException e) {
                // Nobody interrupts this thread.
            }
        });
    }

    private static void close(Listening listening) {
        try {
            if (listening != null) {
                listening.close();
            }
        } catch (IOException e) {
            // It listens no more in any case.
        }
    }

    Listening listen(Endpoint endpoint) throws Exception {
        listening = Failure.reach(() -> platform.listen(endpoint));
        return listening;
    }

    void announce(boolean onStdout) {
        if (onStdout) {
            Console.announce(listening.endpoint());
        } else {
            Console.say("listening on " + listening.endpoint());
        }
    }

    /** The first connection, after which nobody listens any more; empty if a signal came before. */
    Optional<ByteChannel> accept() throws IOException {
        try (Listening last = listening) {
            return Optional.of(last.accept());
        } catch (ClosedChannelException e) {
            if (!signals.draining()) {
                throw e;
            }
            Console.say("stopped before anyone connected");
            return Optional.empty();
        }
    }

    ByteChannel connect(Endpoint target, Duration timeout) throws Exception {
        return Failure.reach(() -> platform.connect(target, timeout));
    }

    Report move(Pipeline pipeline, WritableByteChannel sink) throws IOException {
        Duration before = Cpu.used();
        try {
            return new Report(options.route.on(pipeline).to(sink), null, Cpu.secondsSince(before), null, null);
        } catch (TransferException e) {
            return new Report(e.partial(), null, Cpu.secondsSince(before), null, e);
        }
    }

    /** Moves to a socket, and makes sure that its peer gets everything before the connection is closed. */
    Report moveAndDeliver(Pipeline pipeline, ByteChannel target, Endpoint name) throws IOException {
        Replies replies = Replies.discard(target);
        Report report = move(pipeline, target);
        if (report.failure() != null) {
            return report;
        }
        try {
            Delivery.await(platform, target, name, replies);
        } catch (IOException e) {
            return report.failed(e);
        }
        if (replies.bytes() > 0) {
            Console.say(name + ": sent back " + Units.bytes(replies.bytes()) + ", which were discarded");
        }
        return report;
    }

    /** Resets the peers of a stream that broke off, so that none takes its part for the whole. */
    void abort(ByteChannel... sockets) throws IOException {
        for (ByteChannel socket : sockets) {
            platform.abort(socket);
        }
    }

    /** Prints the report, and says how the command ends. */
    int end(Report moved, Path file) throws IOException {
        // A stream that was cut leaves the interrupt set, which would cut the digest, too.
        Thread.interrupted();
        Report report = options.sha256 ? moved.withSha256(Sha256.of(file)) : moved;
        if (options.json) {
            Console.print(report.toJson());
        } else {
            report.say();
        }
        if (report.failure() == null) {
            return 0;
        }
        if (report.cutShort() && signals.draining()) {
            Console.say("1 stream cut off after the drain timeout: " + Trouble.describe(report.failure()));
            return 0;
        }
        throw report.failure();
    }
}
