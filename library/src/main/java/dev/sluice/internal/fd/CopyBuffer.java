package dev.sluice.internal.fd;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.LinkedHashSet;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A buffer of native memory for the copying route, lent like a pipe: only while bytes are in flight.
 *
 * <p>Several outlets may write from one buffer, each at its own pace: who {@linkplain #retain retains} it gives it back.
 *
 * <p>The memory is never returned to the system, so at most {@link #MAX} are ever made; whoever finds none left waits
 * for its turn, told through {@link Waiter#ready}. That bounds what stalled flows can hold.
 */
public final class CopyBuffer {
    /** Bytes in a buffer: four times what a default socket delivers per wake-up, small enough to stay in cache. */
    public static final int SIZE = 64 * 1024;

    /** 64 MiB in all. */
    static final int MAX = 1024;

    private static final ArrayDeque<CopyBuffer> IDLE = new ArrayDeque<>();

    /** In the order in which they asked; nobody twice, or a turn would be spent on one who has had his. */
    private static final LinkedHashSet<Waiter> WAITING = new LinkedHashSet<>();

    private static int made;

    private final MemorySegment segment = Arena.ofAuto().allocate(SIZE, 4096);
    private final ByteBuffer view = segment.asByteBuffer();
    private final long address = segment.address();
    private final AtomicInteger users = new AtomicInteger(1);

    private CopyBuffer() {}

    /** A buffer, or null: then the waiter is told when it is worth asking again. */
    public static CopyBuffer borrow(Waiter waiter) {
        synchronized (IDLE) {
            CopyBuffer buffer = IDLE.pollLast();
            if (buffer != null) {
                WAITING.remove(waiter);
                return buffer.lent();
            }
            if (made >= MAX) {
                WAITING.add(waiter);
                return null;
            }
            made++;
        }
        return new CopyBuffer();
    }

    /** A buffer for a moment, beyond the bound if need be: for reads and writes of heap buffers, which never wait. */
    public static CopyBuffer borrowBriefly() {
        synchronized (IDLE) {
            CopyBuffer buffer = IDLE.pollLast();
            if (buffer != null) {
                return buffer.lent();
            }
            made++;
        }
        return new CopyBuffer();
    }

    private CopyBuffer lent() {
        users.set(1);
        return this;
    }

    /** One more user, who has to give the buffer back, too. */
    public CopyBuffer retain() {
        users.incrementAndGet();
        return this;
    }

    /** The last of its users makes it free for others. */
    public static void giveBack(CopyBuffer buffer) {
        if (buffer.users.decrementAndGet() > 0) {
            return;
        }
        buffer.view.clear();
        Waiter next;
        synchronized (IDLE) {
            if (made > MAX) {
                made--;
            } else {
                IDLE.addLast(buffer);
            }
            next = WAITING.isEmpty() ? null : WAITING.removeFirst();
        }
        if (next != null) {
            next.ready();
        }
    }

    /** The waiter will not ask again. If its turn had come already, the turn is the next one's. */
    public static void forget(Waiter waiter) {
        Waiter next = null;
        synchronized (IDLE) {
            WAITING.remove(waiter);
            if (!IDLE.isEmpty() && !WAITING.isEmpty()) {
                next = WAITING.removeFirst();
            }
        }
        if (next != null) {
            next.ready();
        }
    }

    public long address() {
        return address;
    }

    /** A view of the whole buffer, cleared; position and limit are the borrower's to use. */
    public ByteBuffer view() {
        return view;
    }
}
