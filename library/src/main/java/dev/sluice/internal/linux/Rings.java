package dev.sluice.internal.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * io_uring_setup(2), io_uring_enter(2) and io_uring_register(2), which libc has no functions for; mmap(2) of what they
 * share with the process. Offsets and flags under their names in {@code linux/io_uring.h}.
 */
public final class Rings {
    private static final long IO_URING_SETUP = 425;
    private static final long IO_URING_ENTER = 426;
    private static final long IO_URING_REGISTER = 427;

    public static final long PARAMS_SIZE = 120;
    public static final long PARAMS_SQ_ENTRIES = 0;
    public static final long PARAMS_CQ_ENTRIES = 4;
    public static final long PARAMS_FLAGS = 8;
    public static final long PARAMS_SQ_THREAD_CPU = 12;
    public static final long PARAMS_SQ_THREAD_IDLE = 16;
    public static final long PARAMS_FEATURES = 20;
    public static final long PARAMS_WQ_FD = 24;
    public static final long PARAMS_SQ_OFF = 40;
    public static final long PARAMS_CQ_OFF = 80;

    public static final long SQ_OFF_HEAD = 0;
    public static final long SQ_OFF_TAIL = 4;
    public static final long SQ_OFF_RING_MASK = 8;
    public static final long SQ_OFF_FLAGS = 16;
    public static final long SQ_OFF_DROPPED = 20;
    public static final long SQ_OFF_ARRAY = 24;
    public static final long CQ_OFF_HEAD = 0;
    public static final long CQ_OFF_TAIL = 4;
    public static final long CQ_OFF_RING_MASK = 8;
    public static final long CQ_OFF_OVERFLOW = 16;
    public static final long CQ_OFF_CQES = 20;
    public static final long CQ_OFF_FLAGS = 24;

    public static final long SQE_SIZE = 64;
    public static final long SQE_OPCODE = 0;
    public static final long SQE_FLAGS = 1;
    public static final long SQE_IOPRIO = 2;
    public static final long SQE_FD = 4;
    public static final long SQE_OFF = 8;
    public static final long SQE_ADDR = 16;
    public static final long SQE_LEN = 24;
    public static final long SQE_OP_FLAGS = 28;
    public static final long SQE_USER_DATA = 32;
    public static final long SQE_BUF_INDEX = 40;
    public static final long SQE_SPLICE_FD_IN = 44;
    public static final long SQE_ADDR_LEN = 44;
    public static final long SQE_ADDR3 = 48;

    public static final long CQE_SIZE = 16;
    public static final long CQE_USER_DATA = 0;
    public static final long CQE_RES = 8;
    public static final long CQE_FLAGS = 12;

    public static final long BUF_SIZE = 16;
    public static final long BUF_ADDR = 0;
    public static final long BUF_LEN = 8;
    public static final long BUF_BID = 12;
    public static final long BUF_RING_TAIL = 14;
    public static final long BUF_REG_SIZE = 40;
    public static final long BUF_REG_ADDR = 0;
    public static final long BUF_REG_ENTRIES = 8;
    public static final long BUF_REG_BGID = 12;
    public static final long BUF_REG_FLAGS = 14;

    public static final long GETEVENTS_SIZE = 24;
    public static final long GETEVENTS_MIN_WAIT_USEC = 12;
    public static final long GETEVENTS_TS = 16;

    public static final long REG_WAIT_SIZE = 64;
    public static final long REG_WAIT_MIN_WAIT_USEC = 16;
    public static final long REG_WAIT_FLAGS = 20;
    public static final int IORING_REG_WAIT_TS = 1;
    public static final long REGION_DESC_SIZE = 64;
    public static final long REGION_DESC_USER_ADDR = 0;
    public static final long REGION_DESC_BYTES = 8;
    public static final long REGION_DESC_FLAGS = 16;
    public static final int IORING_MEM_REGION_TYPE_USER = 1;
    public static final long MEM_REGION_REG_SIZE = 32;
    public static final long MEM_REGION_REG_UPTR = 0;
    public static final long MEM_REGION_REG_FLAGS = 8;
    public static final int IORING_MEM_REGION_REG_WAIT_ARG = 1;

    public static final long RESTRICTION_SIZE = 16;
    public static final long RESTRICTION_OPCODE = 0;
    public static final long RESTRICTION_VALUE = 2;
    public static final int IORING_RESTRICTION_REGISTER_OP = 0;
    public static final int IORING_RESTRICTION_SQE_OP = 1;
    public static final int IORING_RESTRICTION_SQE_FLAGS_ALLOWED = 2;
    public static final int IORING_RESTRICTION_SQE_FLAGS_REQUIRED = 3;

    public static final long NAPI_SIZE = 16;
    public static final long NAPI_BUSY_POLL_TO = 0;
    public static final long NAPI_PREFER_BUSY_POLL = 4;

    public static final long RSRC_REGISTER_SIZE = 32;
    public static final long RSRC_REGISTER_FLAGS = 4;
    public static final int IORING_RSRC_REGISTER_SPARSE = 1;
    public static final long RSRC_UPDATE2_SIZE = 32;
    public static final long RSRC_UPDATE2_NR = 24;
    public static final long RSRC_UPDATE_SIZE = 16;
    public static final long RSRC_UPDATE_DATA = 8;
    public static final long SYNC_CANCEL_SIZE = 64;
    public static final long SYNC_CANCEL_FD = 8;
    public static final long SYNC_CANCEL_FLAGS = 12;
    public static final long SYNC_CANCEL_TIMEOUT = 16;
    public static final long PROBE_SIZE = 16;
    public static final long PROBE_LAST_OP = 0;
    public static final long PROBE_OP_SIZE = 8;
    public static final long PROBE_OP_FLAGS = 2;
    public static final int IO_URING_OP_SUPPORTED = 1;

    public static final long IORING_OFF_SQ_RING = 0;
    public static final long IORING_OFF_CQ_RING = 0x8000000;
    public static final long IORING_OFF_SQES = 0x10000000;

    public static final int IOSQE_FIXED_FILE = 1;
    public static final int IOSQE_IO_DRAIN = 2;
    public static final int IOSQE_IO_LINK = 4;
    public static final int IOSQE_IO_HARDLINK = 8;
    public static final int IOSQE_ASYNC = 16;
    public static final int IOSQE_BUFFER_SELECT = 32;
    public static final int IOSQE_CQE_SKIP_SUCCESS = 64;

    public static final int IORING_CQE_F_BUFFER = 1;
    public static final int IORING_CQE_F_MORE = 2;
    public static final int IORING_CQE_F_SOCK_NONEMPTY = 4;
    public static final int IORING_CQE_F_NOTIF = 8;
    public static final int IORING_CQE_F_BUF_MORE = 16;
    public static final int IORING_CQE_BUFFER_SHIFT = 16;

    public static final int IORING_SQ_NEED_WAKEUP = 1;
    public static final int IORING_SQ_CQ_OVERFLOW = 2;
    public static final int IORING_SQ_TASKRUN = 4;

    public static final int IORING_CQ_EVENTFD_DISABLED = 1;

    public static final int IORING_ENTER_GETEVENTS = 1;
    public static final int IORING_ENTER_SQ_WAKEUP = 2;
    public static final int IORING_ENTER_SQ_WAIT = 4;
    public static final int IORING_ENTER_EXT_ARG = 8;
    public static final int IORING_ENTER_REGISTERED_RING = 1 << 4;
    public static final int IORING_ENTER_EXT_ARG_REG = 1 << 6;

    public static final int IORING_FSYNC_DATASYNC = 1;
    public static final int IORING_TIMEOUT_ABS = 1;
    public static final int IORING_TIMEOUT_ETIME_SUCCESS = 32;
    public static final int IORING_TIMEOUT_MULTISHOT = 64;
    public static final int IORING_POLL_ADD_MULTI = 1;
    public static final int IORING_ASYNC_CANCEL_ALL = 1;
    public static final int IORING_ASYNC_CANCEL_FD = 2;
    public static final int IORING_ASYNC_CANCEL_ANY = 4;
    public static final int IORING_RECVSEND_POLL_FIRST = 1;
    public static final int IORING_RECV_MULTISHOT = 2;
    public static final int IORING_RECVSEND_FIXED_BUF = 4;
    public static final int IORING_SEND_ZC_REPORT_USAGE = 8;
    public static final int IORING_RECVSEND_BUNDLE = 16;
    public static final int IORING_NOTIF_USAGE_ZC_COPIED = 1 << 31;
    public static final int IORING_ACCEPT_MULTISHOT = 1;
    public static final int IORING_FILE_INDEX_ALLOC = -1;
    public static final int SPLICE_F_FD_IN_FIXED = 1 << 31;

    public static final int IORING_REGISTER_BUFFERS = 0;
    public static final int IORING_UNREGISTER_BUFFERS = 1;
    public static final int IORING_REGISTER_FILES = 2;
    public static final int IORING_UNREGISTER_FILES = 3;
    public static final int IORING_REGISTER_EVENTFD = 4;
    public static final int IORING_UNREGISTER_EVENTFD = 5;
    public static final int IORING_REGISTER_FILES_UPDATE = 6;
    public static final int IORING_REGISTER_EVENTFD_ASYNC = 7;
    public static final int IORING_REGISTER_PROBE = 8;
    public static final int IORING_REGISTER_RESTRICTIONS = 11;
    public static final int IORING_REGISTER_ENABLE_RINGS = 12;
    public static final int IORING_REGISTER_BUFFERS2 = 15;
    public static final int IORING_REGISTER_BUFFERS_UPDATE = 16;
    public static final int IORING_REGISTER_PBUF_RING = 22;
    public static final int IORING_UNREGISTER_PBUF_RING = 23;
    public static final int IORING_REGISTER_SYNC_CANCEL = 24;
    private static final int IORING_REGISTER_RING_FDS = 20;
    public static final int IORING_UNREGISTER_RING_FDS = 21;
    public static final int IORING_REGISTER_NAPI = 27;
    public static final int IORING_UNREGISTER_NAPI = 28;
    public static final int IORING_REGISTER_RESIZE_RINGS = 33;
    public static final int IORING_REGISTER_MEM_REGION = 34;
    public static final int IOU_PBUF_RING_INC = 2;

    private static final int PROT_READ_WRITE = 3;
    private static final int MAP_SHARED = 1;
    private static final int MAP_POPULATE = 0x8000;

    private static final MemorySegment MMAP = Native.function("mmap");
    private static final MemorySegment MUNMAP = Native.function("munmap");

    private Rings() {}

    /** The descriptor of a new ring, or −errno; only asked whether the kernel would. */
    public static int setup(int entries) {
        try (Arena arena = Arena.ofConfined()) {
            return setup(entries, arena.allocate(PARAMS_SIZE, 8));
        }
    }

    /** The descriptor of a new ring, which is close-on-exec, or −errno. The kernel fills in the rest of the parameters. */
    public static int setup(int entries, MemorySegment params) {
        return Native.syscall(IO_URING_SETUP, entries, params.address(), 0, 0, 0, 0);
    }

    /**
     * The number of entries taken, or −errno. {@code argument} is 0, or a getevents_arg with EXT_ARG, or with EXT_ARG_REG
     * where in the registered region its reg_wait lies.
     */
    public static int enter(MemorySegment cell, int ring, int submit, int complete, int flags, long argument) {
        long size = (flags & IORING_ENTER_EXT_ARG_REG) == 0 ? GETEVENTS_SIZE : REG_WAIT_SIZE;
        return Native.syscall(cell, IO_URING_ENTER, ring, submit, complete, flags, argument, size);
    }

    /** What {@link #enter} captures errno in: one per ring. */
    public static MemorySegment cell(Arena arena) {
        return Native.cell(arena);
    }

    /**
     * Makes the ring known to the calling thread by a number of its own, which saves each {@link #enter} the look-up in a
     * table that all threads share; with {@link #IORING_ENTER_REGISTERED_RING}. Since 5.18, for 16 rings of a thread.
     *
     * @param update memory of {@link #RSRC_UPDATE_SIZE} bytes, which holds the number afterwards, and is what {@link #forget} needs
     * @return the number, or negative
     */
    public static int know(int ring, MemorySegment update) {
        update.set(JAVA_LONG, 0, 0xFFFF_FFFFL);
        update.set(JAVA_LONG, 8, ring);
        return register(ring, IORING_REGISTER_RING_FDS, update.address(), 1) == 1 ? update.get(JAVA_INT, 0) : -1;
    }

    /** Before the ring is closed, on the same thread: the number keeps it alive. */
    public static void forget(int ring, MemorySegment update) {
        register(ring, IORING_UNREGISTER_RING_FDS, update.address(), 1);
    }

    public static int register(int ring, int operation, long argument, int count) {
        return Native.syscall(IO_URING_REGISTER, ring, operation, argument, count, 0, 0);
    }

    /** Memory shared with the kernel, unmapped when the arena is closed; null with an errno that {@code error} takes. */
    @SuppressWarnings("restricted")
    public static MemorySegment map(Arena arena, int ring, long size, long offset, int[] error) {
        long address = Native.callLong(MMAP, 0, size, PROT_READ_WRITE, MAP_SHARED | MAP_POPULATE, ring, offset);
        if (address < 0) {
            error[0] = (int) address;
            return null;
        }
        return MemorySegment.ofAddress(address)
                .reinterpret(size, arena, gone -> Native.callInt(MUNMAP, address, size, 0, 0, 0, 0));
    }

    /** Writes a {@code struct __kernel_timespec}. */
    public static void timespec(MemorySegment at, long offset, long nanos) {
        at.set(JAVA_LONG, offset, nanos / 1_000_000_000);
        at.set(JAVA_LONG, offset + 8, nanos % 1_000_000_000);
    }

    /** Whether a new ring's parameters have the feature of this bit. */
    public static int features(MemorySegment params) {
        return params.get(JAVA_INT, PARAMS_FEATURES);
    }
}
