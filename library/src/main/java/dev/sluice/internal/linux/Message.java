package dev.sluice.internal.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * One {@code struct msghdr} for sendmsg(2), made once per socket: up to two parts, and a request for the stamps of this
 * call alone (a control message SO_TIMESTAMPING). One call at a time.
 */
public final class Message {
    public static final int MSGHDR_SIZE_OF = 56;
    public static final int MSG_NAME = 0;
    public static final int MSG_NAMELEN = 8;
    public static final int MSG_IOV = 16;
    public static final int MSG_IOVLEN = 24;
    public static final int MSG_CONTROL = 32;
    public static final int MSG_CONTROLLEN = 40;
    static final int MSG_FLAGS = 48;
    public static final int IOVEC_SIZE_OF = 16;
    public static final int IOVEC_LEN = 8;
    static final int CMSG_LEVEL = 8;
    static final int CMSG_TYPE = 12;
    static final int CMSG_DATA_AT = 16;
    static final int CMSG_SPACE_OF_INT = 24;

    private static final int IOVECS = 64;
    private static final int CONTROL = IOVECS + 2 * IOVEC_SIZE_OF;

    private final MemorySegment block = Arena.ofAuto().allocate(CONTROL + CMSG_SPACE_OF_INT, 8);

    public Message() {
        block.set(JAVA_LONG, MSG_IOV, block.address() + IOVECS);
        block.set(JAVA_LONG, CONTROL, CMSG_DATA_AT + Integer.BYTES);
        block.set(JAVA_INT, CONTROL + CMSG_LEVEL, Sockets.SOL_SOCKET);
        block.set(JAVA_INT, CONTROL + CMSG_TYPE, Sockets.SO_TIMESTAMPING);
    }

    /** The stamps to ask for, {@code SOF_TIMESTAMPING_TX_*}, or 0. */
    public Message stamps(int flags) {
        block.set(JAVA_INT, CONTROL + CMSG_DATA_AT, flags);
        block.set(JAVA_LONG, MSG_CONTROL, flags == 0 ? 0 : block.address() + CONTROL);
        block.set(JAVA_LONG, MSG_CONTROLLEN, flags == 0 ? 0 : CMSG_SPACE_OF_INT);
        return this;
    }

    /** Makes it consist of one part, for somebody else to send. */
    public Message of(long address, long length) {
        part(0, address, length);
        block.set(JAVA_LONG, MSG_IOVLEN, 1);
        return this;
    }

    /** Where it is. */
    public long address() {
        return block.address();
    }

    /** Sends one part. */
    public long send(int fd, long address, long length, int flags) {
        return Sockets.send(fd, of(address, length).address(), flags);
    }

    /** Sends two parts, on a datagram socket as one message. */
    public long send(int fd, long first, long firstLength, long second, long secondLength, int flags) {
        part(0, first, firstLength);
        part(1, second, secondLength);
        block.set(JAVA_LONG, MSG_IOVLEN, 2);
        return Sockets.send(fd, block.address(), flags);
    }

    private void part(int index, long address, long length) {
        block.set(JAVA_LONG, IOVECS + (long) index * IOVEC_SIZE_OF, address);
        block.set(JAVA_LONG, IOVECS + (long) index * IOVEC_SIZE_OF + Long.BYTES, length);
    }
}
