package dev.sluice.internal.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** pipe(2), pipe(7), splice(2), tee(2) and the fcntl(2) commands for the size of a pipe. */
public final class Pipes {
    public static final int SPLICE_F_MOVE = 1;
    public static final int SPLICE_F_NONBLOCK = 2;

    private static final int F_SETPIPE_SZ = 1031;
    private static final int F_GETPIPE_SZ = 1032;

    private static final MemorySegment PIPE2 = Native.function("pipe2");
    private static final MemorySegment SPLICE = Native.function("splice");
    private static final MemorySegment TEE = Native.function("tee");

    private Pipes() {}

    /** A pipe whose ends are non-blocking and close-on-exec: the read end in the low half, or −errno. */
    public static long pipe() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment ends = arena.allocate(JAVA_INT, 2);
            int result = Native.callInt(PIPE2, ends.address(), Files.O_NONBLOCK | Files.O_CLOEXEC, 0, 0, 0, 0);
            if (result < 0) {
                return result;
            }
            return ends.getAtIndex(JAVA_INT, 0) | (long) ends.getAtIndex(JAVA_INT, 1) << 32;
        }
    }

    /**
     * Moves up to {@code length} bytes without waiting for the pipe; the file positions of both sides move.
     *
     * <p>SPLICE_F_MORE is never set: it corks the socket for 200 ms after a short message (S3).
     */
    public static long splice(int from, int to, long length) {
        long result;
        do {
            result = Native.callLong(SPLICE, from, 0, to, 0, length, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        } while (result == -Errno.EINTR);
        return result;
    }

    /** Duplicates up to {@code length} bytes from the head of one pipe to another, consuming nothing. */
    public static long tee(int from, int to, long length) {
        long result;
        do {
            result = Native.callLong(TEE, from, to, length, SPLICE_F_NONBLOCK, 0, 0);
        } while (result == -Errno.EINTR);
        return result;
    }

    /** The capacity that the kernel gave, which is not always the one asked for (S26), or −errno. */
    public static int setCapacity(int fd, int bytes) {
        return Files.fcntl(fd, F_SETPIPE_SZ, bytes);
    }

    public static int capacity(int fd) {
        return Files.fcntl(fd, F_GETPIPE_SZ, 0);
    }

    /** What to do about a refused size. */
    public static String explainSizeRefusal(int errno) {
        return switch (errno) {
            case Errno.EPERM ->
                "larger than fs.pipe-max-size, or the user's pipes hold fs.pipe-user-pages-soft pages; "
                        + "raise the one in question with sysctl, or ask for less";
            case Errno.EBUSY -> "more bytes are inside than would fit; read them first";
            default -> "";
        };
    }
}
