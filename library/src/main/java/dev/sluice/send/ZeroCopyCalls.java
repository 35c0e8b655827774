package dev.sluice.send;

import dev.sluice.internal.fd.PoolMemory;
import dev.sluice.internal.linux.Message;
import java.io.IOException;

/**
 * Makes the zero-copy calls of a {@link ZeroCopySender} in the place of send(2) with MSG_ZEROCOPY. Programs get theirs from
 * {@code SharedRing.sends()}.
 */
@SuppressWarnings("exports") // Made by the library only.
public interface ZeroCopyCalls extends PoolMemory.Registrar {
    /** Told of the buffer of one call; from any thread, which must not be held up. */
    interface Flight {
        /** The kernel has let go of it. */
        void landed(SendReceipt.Path path);

        /** The kernel will not say any more when it does. */
        void lost();
    }

    /** Why there are none, or null. */
    String unavailable();

    /**
     * Calls send(2), never to wait for room in the socket, and parks until that has its result.
     *
     * @param memory what holds the bytes, or {@link #UNREGISTERED}
     * @return the bytes taken, and then the flight is told once, perhaps before this returns; or −errno, and then the kernel
     *     has let go of the buffer, unless the flight was told that it is lost
     * @throws java.io.InterruptedIOException if it was cancelled by an interrupt, and nothing was taken
     * @throws java.net.SocketTimeoutException if it was cancelled at the deadline, and nothing was taken
     */
    int send(int fd, long address, int length, int flags, int memory, long deadline, Flight flight) throws IOException;

    /** The same by sendmsg(2); the message is free when this returns. */
    int send(int fd, Message message, int flags, long deadline, Flight flight) throws IOException;
}
