package dev.sluice.cli;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;

/**
 * Reads and discards what the target of a one-way stream sends back. Unread, it would fill the buffers until the target
 * stops reading, and would turn our close into a reset.
 */
final class Replies {
    private static final int BUFFER = 64 * 1024;

    private volatile long bytes;
    private volatile IOException failure;

    private Replies() {}

    /** Goes on, on a virtual thread, until the target ends its output or the socket is closed. */
    static Replies discard(ByteChannel target) {
        Replies replies = new Replies();
        Thread.ofVirtual().name("sluice-replies").start(() -> replies.read(target));
        return replies;
    }

    private void read(ByteChannel target) {
        ByteBuffer buffer = ByteBuffer.allocate(BUFFER);
        try {
            int count = target.read(buffer);
            while (count >= 0) {
                bytes += count;
                count = target.read(buffer.clear());
            }
        } catch (IOException e) {
            failure = e;
        }
    }

    long bytes() {
        return bytes;
    }

    /** What the connection died of, or null. */
    IOException failure() {
        return failure;
    }
}
