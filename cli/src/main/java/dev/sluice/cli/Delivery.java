package dev.sluice.cli;

import dev.sluice.io.Endpoint;
import java.io.IOException;
import java.nio.channels.ByteChannel;
import java.util.concurrent.locks.LockSupport;

/** The end of a stream that was written to the last byte: the peer is told, and has to acknowledge. */
final class Delivery {
    private static final long POLL_NANOS = 2_000_000;

    private Delivery() {}

    /**
     * Ends the output and waits until the peer's kernel has everything, however slowly it reads: a process that exits
     * before leaves nobody who could tell of a loss.
     */
    static void await(Platform platform, ByteChannel socket, Endpoint name, Replies replies) throws IOException {
        platform.endOutput(socket);
        int left = platform.unacknowledged(socket);
        while (left > 0) {
            if (replies.failure() != null) {
                throw lost(name, left, Trouble.describe(replies.failure()));
            }
            if (Thread.currentThread().isInterrupted()) {
                throw lost(name, left, "the drain timeout passed");
            }
            LockSupport.parkNanos(POLL_NANOS);
            left = platform.unacknowledged(socket);
        }
    }

    private static IOException lost(Endpoint name, int left, String why) {
        return new IOException(name + ": the last " + left + " bytes were not acknowledged: " + why);
    }
}
