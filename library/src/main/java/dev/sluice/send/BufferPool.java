package dev.sluice.send;

import dev.sluice.internal.fd.Descriptor;
import dev.sluice.internal.fd.PoolMemory;
import dev.sluice.internal.linux.Memory;
import dev.sluice.internal.linux.Native;
import dev.sluice.io.SluiceException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Native memory in buffers of one size, leased one at a time for sends that the kernel makes from them.
 *
 * <p>{@link #lease} waits for a free buffer: with a pool of <i>n</i> buffers, that is pipelined sending, which waits for the
 * oldest send of <i>n</i>, and not for the last. The buffer that came back last is lent first, as it is in the caches.
 *
 * <p>All methods may be called from any thread.
 */
public final class BufferPool implements AutoCloseable {
    /** What the memory consists of. */
    public enum Pages {
        /** Pages of 4 KiB, or whatever the machine's are. */
        SMALL,
        /** Small ones which the kernel may merge (madvise(2), MADV_HUGEPAGE), and does not tell. */
        TRANSPARENT,
        /** Reserved huge pages (mmap(2), MAP_HUGETLB). */
        HUGE
    }

    /**
     * Where the buffers are.
     *
     * @param free in the pool
     * @param owned leased, and neither sent nor given back
     * @param inFlight sent, and not known to be released
     * @param quarantined never to be lent again, since the kernel did not say that it has let go of them
     * @param forgotten leases that nobody gave back, found with {@code -Dsluice.leaks=on}
     * @param written buffers that changed while the kernel had them, found with {@code -Dsluice.guard=checksum}
     */
    public record Stats(int free, int owned, int inFlight, int quarantined, long forgotten, long written) {}

    private static final System.Logger LOG = System.getLogger("dev.sluice");
    private static final int PAGE = 4096;
    private static final int CACHE_LINE = 64;

    private final int bufferSize;
    private final int count;
    private final Pages pages;
    private final MemorySegment memory;
    private final Arena arena;
    private final long stride;
    private final int mostQuarantined;
    private final boolean guarded = System.getProperty("sluice.guard", "off").equals("checksum");
    private final boolean findsLeaks = Leak.enabled();

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition returned = lock.newCondition();
    private final int[] free;
    private int freeCount;
    private volatile int quarantined;
    private long forgotten;
    private volatile long written;
    private boolean closed;

    /** Who carries which buffer, so that those who wait for one know whom to ask. */
    private final AtomicReferenceArray<Transport> carriers;

    /** How many wait for a buffer: then whoever sends one has to watch for its release. */
    private final AtomicInteger waiters = new AtomicInteger();

    private final Throwable[] sites;

    /** The memory as rings know it, which register it at its first use. */
    private final PoolMemory known;

    private BufferPool(int bufferSize, int count, Pages pages, MemorySegment memory, Arena arena, long stride) {
        this.bufferSize = bufferSize;
        this.count = count;
        this.pages = pages;
        this.memory = memory;
        this.known = new PoolMemory(memory);
        this.arena = arena;
        this.stride = stride;
        this.mostQuarantined = Math.max(1, count / 4);
        this.carriers = new AtomicReferenceArray<>(count);
        this.sites = findsLeaks ? new Throwable[count] : null;
        this.free = new int[count];
        this.freeCount = count;
        Arrays.setAll(free, i -> count - 1 - i);
    }

    /**
     * Makes a pool of ordinary pages.
     *
     * @throws SluiceException with the errno of mmap(2)
     * @throws UnsupportedOperationException if this is not Linux, or native access is denied
     */
    public static BufferPool open(int bufferSize, int count) throws SluiceException {
        return open(bufferSize, count, Pages.SMALL);
    }

    /** Makes a pool of such pages, or of the next best: {@link #pages} tells which. */
    public static BufferPool open(int bufferSize, int count, Pages wish) throws SluiceException {
        if (!Native.available()) {
            throw new UnsupportedOperationException("buffers for zero-copy sends: " + Native.unavailable());
        }
        if (bufferSize <= 0 || count <= 0) {
            throw new IllegalArgumentException(count + " buffers of " + bufferSize + " bytes");
        }
        int unit = bufferSize < PAGE ? CACHE_LINE : PAGE;
        long stride = (bufferSize + unit - 1L) / unit * unit;
        long size = wish == Pages.SMALL ? stride * count : roundUp(stride * count, Memory.HUGE_PAGE);
        Pages got = wish;
        long address = Memory.map(size, wish == Pages.HUGE);
        if (address < 0 && wish == Pages.HUGE) {
            got = Pages.TRANSPARENT;
            address = Memory.map(size, false);
        }
        if (address < 0) {
            throw Descriptor.failure("mmap", "a pool of " + count + " buffers of " + bufferSize + " bytes", address);
        }
        if (got == Pages.TRANSPARENT && Memory.adviseHuge(address, size) < 0) {
            got = Pages.SMALL;
        }
        Arena arena = Arena.ofShared();
        MemorySegment memory =
                Memory.at(address, size, arena, mapped -> Memory.unmap(mapped.address(), mapped.byteSize()));
        return new BufferPool(bufferSize, count, got, memory, arena, stride);
    }

    private static long roundUp(long size, long unit) {
        return (size + unit - 1) / unit * unit;
    }

    /** Room in each buffer, in bytes. */
    public int bufferSize() {
        return bufferSize;
    }

    /** What the memory consists of, as far as the kernel tells. */
    public Pages pages() {
        return pages;
    }

    /**
     * Leases a buffer, and parks until one is free.
     *
     * @throws IllegalStateException if the pool is closed, or all its buffers are quarantined
     */
    public BufferLease lease() throws InterruptedException {
        try {
            return lease(Long.MAX_VALUE);
        } catch (TimeoutException e) {
            throw new AssertionError("after 292 years", e);
        }
    }

    /**
     * Leases a buffer, waiting no longer than that; not at all if it is zero.
     *
     * @throws TimeoutException if none became free; it says where they are
     */
    public BufferLease lease(Duration timeout) throws InterruptedException, TimeoutException {
        return lease(timeout.toNanos());
    }

    private BufferLease lease(long nanos) throws InterruptedException, TimeoutException {
        int index = take();
        if (index < 0) {
            // What the kernel has told already is the cheapest to have, and then somebody must hear what it tells next.
            askCarriers(false);
            index = take();
        }
        if (index < 0) {
            waiters.incrementAndGet();
            try {
                askCarriers(true);
                index = await(nanos);
            } finally {
                waiters.decrementAndGet();
            }
        }
        return new BufferLease(this, index, index * stride);
    }

    private int take() {
        lock.lock();
        try {
            requireUsable();
            return freeCount > 0 ? free[--freeCount] : -1;
        } finally {
            lock.unlock();
        }
    }

    private int await(long nanos) throws InterruptedException, TimeoutException {
        lock.lockInterruptibly();
        try {
            long left = nanos;
            while (freeCount == 0) {
                requireUsable();
                if (left <= 0) {
                    throw new TimeoutException("no free buffer in " + this + ": " + counted()
                            + (findsLeaks ? "" : "; -Dsluice.leaks=on tells of forgotten leases"));
                }
                left = returned.awaitNanos(left);
            }
            requireUsable();
            return free[--freeCount];
        } finally {
            lock.unlock();
        }
    }

    private void requireUsable() {
        if (closed) {
            throw new IllegalStateException(this + " is closed");
        }
        if (quarantined == count) {
            throw new IllegalStateException("all buffers of " + this + " are quarantined");
        }
    }

    /** Lets whoever carries a buffer of ours look, or watch, until one has come back. */
    private void askCarriers(boolean watch) {
        Transport last = null;
        for (int i = 0; i < count; i++) {
            Transport carrier = carriers.get(i);
            if (carrier != null && carrier != last) {
                if (watch) {
                    carrier.watch();
                } else if (carrier.drain() > 0 && anyFree()) {
                    return;
                }
                last = carrier;
            }
        }
    }

    private boolean anyFree() {
        lock.lock();
        try {
            return freeCount > 0;
        } finally {
            lock.unlock();
        }
    }

    /** Where the buffers are at the moment. */
    public Stats stats() {
        lock.lock();
        try {
            return counted();
        } finally {
            lock.unlock();
        }
    }

    private Stats counted() {
        int inFlight = 0;
        for (int i = 0; i < count; i++) {
            inFlight += carriers.get(i) == null ? 0 : 1;
        }
        int owned = Math.max(0, count - freeCount - inFlight - quarantined);
        return new Stats(freeCount, owned, inFlight, quarantined, forgotten, written);
    }

    /**
     * Lends nothing any more; never blocks. Leases that are out stay valid, and the memory is unmapped when the last of them
     * has come back. Pages that the kernel still reads live on in the kernel.
     */
    @Override
    public void close() {
        boolean idle;
        lock.lock();
        try {
            if (closed) {
                return;
            }
            closed = true;
            idle = freeCount + quarantined == count;
            returned.signalAll();
            tellOwned();
        } finally {
            lock.unlock();
        }
        if (idle) {
            unmap();
        }
    }

    /** Names the leases that still have an owner. Those in flight come back by themselves. */
    private void tellOwned() {
        if (!findsLeaks) {
            return;
        }
        for (int i = 0; i < count; i++) {
            if (sites[i] != null && carriers.get(i) == null) {
                LOG.log(
                        System.Logger.Level.WARNING,
                        "buffer " + i + " of " + this + " is leased at its close",
                        sites[i]);
            }
        }
    }

    /** The number under which the kernel knows the memory, or {@link ZeroCopyCalls#UNREGISTERED}; parks at first. */
    int registeredWith(ZeroCopyCalls calls) {
        return known.numberWith(calls);
    }

    private void unmap() {
        known.forget();
        try {
            arena.close();
        } catch (IllegalStateException e) {
            // Somebody is in the middle of reading through a read-only segment.
            Thread.startVirtualThread(() -> {
                LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(10));
                unmap();
            });
        }
    }

    MemorySegment memory() {
        return memory;
    }

    boolean guarded() {
        return guarded;
    }

    boolean findsLeaks() {
        return findsLeaks;
    }

    /** Whether more buffers may be put at the risk of a quarantine. */
    boolean mayFly() {
        return quarantined < mostQuarantined;
    }

    void carry(int index, Transport transport) {
        carriers.set(index, transport);
    }

    /** Whether somebody waits for a buffer. */
    boolean awaited() {
        return waiters.get() > 0;
    }

    void remember(int index, Throwable site) {
        sites[index] = site;
    }

    void giveBack(int index, boolean quarantine) {
        boolean last;
        lock.lock();
        try {
            carriers.set(index, null);
            if (findsLeaks) {
                sites[index] = null;
            }
            if (quarantine) {
                quarantined++;
                returned.signalAll();
            } else {
                free[freeCount++] = index;
                returned.signal();
            }
            last = closed && freeCount + quarantined == count;
        } finally {
            lock.unlock();
        }
        if (last) {
            unmap();
        }
    }

    void lost(int index) {
        lock.lock();
        try {
            forgotten++;
        } finally {
            lock.unlock();
        }
        giveBack(index, false);
    }

    void violated(BufferLease lease) {
        lock.lock();
        try {
            written++;
        } finally {
            lock.unlock();
        }
        LOG.log(
                System.Logger.Level.ERROR,
                lease + " was written to while the kernel had it",
                new Throwable("seen here"));
    }

    @Override
    public String toString() {
        return "pool@" + Integer.toHexString(System.identityHashCode(this));
    }
}
