package dev.sluice.ring;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import dev.sluice.internal.linux.Rings;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;

/**
 * Buffers that the kernel takes when it has something to put into them, see io_uring_setup_buf_ring(3). All are the kernel's
 * at first. A buffer that a completion names is the owner's until {@link #recycle}. When none is left, requests end with
 * −ENOBUFS, and a multishot one has to be submitted again once some have been recycled.
 */
public final class BufferRing implements AutoCloseable {
    private static final VarHandle SHORT = JAVA_SHORT.varHandle();
    private static final int MAX_COUNT = 32768;
    private static final long PAGE = 4096;

    private final RingRegistry registry;
    private final int group;
    private final int count;
    private final int size;
    private final boolean incremental;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment entries;
    private final MemorySegment memory;

    /** The buffers in the order in which the kernel gets them, and where in that order it is. */
    private final short[] order;

    private final int[] filled;
    private int head;
    private int tail;

    BufferRing(RingRegistry registry, int group, int count, int size, boolean incremental) {
        if (Integer.bitCount(count) != 1 || count < 1 || count > MAX_COUNT || size < 1) {
            throw new IllegalArgumentException(count + " buffers of " + size + " bytes: a power of two, up to 32768");
        }
        this.registry = registry;
        this.group = group;
        this.count = count;
        this.size = size;
        this.incremental = incremental;
        this.entries = arena.allocate(count * Rings.BUF_SIZE, PAGE);
        this.memory = arena.allocate((long) count * size, PAGE);
        this.order = new short[count];
        this.filled = new int[count];
    }

    void register() throws IOException {
        MemorySegment registration = arena.allocate(Rings.BUF_REG_SIZE, 8);
        registration.set(JAVA_LONG, Rings.BUF_REG_ADDR, entries.address());
        registration.set(JAVA_INT, Rings.BUF_REG_ENTRIES, count);
        registration.set(JAVA_SHORT, Rings.BUF_REG_BGID, (short) group);
        registration.set(JAVA_SHORT, Rings.BUF_REG_FLAGS, (short) (incremental ? Rings.IOU_PBUF_RING_INC : 0));
        try {
            registry.call("io_uring_register PBUF_RING", Rings.IORING_REGISTER_PBUF_RING, registration.address(), 1);
        } catch (IOException e) {
            arena.close();
            throw e;
        }
        for (int i = 0; i < count; i++) {
            put(i);
        }
        publish();
    }

    /** What {@link Submission#select} takes. */
    public int group() {
        return group;
    }

    /** All the buffers, one behind the other. */
    public MemorySegment memory() {
        return memory;
    }

    /** How many the kernel has. */
    public int available() {
        return tail - head;
    }

    /** Takes what one completion put into buffers, in the order of the stream. */
    @FunctionalInterface
    public interface Sink {
        /**
         * A piece.
         *
         * @param offset where in {@link #memory} it is
         * @param finished whether the buffer is the owner's now, to be {@linkplain #recycle recycled}; an incremental one
         *     may go on being filled behind the piece
         */
        void piece(int buffer, long offset, int length, boolean finished);
    }

    /** Walks through the buffers of a completion: one, a part of one if incremental, or several of a bundle. */
    public void take(Completion completion, Sink sink) {
        int left = Math.max(0, completion.result());
        if (!completion.hasBuffer()) {
            return;
        }
        boolean goesOn = completion.bufferMore();
        int buffer = completion.bufferId();
        do {
            int length = Math.min(left, size - filled[buffer]);
            int from = filled[buffer];
            left -= length;
            boolean partial = incremental && left == 0 && goesOn;
            filled[buffer] = partial ? from + length : 0;
            if (!partial) {
                head++;
            }
            sink.piece(buffer, (long) buffer * size + from, length, !partial);
            buffer = Short.toUnsignedInt(order[head & count - 1]);
        } while (left > 0);
    }

    /** Gives a buffer back to the kernel. */
    public void recycle(int buffer) {
        if (available() >= count) {
            throw new IllegalStateException("the kernel has all the buffers: " + buffer + " was recycled twice");
        }
        put(buffer);
        publish();
    }

    private void put(int buffer) {
        int index = tail & count - 1;
        long at = index * Rings.BUF_SIZE;
        entries.set(JAVA_LONG, at + Rings.BUF_ADDR, memory.address() + (long) buffer * size);
        entries.set(JAVA_INT, at + Rings.BUF_LEN, size);
        entries.set(JAVA_SHORT, at + Rings.BUF_BID, (short) buffer);
        order[index] = (short) buffer;
        tail++;
    }

    /** Release: the kernel must see the entries before the tail that covers them. It lies in the first of them. */
    private void publish() {
        SHORT.setRelease(entries, Rings.BUF_RING_TAIL, (short) tail);
    }

    /**
     * Takes the buffers back and frees them.
     *
     * @throws IllegalStateException while anything is in flight, since it may use one of them
     */
    @Override
    public void close() {
        if (!arena.scope().isAlive()) {
            return;
        }
        if (registry.busy()) {
            throw new IllegalStateException("requests in flight may use the buffers of group " + group);
        }
        free(true);
    }

    /** Only if it is quiet; else the kernel may still write to them, so they are left to it for good. */
    void free(boolean quiet) {
        MemorySegment registration = arena.allocate(Rings.BUF_REG_SIZE, 8);
        registration.set(JAVA_SHORT, Rings.BUF_REG_BGID, (short) group);
        try {
            registry.call(
                    "io_uring_register UNREGISTER_PBUF_RING",
                    Rings.IORING_UNREGISTER_PBUF_RING,
                    registration.address(),
                    1);
        } catch (IOException e) {
            quiet = false;
        }
        registry.remove(this);
        if (quiet) {
            arena.close();
        }
    }
}
