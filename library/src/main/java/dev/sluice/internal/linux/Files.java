package dev.sluice.internal.linux;

import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** open(2), read(2), write(2), lseek(2), statx(2), fcntl(2), sendfile(2), copy_file_range(2) and friends. */
public final class Files {
    public static final int O_RDONLY = 0;
    public static final int O_WRONLY = 1;
    public static final int O_RDWR = 2;
    public static final int O_CREAT = 0x40;
    public static final int O_EXCL = 0x80;
    public static final int O_NOCTTY = 0x100;
    public static final int O_TRUNC = 0x200;
    public static final int O_APPEND = 0x400;
    public static final int O_NONBLOCK = 0x800;
    /** Different on aarch64, see {@link #direct}. */
    private static final int O_DIRECT_X86 = 0x4000;

    private static final int O_DIRECT_ARM = 0x10000;

    public static final int O_CLOEXEC = 0x80000;

    public static final int S_IFMT = 0xF000;
    public static final int S_IFIFO = 0x1000;
    public static final int S_IFCHR = 0x2000;
    public static final int S_IFDIR = 0x4000;
    public static final int S_IFREG = 0x8000;
    public static final int S_IFSOCK = 0xC000;

    private static final int RWF_NOWAIT = 8;

    public static final int SEEK_SET = 0;
    public static final int SEEK_CUR = 1;

    private static final int F_SETFD = 2;
    private static final int FD_CLOEXEC = 1;
    private static final int F_GETFL = 3;
    private static final int F_SETFL = 4;
    private static final int F_DUPFD_CLOEXEC = 1030;
    private static final int FIONREAD = 0x541B;
    private static final int TCGETS = 0x5401;

    public static final int EXT4_SUPER_MAGIC = 0xEF53;

    static final long STATFS_SIZE_OF = 120;

    private static final int AT_EMPTY_PATH = 0x1000;
    private static final int STATX_BASIC_STATS = 0x7FF;
    static final long STATX_SIZE_OF = 256;
    static final long STX_MODE = 28;
    static final long STX_INO = 32;
    static final long STX_SIZE = 40;

    private static final MemorySegment OPEN = Native.function("open");
    private static final MemorySegment CLOSE = Native.function("close");
    private static final MemorySegment DUP3 = Native.function("dup3");
    private static final MemorySegment READ = Native.function("read");
    private static final MemorySegment WRITE = Native.function("write");
    private static final MemorySegment PREAD = Native.function("pread");
    private static final MemorySegment PWRITE = Native.function("pwrite");
    private static final MemorySegment PREADV = Native.function("preadv");
    private static final MemorySegment PWRITEV = Native.function("pwritev");
    private static final MemorySegment PREADV2 = Native.function("preadv2");
    private static final MemorySegment FDATASYNC = Native.function("fdatasync");
    private static final MemorySegment FALLOCATE = Native.function("fallocate");
    private static final MemorySegment LSEEK = Native.function("lseek");
    private static final MemorySegment FTRUNCATE = Native.function("ftruncate");
    private static final MemorySegment FSYNC = Native.function("fsync");
    private static final MemorySegment STATX = Native.function("statx");
    private static final MemorySegment FSTATFS = Native.function("fstatfs");
    private static final MemorySegment FCNTL = Native.function("fcntl");
    private static final MemorySegment IOCTL = Native.function("ioctl");
    private static final MemorySegment SENDFILE = Native.function("sendfile");
    private static final MemorySegment COPY_FILE_RANGE = Native.function("copy_file_range");

    private Files() {}

    /** A close-on-exec descriptor or −errno. */
    public static int open(String path, int flags, int mode) {
        try (Arena arena = Arena.ofConfined()) {
            long name = arena.allocateFrom(path).address();
            int result;
            do {
                result = Native.callVariadic(OPEN, name, flags | O_CLOEXEC, mode);
            } while (result == -Errno.EINTR);
            return result;
        }
    }

    /** O_DIRECT of this machine. */
    public static int direct() {
        return Native.aarch64() ? O_DIRECT_ARM : O_DIRECT_X86;
    }

    /** Never retried: on Linux the descriptor is gone whatever close says. */
    public static int close(int fd) {
        return Native.callInt(CLOSE, fd, 0, 0, 0, 0, 0);
    }

    public static long read(int fd, long address, long length) {
        long result;
        do {
            result = Native.callLong(READ, fd, address, length, 0, 0, 0);
        } while (result == -Errno.EINTR);
        return result;
    }

    /** For pipes and files; sockets are written with {@link Sockets#send}, which raises no SIGPIPE. */
    public static long write(int fd, long address, long length) {
        long result;
        do {
            result = Native.callLong(WRITE, fd, address, length, 0, 0, 0);
        } while (result == -Errno.EINTR);
        return result;
    }

    public static long readAt(int fd, long address, long length, long offset) {
        return positioned(PREAD, fd, address, length, offset);
    }

    public static long writeAt(int fd, long address, long length, long offset) {
        return positioned(PWRITE, fd, address, length, offset);
    }

    /** preadv2(2) of what the page cache has, never waiting for a disk: −EAGAIN if it has nothing. */
    public static long readCachedAt(int fd, long address, long length, long offset) {
        return Native.oneVector(PREADV2, fd, address, length, offset, RWF_NOWAIT);
    }

    /** preadv(2) of {@code count} iovecs. */
    public static long readVectoredAt(int fd, long vectors, long count, long offset) {
        return positioned(PREADV, fd, vectors, count, offset);
    }

    /** pwritev(2) of {@code count} iovecs. */
    public static long writeVectoredAt(int fd, long vectors, long count, long offset) {
        return positioned(PWRITEV, fd, vectors, count, offset);
    }

    private static long positioned(MemorySegment function, int fd, long address, long length, long offset) {
        long result;
        do {
            result = Native.callLong(function, fd, address, length, offset, 0, 0);
        } while (result == -Errno.EINTR);
        return result;
    }

    public static int syncData(int fd) {
        return Native.callInt(FDATASYNC, fd, 0, 0, 0, 0, 0);
    }

    public static int allocate(int fd, int mode, long offset, long length) {
        int result;
        do {
            result = Native.callInt(FALLOCATE, fd, mode, offset, length, 0, 0);
        } while (result == -Errno.EINTR);
        return result;
    }

    public static long seek(int fd, long offset, int whence) {
        return Native.callLong(LSEEK, fd, offset, whence, 0, 0, 0);
    }

    public static int truncate(int fd, long size) {
        return Native.callInt(FTRUNCATE, fd, size, 0, 0, 0, 0);
    }

    public static int sync(int fd) {
        return Native.callInt(FSYNC, fd, 0, 0, 0, 0, 0);
    }

    static int fcntl(int fd, int command, long argument) {
        return Native.callVariadic(FCNTL, fd, command, argument);
    }

    /** The status flags of the open file description, asked anew: O_APPEND can be set behind our back (S15). */
    public static int flags(int fd) {
        return fcntl(fd, F_GETFL, 0);
    }

    public static int setFlags(int fd, int flags) {
        return fcntl(fd, F_SETFL, flags);
    }

    /** Sets O_NONBLOCK beside the other flags; without it a call would hang whoever makes it, so see to the result. */
    public static int setNonBlocking(int fd) {
        int flags = flags(fd);
        return flags < 0 ? flags : setFlags(fd, flags | O_NONBLOCK);
    }

    /** Makes an inherited descriptor like one of our own: non-blocking and close-on-exec. */
    public static int takeOver(int fd) {
        int result = setNonBlocking(fd);
        return result < 0 ? result : fcntl(fd, F_SETFD, FD_CLOEXEC);
    }

    public static int duplicate(int fd) {
        return fcntl(fd, F_DUPFD_CLOEXEC, 0);
    }

    /** Makes {@code fd} stand for the open file of {@code next}, in one step for whoever uses it; dup3(2). */
    public static int replace(int fd, int next) {
        return Native.callInt(DUP3, next, fd, O_CLOEXEC, 0, 0, 0);
    }

    /** Bytes that can be read at once from a pipe or a socket, or −errno. */
    public static int available(int fd) {
        return ioctlOut(fd, FIONREAD);
    }

    static int ioctlOut(int fd, int request) {
        return Native.ioctlOut(IOCTL, fd, request);
    }

    public static boolean isTerminal(int fd) {
        try (Arena arena = Arena.ofConfined()) {
            return Native.callVariadic(IOCTL, fd, TCGETS, arena.allocate(256).address()) == 0;
        }
    }

    /** What fstat says: kind and permission bits, size, inode. */
    public record Status(int mode, long size, long inode) {
        public boolean is(int kind) {
            return (mode & S_IFMT) == kind;
        }
    }

    /** Null when the descriptor can't be examined. */
    public static Status status(int fd) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment buffer = arena.allocate(STATX_SIZE_OF, 8);
            long empty = arena.allocateFrom("").address();
            int result = Native.callInt(STATX, fd, empty, AT_EMPTY_PATH, STATX_BASIC_STATS, buffer.address(), 0);
            if (result < 0) {
                return null;
            }
            return new Status(
                    Short.toUnsignedInt(buffer.get(JAVA_SHORT, STX_MODE)),
                    buffer.get(JAVA_LONG, STX_SIZE),
                    buffer.get(JAVA_LONG, STX_INO));
        }
    }

    /** The magic number of the file system that the file is on, or −errno. */
    public static long fileSystem(int fd) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment buffer = arena.allocate(STATFS_SIZE_OF, 8);
            int result = Native.callInt(FSTATFS, fd, buffer.address(), 0, 0, 0, 0);
            return result < 0 ? result : buffer.get(JAVA_LONG, 0);
        }
    }

    public static long sendfile(int to, int from, long length) {
        long result;
        do {
            result = Native.callLong(SENDFILE, to, from, 0, length, 0, 0);
        } while (result == -Errno.EINTR);
        return result;
    }

    public static long copyFileRange(int from, int to, long length) {
        long result;
        do {
            result = Native.callLong(COPY_FILE_RANGE, from, 0, to, 0, length, 0);
        } while (result == -Errno.EINTR);
        return result;
    }
}
