package dev.sluice.ring;

import java.io.IOException;
import java.nio.channels.WritableByteChannel;

/**
 * What became of a {@linkplain SharedRing#fanOut fan-out} at one of its sinks.
 *
 * @param sink the channel
 * @param bytes how many bytes it accepted
 * @param failure why these are not all, or null: of a time-out, an interrupt, a close, or with the errno of the call
 */
public record Delivery(WritableByteChannel sink, int bytes, IOException failure) {
    /** Whether the sink accepted the whole buffer. */
    public boolean complete() {
        return failure == null;
    }
}
