package dev.sluice.loop;

import java.io.IOException;
import java.nio.channels.Channel;
import java.nio.channels.SelectableChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.util.concurrent.locks.LockSupport;

/** Waits, on the caller's thread, for somebody's channel that did nothing at once: a non-blocking one. */
final class Foreign {
    /** The longest wait, after which the caller looks at its deadline and at the other side. */
    private static final int MILLIS = 20;

    private Foreign() {}

    static void awaitReadable(Channel channel) {
        await(channel, SelectionKey.OP_READ);
    }

    static void awaitWritable(Channel channel) {
        await(channel, SelectionKey.OP_WRITE);
    }

    private static void await(Channel channel, int operation) {
        if (channel instanceof SelectableChannel selectable && !selectable.isBlocking()) {
            try (Selector selector = selectable.provider().openSelector()) {
                selectable.register(selector, operation);
                selector.select(MILLIS);
                return;
            } catch (IOException | RuntimeException e) {
                // Closed, or of a provider without selectors: the next read or write will say so.
            }
        }
        LockSupport.parkNanos(1_000_000);
    }
}
