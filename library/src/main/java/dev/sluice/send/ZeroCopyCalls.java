package dev.sluice.send;

import dev.sluice.internal.fd.PoolMemory;
import dev.sluice.internal.linux.Message;

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
     * Calls send(2), never to wait for room in the socket.
     *
     * @param memory what holds the bytes, or {@link #UNREGISTERED}
     * @return the bytes taken, and then the flight is told once, perhaps before this returns; or −errno, and then the kernel
     *     has let go of the buffer, unless the flight was told that it is lost
     */
    int send(int fd, long address, int length, int flags, int memory, Flight flight);

    /** The same by sendmsg(2); the message is free when this returns. */
    int send(int fd, Message message, int flags, Flight flight);
}
