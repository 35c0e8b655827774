package dev.sluice.internal.fd;

import dev.sluice.internal.linux.Errno;
import dev.sluice.internal.linux.Files;
import dev.sluice.internal.linux.Sockets;
import dev.sluice.io.SluiceException;
import java.io.IOException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.channels.ReadPendingException;
import java.nio.channels.WritePendingException;

/**
 * An owned descriptor, counted by its users.
 *
 * <p>{@link #close()} never blocks: it bars new users, wakes whoever waits, and the last user to leave closes the
 * number. So a number is never reused under somebody who is about to make a call on it (S29, S30).
 */
public final class Descriptor {
    /** What the kernel says the descriptor is, which decides where its steps may run. */
    public enum Kind {
        /** A stream socket: pollable. */
        SOCKET,
        /** A pipe or FIFO: pollable. */
        PIPE,
        /** A regular file or block device: always ready, and may block on a disk. */
        FILE,
        /** A terminal: pollable, and nobody knows when somebody types. */
        TERMINAL,
        /** /dev/null and the like: treated as a file, since not all of them can be polled. */
        DEVICE;

        public boolean pollable() {
            return this == SOCKET || this == PIPE || this == TERMINAL;
        }
    }

    /** Told once when the descriptor is closed, so that those who wait wake, and once before its number is freed. */
    public interface Watcher {
        void closing();

        void freeing();
    }

    private static final int CLOSED = 1 << 31;
    private static final VarHandle USERS = field("users", int.class);
    private static final VarHandle READER = field("reader", Object.class);
    private static final VarHandle WRITER = field("writer", Object.class);

    private final int fd;
    private final Kind kind;
    private final Tape tape;
    private volatile String name;

    /** Whether it is a TCP socket: 0 until somebody asks, then 1 or −1. */
    private int tcp;

    /** Whether the open file is somebody else's, too, who may change its mode at any time. */
    private boolean shared;

    private boolean modeChanged;

    /** The number of users, the owner included, with {@link #CLOSED} set once it has closed. */
    @SuppressWarnings("unused")
    private volatile int users = 1;

    private volatile Watcher watcher;

    /** Who has claimed a direction, or null. A transfer is told of a close even while it waits for its other side. */
    private volatile Object reader;

    private volatile Object writer;

    private static VarHandle field(String name, Class<?> type) {
        try {
            return MethodHandles.lookup().findVarHandle(Descriptor.class, name, type);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    /** Takes ownership of {@code fd}. */
    public Descriptor(int fd, Kind kind, String name) {
        this(fd, kind, name, null);
    }

    /** A descriptor whose file changes on the way. */
    public Descriptor(int fd, Kind kind, String name, Tape tape) {
        this.fd = fd;
        this.kind = kind;
        this.name = name;
        this.tape = tape;
    }

    /**
     * Takes ownership of a descriptor from elsewhere and asks the kernel what it is.
     *
     * @throws SluiceException if it is not open
     */
    public static Descriptor adopt(int fd, String name) throws SluiceException {
        Files.Status status = Files.status(fd);
        if (status == null) {
            throw new SluiceException(name + ": descriptor " + fd + " is not open", "statx", Errno.EBADF);
        }
        Kind kind = switch (status.mode() & Files.S_IFMT) {
            case Files.S_IFSOCK -> Kind.SOCKET;
            case Files.S_IFIFO -> Kind.PIPE;
            case Files.S_IFCHR -> Files.isTerminal(fd) ? Kind.TERMINAL : Kind.DEVICE;
            default -> Kind.FILE;
        };
        return new Descriptor(fd, kind, name);
    }

    /** Takes ownership of a duplicate: what it refers to stays in somebody else's hands, too. */
    static Descriptor share(int fd, String name) throws SluiceException {
        Descriptor descriptor = adopt(fd, name);
        descriptor.shared = true;
        return descriptor;
    }

    /**
     * To be called before a call that relies on O_NONBLOCK, which belongs to the open file: whoever shares that may have
     * cleared it, and then the call would hang an event loop.
     */
    public void stayNonBlocking() {
        if (shared) {
            int flags = Files.flags(fd);
            if (flags >= 0 && (flags & Files.O_NONBLOCK) == 0) {
                Files.setFlags(fd, flags | Files.O_NONBLOCK);
                modeChanged = true;
            }
        }
    }

    /** Whether somebody cleared O_NONBLOCK meanwhile. */
    boolean modeChanged() {
        return modeChanged;
    }

    /** The number, to be used only between {@link #acquire} and {@link #release}, or by the owner before its close. */
    public int fd() {
        return fd;
    }

    public Kind kind() {
        return kind;
    }

    /** Who decides what is written to, or null: then it is always the same. */
    public Tape tape() {
        return tape;
    }

    /** Whether this is a TCP socket; by a user. */
    public boolean tcp() {
        if (tcp == 0) {
            int domain = kind == Kind.SOCKET ? Sockets.option(fd, Sockets.SOL_SOCKET, Sockets.SO_DOMAIN) : -1;
            tcp = domain == Sockets.AF_INET || domain == Sockets.AF_INET6 ? 1 : -1;
        }
        return tcp > 0;
    }

    /** The address or path, for messages. */
    public String name() {
        return name;
    }

    public void rename(String newName) {
        name = newName;
    }

    public boolean isOpen() {
        return (int) USERS.getVolatile(this) > 0;
    }

    /** Becomes a user; false once the descriptor is closed. */
    public boolean acquire() {
        int now;
        do {
            now = (int) USERS.getVolatile(this);
            if (now <= 0) {
                return false;
            }
        } while (!USERS.compareAndSet(this, now, now + 1));
        return true;
    }

    public void release() {
        int now;
        int next;
        do {
            now = (int) USERS.getVolatile(this);
            next = now - 1;
        } while (!USERS.compareAndSet(this, now, next));
        if (next == CLOSED) {
            free();
        }
    }

    /** Closes for new users and wakes those who wait; true for the first call. */
    public boolean close() {
        int now;
        do {
            now = (int) USERS.getVolatile(this);
            if (now <= 0) {
                return false;
            }
        } while (!USERS.compareAndSet(this, now, now | CLOSED));
        Watcher waking = watcher;
        if (waking != null) {
            waking.closing();
        }
        tell(reader);
        tell(writer);
        release();
        return true;
    }

    private void free() {
        Watcher watching = watcher;
        if (watching != null) {
            watching.freeing();
        }
        Files.close(fd);
    }

    /** The watcher, if there is one yet. */
    public Watcher watcher() {
        return watcher;
    }

    /** Sets the watcher, once. A user of the descriptor calls it, so that its number can't be freed meanwhile. */
    public void watch(Watcher first) {
        watcher = first;
        if (!isOpen()) {
            first.closing();
        }
    }

    private static void tell(Object owner) {
        if (owner instanceof Waiter waiter) {
            waiter.ready();
        }
    }

    /**
     * Claims the reading direction: one reader or transfer at a time.
     *
     * @param owner told of a close if it is a {@link Waiter}
     */
    public void claimReading(Object owner) {
        if (!READER.compareAndSet(this, null, owner)) {
            throw new ReadPendingException();
        }
    }

    public void unclaimReading() {
        reader = null;
    }

    /** Claims the writing direction: one writer or transfer at a time. */
    public void claimWriting(Object owner) {
        if (!WRITER.compareAndSet(this, null, owner)) {
            throw new WritePendingException();
        }
    }

    public void unclaimWriting() {
        writer = null;
    }

    /** Whether a connection that was in progress is made. */
    public boolean connected() throws SluiceException {
        int error = Sockets.option(fd, Sockets.SOL_SOCKET, Sockets.SO_ERROR);
        if (error != 0) {
            throw failure("connect", -Math.abs(error));
        }
        return Sockets.connected(fd);
    }

    /** The exception for a failed call on this descriptor, in one line. */
    public SluiceException failure(String call, long result) {
        return failure(call, name, result);
    }

    /** The exception for a failed call: what, where, which errno, what to do. */
    public static SluiceException failure(String call, String name, long result) {
        int errno = (int) -result;
        String remedy = Errno.remedy(errno);
        String message = name + ": " + call + ": " + Errno.name(errno) + (remedy.isEmpty() ? "" : "; " + remedy);
        return new SluiceException(message, call, errno);
    }

    /** Returns the result of a call, or throws its failure. */
    public int check(String call, int result) throws IOException {
        if (result < 0) {
            throw failure(call, result);
        }
        return result;
    }

    @Override
    public String toString() {
        return name + " (fd " + fd + (isOpen() ? "" : ", closed") + ")";
    }
}
