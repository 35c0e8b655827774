package dev.sluice.internal.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** epoll(7) and eventfd(2). One instance belongs to one loop thread; {@link #control} and {@link #signal} to anybody. */
public final class Polling {
    public static final int EPOLLIN = 0x1;
    public static final int EPOLLPRI = 0x2;
    public static final int EPOLLOUT = 0x4;
    public static final int EPOLLERR = 0x8;
    public static final int EPOLLHUP = 0x10;
    public static final int EPOLLRDHUP = 0x2000;
    public static final int EPOLLET = 1 << 31;

    public static final int ADD = 1;
    public static final int DELETE = 2;

    /** {@code struct epoll_event} is packed on x86-64 only. */
    static final int DATA = Native.aarch64() ? 8 : 4;

    static final int EVENT_SIZE = Native.aarch64() ? 16 : 12;

    private static final int EPOLL_CLOEXEC = 0x80000;
    private static final int EFD_CLOEXEC = 0x80000;
    private static final int EFD_NONBLOCK = 0x800;

    private static final MemorySegment EPOLL_CREATE1 = Native.function("epoll_create1");
    private static final MemorySegment EPOLL_CTL = Native.function("epoll_ctl");
    private static final MemorySegment EPOLL_WAIT = Native.function("epoll_wait");
    private static final MemorySegment EVENTFD = Native.function("eventfd");

    private static final MemorySegment ONE = Arena.global().allocateFrom(JAVA_LONG_UNALIGNED, 1);

    private final MemorySegment events;
    private final int capacity;

    /** Room for {@code capacity} events of one wait, in memory of the given arena. */
    public Polling(Arena arena, int capacity) {
        this.events = arena.allocate((long) capacity * EVENT_SIZE, 16);
        this.capacity = capacity;
    }

    public static int create() {
        return Native.callInt(EPOLL_CREATE1, EPOLL_CLOEXEC, 0, 0, 0, 0, 0);
    }

    /** Adds or deletes; {@code data} comes back with every event of the descriptor. */
    public static int control(int epoll, int operation, int fd, int interest, long data) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment event = arena.allocate(EVENT_SIZE, 8);
            event.set(JAVA_INT, 0, interest);
            event.set(JAVA_LONG_UNALIGNED, DATA, data);
            return Native.callInt(EPOLL_CTL, epoll, operation, fd, event.address(), 0, 0);
        }
    }

    /** The number of events, 0 after the time-out or a signal, or −errno. {@code -1} waits for ever. */
    public int await(int epoll, int timeoutMillis) {
        int result = Native.callInt(EPOLL_WAIT, epoll, events.address(), capacity, timeoutMillis, 0, 0);
        return result == -Errno.EINTR ? 0 : result;
    }

    public int eventMask(int index) {
        return events.get(JAVA_INT, (long) index * EVENT_SIZE);
    }

    public long eventData(int index) {
        return events.get(JAVA_LONG_UNALIGNED, (long) index * EVENT_SIZE + DATA);
    }

    public static int eventFd() {
        return Native.callInt(EVENTFD, 0, EFD_CLOEXEC | EFD_NONBLOCK, 0, 0, 0, 0);
    }

    /** Wakes an edge-triggered waiter. Nobody reads the counter: it would take 2⁶⁴ wake-ups to overflow. */
    public static void signal(int eventFd) {
        Files.write(eventFd, ONE.address(), Long.BYTES);
    }
}
