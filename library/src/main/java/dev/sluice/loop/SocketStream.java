package dev.sluice.loop;

import dev.sluice.internal.fd.Descriptor;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * How a socket channel reads, writes and waits: by readiness ({@link DescriptorStream}), or by a ring beneath. Deadlines are
 * those of {@link System#nanoTime}, {@link Long#MAX_VALUE} for none. Whoever waits parks.
 */
@SuppressWarnings("exports") // Reaches other modules by qualified export only.
public interface SocketStream {
    /** Makes the stream of a socket. Programs get theirs from the library. */
    @FunctionalInterface
    interface Factory {
        SocketStream over(Descriptor descriptor);
    }

    Descriptor descriptor();

    /** Reads at least one byte, or −1 at the end of the stream; 0 only if the buffer has no room. */
    int read(ByteBuffer buffer, long deadline) throws IOException;

    /** Writes the whole buffer. */
    int write(ByteBuffer buffer, long deadline) throws IOException;

    /** Takes the next connection of a listening socket: a descriptor. */
    int accept(long deadline) throws IOException;

    /** Closes; true for the first call. A listening socket, unless somebody waits for it, listens no more when this returns. */
    default boolean close() {
        return descriptor().close();
    }

    /** Waits until a connection in progress is made or refused. */
    void awaitConnected(long deadline) throws IOException;
}
