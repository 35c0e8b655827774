package dev.sluice.send;

import dev.sluice.internal.linux.Memory;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.ref.Reference;
import java.nio.BufferOverflowException;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import java.util.zip.CRC32C;

/**
 * A buffer of a {@link BufferPool} and the right to write it, until it is sent.
 *
 * <p>The owner fills it ({@link #put}, {@link #readFrom}, or through {@link #segment}) and hands it to a
 * {@link ZeroCopySender}. From then on the kernel may read it at any time: nobody can write to it, and when the kernel has
 * let go, the buffer returns to its pool by itself. A lease that is not sent is given back by {@link #close}; it is not
 * AutoCloseable, since a lease that was sent is nobody's to close. A frozen lease can be sent many times.
 *
 * <p>Whatever is not allowed in the state that the lease is in throws an {@link IllegalStateException} that names both. All
 * methods may be called from any thread, though only {@link #segment} says what two writers at a time would do.
 */
public final class BufferLease {
    /** Who may do what. */
    public enum State {
        /** The holder of the lease may write, send, freeze or close it. */
        OWNED,
        /** Nobody may write it any more; it may be sent any number of times, and closed. */
        FROZEN,
        /** The kernel reads it. Reading is allowed, nothing else. */
        IN_FLIGHT,
        /** It has gone back to the pool, and may be somebody else's. */
        RELEASED,
        /** The kernel never said that it has let go: the pool will not lend it again. */
        QUARANTINED
    }

    private final BufferPool pool;
    private final int index;
    private final long offset;

    /** What is told if the lease is forgotten, or null. */
    private final Leak leak;

    private State state = State.OWNED;
    private int length;

    /** The owner, and each send of a frozen lease. */
    private int holds = 1;

    private boolean frozen;
    private boolean doomed;
    private long checksum;

    private Arena viewed;
    private MemorySegment view;

    BufferLease(BufferPool pool, int index, long offset) {
        this.pool = pool;
        this.index = index;
        this.offset = offset;
        this.leak = Leak.watch(this, pool, index);
    }

    /** Room for so many bytes. */
    public int capacity() {
        return pool.bufferSize();
    }

    /** How many bytes will be sent: as many as were put, unless set otherwise. */
    public synchronized int length() {
        return length;
    }

    /** Sets how many bytes, from the first one on, will be sent. */
    public synchronized BufferLease length(int bytes) {
        requireOwned("set the length of");
        if (bytes < 0 || bytes > capacity()) {
            throw new IllegalArgumentException(bytes + " bytes do not fit " + this);
        }
        length = bytes;
        return this;
    }

    /**
     * Appends the bytes.
     *
     * @throws BufferOverflowException if they do not fit; nothing is appended then
     */
    public synchronized BufferLease put(ByteBuffer bytes) {
        requireOwned("write to");
        int count = bytes.remaining();
        if (count > capacity() - length) {
            throw new BufferOverflowException();
        }
        MemorySegment.copy(MemorySegment.ofBuffer(bytes), 0, pool.memory(), offset + length, count);
        bytes.position(bytes.limit());
        length += count;
        return this;
    }

    /** Appends the bytes; see {@link #put(ByteBuffer)}. */
    public synchronized BufferLease put(byte[] bytes) {
        requireOwned("write to");
        if (bytes.length > capacity() - length) {
            throw new BufferOverflowException();
        }
        MemorySegment.copy(bytes, 0, pool.memory(), ValueLayout.JAVA_BYTE, offset + length, bytes.length);
        length += bytes.length;
        return this;
    }

    /**
     * Appends what one read of the channel gives; blocks as the channel does.
     *
     * @return how many bytes, or −1 at the end of the channel
     */
    public int readFrom(ReadableByteChannel source) throws IOException {
        ByteBuffer room;
        synchronized (this) {
            room = segment().asByteBuffer().position(length);
        }
        int count = source.read(room);
        synchronized (this) {
            if (count > 0) {
                requireOwned("append to");
                length += count;
            }
        }
        return count;
    }

    /**
     * The whole buffer, to be written by the calling thread alone, until the lease is sent, frozen or closed: then the segment
     * and everything made from it throws when it is used. So the thread that asks for it is also the one that has to send.
     */
    public synchronized MemorySegment segment() {
        requireOwned("write to");
        if (view == null) {
            viewed = Arena.ofConfined();
            // Whoever keeps the segment keeps the lease, which is not lost then.
            view = Memory.at(address(), capacity(), viewed, gone -> Reference.reachabilityFence(BufferLease.this));
        }
        if (!view.isAccessibleBy(Thread.currentThread())) {
            throw new IllegalStateException(this + ": another thread is writing to it through its segment");
        }
        return view;
    }

    /**
     * The bytes that will be or were sent, to be read by anybody. A reader that keeps the segment beyond the release sees what
     * the buffer's next owner writes, and an exception once the pool is closed.
     */
    public synchronized MemorySegment readOnly() {
        if (state == State.RELEASED || state == State.QUARANTINED) {
            throw misuse("read");
        }
        return pool.memory().asSlice(offset, length).asReadOnly();
    }

    /**
     * Gives up writing for good, so that the same bytes can be sent many times, to many sockets, at once. The buffer returns
     * to the pool when the lease is closed and every send is released.
     */
    public synchronized BufferLease freeze() {
        requireOwned("freeze");
        revoke();
        state = State.FROZEN;
        frozen = true;
        guard();
        return this;
    }

    /** Who may do what at the moment. */
    public synchronized State state() {
        return state;
    }

    /**
     * Gives the buffer back unsent; of a frozen one, ends the owner's part. Closing again does nothing.
     *
     * @throws IllegalStateException if the buffer was sent: it returns by itself
     */
    public void close() {
        synchronized (this) {
            switch (state) {
                case OWNED -> revoke();
                case FROZEN -> state = State.IN_FLIGHT;
                case IN_FLIGHT -> {
                    if (frozen) {
                        return;
                    }
                    throw misuse("close");
                }
                case RELEASED, QUARANTINED -> {
                    return;
                }
            }
        }
        land(false);
    }

    /** For a send: the owner's hold goes over to it, or a frozen lease gets one more. */
    synchronized void takeOff(Transport transport) {
        switch (state) {
            case OWNED -> {
                revoke();
                state = State.IN_FLIGHT;
                guard();
            }
            case FROZEN -> holds++;
            case IN_FLIGHT, RELEASED, QUARANTINED -> throw misuse("send");
        }
        pool.carry(index, transport);
    }

    /** The send never began. */
    synchronized void putBack() {
        if (holds == 1) {
            pool.carry(index, null);
        }
        if (frozen) {
            holds--;
        } else {
            state = State.OWNED;
        }
    }

    /** A hold ends. */
    void land(boolean quarantine) {
        synchronized (this) {
            doomed |= quarantine;
            if (--holds > 0) {
                return;
            }
            state = doomed ? State.QUARANTINED : State.RELEASED;
            if (pool.guarded() && (frozen || checksum != 0) && checksum != sum()) {
                pool.violated(this);
            }
        }
        if (leak != null) {
            leak.returned();
        }
        pool.giveBack(index, doomed);
    }

    long address() {
        return pool.memory().address() + offset;
    }

    BufferPool pool() {
        return pool;
    }

    private void requireOwned(String what) {
        if (state != State.OWNED) {
            throw misuse(what);
        }
    }

    private IllegalStateException misuse(String what) {
        return new IllegalStateException("can't " + what + " " + this
                + switch (state) {
                    case FROZEN -> ": it is frozen";
                    case IN_FLIGHT -> ": the kernel may still read it";
                    case RELEASED, QUARANTINED -> ": it is no longer leased";
                    case OWNED -> "";
                });
    }

    /** Ends the writable view. Fails, and changes nothing, if another thread may be writing. */
    private void revoke() {
        if (view != null) {
            if (!view.isAccessibleBy(Thread.currentThread())) {
                throw new IllegalStateException(
                        this + ": only the thread that took its segment can send, freeze or close it");
            }
            viewed.close();
            view = null;
        }
    }

    private void guard() {
        if (pool.guarded()) {
            checksum = sum();
        }
    }

    private long sum() {
        CRC32C sum = new CRC32C();
        sum.update(pool.memory().asSlice(offset, capacity()).asByteBuffer());
        return sum.getValue() | 1L << 32;
    }

    @Override
    public synchronized String toString() {
        return "buffer " + index + " of " + pool + " (" + length + " bytes, " + state + ")";
    }
}
