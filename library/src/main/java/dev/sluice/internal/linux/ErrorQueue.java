package dev.sluice.internal.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * The error queue of a socket, read with recvmsg(2): completions of zero-copy sends, stamps of stages, and errors of the
 * network, all in one queue (M12). A cursor: {@link #next} reads one record, and the getters tell what it says.
 *
 * <p>One thread at a time. Nothing is allocated per record.
 */
public final class ErrorQueue {
    /** What a record is about. */
    public enum Kind {
        /** Nothing is queued. */
        EMPTY,
        /** A range of zero-copy sends has been released. */
        RELEASED,
        /** A stamp: some bytes have reached a stage. */
        STAMP,
        /** ICMP or the local host refused something; says nothing of any send's memory. */
        NETWORK_ERROR,
        /** Control data was cut off: a completion may have been lost for good. */
        TRUNCATED,
        /** Something this version knows nothing of. */
        UNKNOWN
    }

    public static final int SCM_TSTAMP_SND = 0;
    public static final int SCM_TSTAMP_SCHED = 1;
    public static final int SCM_TSTAMP_ACK = 2;

    static final int SOL_IP = 0;
    static final int IP_RECVERR = 11;
    static final int SOL_IPV6 = 41;
    static final int IPV6_RECVERR = 25;
    static final int SO_EE_ORIGIN_LOCAL = 1;
    static final int SO_EE_ORIGIN_ICMP = 2;
    static final int SO_EE_ORIGIN_ICMP6 = 3;
    static final int SO_EE_ORIGIN_TIMESTAMPING = 4;
    static final int SO_EE_ORIGIN_ZEROCOPY = 5;
    static final int SO_EE_CODE_ZEROCOPY_COPIED = 1;
    static final int EE_ORIGIN = 4;
    static final int EE_CODE = 6;
    static final int EE_INFO = 8;
    static final int EE_DATA = 12;
    static final int SOCK_EXTENDED_ERR_SIZE_OF = 16;
    static final int MSG_CTRUNC = 0x8;
    private static final int MSG_DONTWAIT = 0x40;
    private static final int MSG_ERRQUEUE = 0x2000;

    /** Room for a stamp, an extended error with an IPv6 address, and more than the kernel sends today. */
    private static final int CONTROL_SIZE = 512;

    private static final int CONTROL = 64;
    private static final long NANOS_PER_SECOND = 1_000_000_000;

    private static final MemorySegment RECVMSG = Native.function("recvmsg");

    private final MemorySegment block = Arena.ofAuto().allocate(CONTROL + CONTROL_SIZE, 8);
    private final MemorySegment control = block.asSlice(CONTROL);

    private int low;
    private int high;
    private boolean copied;
    private int errno;
    private long nanos;

    /** Takes one record out of the queue. Never blocks. */
    public Kind next(int fd) {
        // The kernel overwrites both with what it used.
        block.set(JAVA_LONG, Message.MSG_CONTROL, block.address() + CONTROL);
        block.set(JAVA_LONG, Message.MSG_CONTROLLEN, CONTROL_SIZE);
        block.set(JAVA_INT, Message.MSG_FLAGS, 0);
        long result;
        do {
            result = Native.callLong(RECVMSG, fd, block.address(), MSG_ERRQUEUE | MSG_DONTWAIT, 0, 0, 0);
        } while (result == -Errno.EINTR);
        // 0 is a record without payload, and not an end of anything.
        return result < 0
                ? Kind.EMPTY
                : parse(control, block.get(JAVA_LONG, Message.MSG_CONTROLLEN), block.get(JAVA_INT, Message.MSG_FLAGS));
    }

    /** What the control messages say; the addresses behind the extended error are of no interest. */
    Kind parse(MemorySegment messages, long length, int flags) {
        Kind kind = Kind.UNKNOWN;
        nanos = 0;
        long at = 0;
        while (at + Message.CMSG_DATA_AT <= length) {
            long size = messages.get(JAVA_LONG, at);
            if (size < Message.CMSG_DATA_AT || at + size > length) {
                return Kind.TRUNCATED;
            }
            int level = messages.get(JAVA_INT, at + Message.CMSG_LEVEL);
            int type = messages.get(JAVA_INT, at + Message.CMSG_TYPE);
            long data = at + Message.CMSG_DATA_AT;
            if (level == Sockets.SOL_SOCKET && type == Sockets.SO_TIMESTAMPING && size >= Message.CMSG_DATA_AT + 16) {
                nanos = messages.get(JAVA_LONG, data) * NANOS_PER_SECOND + messages.get(JAVA_LONG, data + Long.BYTES);
            } else if (extendedError(level, type) && size >= Message.CMSG_DATA_AT + SOCK_EXTENDED_ERR_SIZE_OF) {
                kind = extendedError(messages, data);
            }
            at += size + 7 & ~7;
        }
        return (flags & MSG_CTRUNC) != 0 ? Kind.TRUNCATED : kind;
    }

    /** A socket of IPv6 that talks to an IPv4 address uses either level (M11). */
    private static boolean extendedError(int level, int type) {
        return level == SOL_IP && type == IP_RECVERR || level == SOL_IPV6 && type == IPV6_RECVERR;
    }

    private Kind extendedError(MemorySegment messages, long at) {
        errno = messages.get(JAVA_INT, at);
        low = messages.get(JAVA_INT, at + EE_INFO);
        high = messages.get(JAVA_INT, at + EE_DATA);
        copied = (messages.get(JAVA_BYTE, at + EE_CODE) & SO_EE_CODE_ZEROCOPY_COPIED) != 0;
        return switch (messages.get(JAVA_BYTE, at + EE_ORIGIN)) {
            case SO_EE_ORIGIN_ZEROCOPY -> errno == 0 ? Kind.RELEASED : Kind.UNKNOWN;
            case SO_EE_ORIGIN_TIMESTAMPING -> Kind.STAMP;
            case SO_EE_ORIGIN_LOCAL, SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6 -> Kind.NETWORK_ERROR;
            default -> Kind.UNKNOWN;
        };
    }

    /** The first id of the range that was released. Ids are unsigned and wrap: compare by subtraction. */
    public int low() {
        return low;
    }

    /** The last id of the range. */
    public int high() {
        return high;
    }

    /** Whether the kernel copied the first send of the range after all. Of the others it does not tell. */
    public boolean copied() {
        return copied;
    }

    /** Which stage the stamp is of: {@code SCM_TSTAMP_*}. */
    public int stage() {
        return low;
    }

    /** The key of the bytes that have reached it. */
    public int key() {
        return high;
    }

    /** When, in nanoseconds since 1970, or 0. */
    public long nanos() {
        return nanos;
    }

    /** The errno of an error of the network. */
    public int errno() {
        return errno;
    }
}
