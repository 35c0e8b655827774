package dev.sluice.ring;

import dev.sluice.internal.linux.Native;
import dev.sluice.io.SluiceException;
import dev.sluice.loop.BlockingPool;
import dev.sluice.loop.DescriptorStream;
import dev.sluice.loop.SocketStream;
import dev.sluice.send.ZeroCopyCalls;
import java.io.IOException;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;
import java.time.Duration;
import java.util.List;
import java.util.Locale;

/**
 * A ring for everybody: any thread, virtual or not, calls, and parks until its operation is done. One platform thread makes
 * the system calls, for all that have gathered in one; it is the only one that may submit what waits, as the kernel cancels
 * that when the thread exits that submitted it.
 *
 * <p>An interrupt or a passed time-out cancels the operation, and the call returns when the kernel has let go of its buffer,
 * never before: with an exception if it was cancelled, with the result if that came first. The interrupt status stays set.
 * When the ring is full, callers wait for their turn.
 *
 * <p>Where the kernel has no ring for us, or {@code -Dsluice.ring=off} is set, {@link #reason} says why, and files and
 * sockets on top of the ring work by ordinary calls with the same results. {@code -Dsluice.ring=require} makes that an error.
 */
public final class SharedRing implements AutoCloseable {
    private static final int ENTRIES = 256;

    /** What connections that wait for data share: as much memory as can arrive in one round of the ring. */
    private static final int BUFFERS = 64;

    private static final int BUFFER_SIZE = 16 * 1024;

    private final RingThread thread;
    private final String reason;
    private final FixedFiles files = new FixedFiles();
    private final FixedBuffers memories = new FixedBuffers(this);
    private final RingSends sends = new RingSends(this);

    /** Of the ring's thread; there is no other user. */
    private BufferRing buffers;

    private SharedRing(int entries, Duration holdUp) throws IOException {
        String why = unavailable();
        RingThread started = null;
        if (why == null) {
            try {
                started = RingThread.start(entries, holdUp.toNanos(), this::register);
            } catch (SluiceException e) {
                why = e.getMessage();
            }
        }
        if (why != null && mode().equals("require")) {
            throw new SluiceException("-Dsluice.ring=require, but " + why, "io_uring_setup", 0);
        }
        thread = started;
        reason = why;
    }

    /** On the ring's thread. A kernel that refuses leaves us with ordinary descriptors and buffers. */
    private void register(Ring ring) {
        files.register(ring);
        memories.register(ring);
        try {
            buffers = ring.registry().bufferRing(0, BUFFERS, BUFFER_SIZE);
        } catch (IOException e) {
            buffers = null;
        }
    }

    private static String mode() {
        return System.getProperty("sluice.ring", "auto").toLowerCase(Locale.ROOT);
    }

    private static String unavailable() {
        if (mode().equals("off")) {
            return "the ring is switched off by -Dsluice.ring=off";
        }
        return Native.available() ? null : "the ring " + Native.unavailable();
    }

    /** The one that serves the whole process: started when first asked for, never closed. */
    public static SharedRing shared() throws IOException {
        return Shared.get();
    }

    private static final class Shared {
        private static SharedRing ring;

        static synchronized SharedRing get() throws IOException {
            if (ring == null) {
                ring = new SharedRing(ENTRIES, Duration.ZERO);
            }
            return ring;
        }
    }

    /** Starts one of the caller's own, of so many submissions at a time. */
    public static SharedRing open(int entries) throws IOException {
        return open(entries, Duration.ZERO);
    }

    /**
     * The same, but operations are held up, for at most so long, until more have come to share a system call.
     *
     * @throws SluiceException if there can be no ring, and {@code -Dsluice.ring=require} is set
     */
    public static SharedRing open(int entries, Duration holdUp) throws IOException {
        RingSetup.require(entries, entries);
        return new SharedRing(entries, holdUp);
    }

    /** Why operations go by ordinary calls, with what would help; null if they go by the ring. */
    public String reason() {
        return reason;
    }

    /**
     * How many system calls its thread has made for all the operations together; 0 without a ring. Zero-copy sends, and
     * what {@link #fanOut} sends at once, are not among them: those the callers make themselves.
     */
    public long systemCalls() {
        return thread == null ? 0 : thread.enters();
    }

    /** Makes an operation of an empty entry. */
    @FunctionalInterface
    public interface Entry {
        /**
         * Called once, on the ring's thread, which must not be held up; for one operation with one result: no links, no
         * multishot, no id. What it throws is thrown to the caller.
         */
        void fill(Submission submission);
    }

    /**
     * Performs any operation, and parks until it is over.
     *
     * @return what the system call would return, or −errno
     * @throws UnsupportedOperationException without a ring, see {@link #reason}
     * @throws java.io.InterruptedIOException if it was cancelled by an interrupt
     * @throws IllegalStateException once the ring is closed
     */
    public int perform(Entry entry) throws IOException {
        return perform(entry, Duration.ZERO);
    }

    /**
     * The same, but not for ever.
     *
     * @param timeout zero for no time-out
     * @throws java.net.SocketTimeoutException if it was cancelled because the time was over
     */
    public int perform(Entry entry, Duration timeout) throws IOException {
        if (thread == null) {
            throw new UnsupportedOperationException(reason);
        }
        long nanos = timeout.toNanos();
        return perform(
                new Request() {
                    @Override
                    void fill(Submission submission) {
                        entry.fill(submission);
                    }
                },
                nanos <= 0 ? Long.MAX_VALUE : System.nanoTime() + nanos);
    }

    /** By the ring or by ordinary calls; the result, or −errno. */
    int perform(Request request, long deadline) throws IOException {
        if (thread == null) {
            return ordinary(request);
        }
        if (thread.closed()) {
            Throwable failure = thread.failure();
            throw new IllegalStateException(
                    failure == null ? "the shared ring is closed" : "the shared ring has failed", failure);
        }
        thread.submit(request);
        return thread.await(request, deadline);
    }

    private static int ordinary(Request request) {
        if (!Thread.currentThread().isVirtual()) {
            return request.ordinary();
        }
        BlockingPool.shared().execute(() -> {
            try {
                request.finish(request.ordinary());
            } catch (Throwable t) {
                request.finish(t);
            }
        });
        request.awaitDone();
        return request.result();
    }

    /**
     * Writes one buffer to many channels, all at once: a slow one holds up nobody else. What sockets take without waiting
     * the caller sends, and of much the ring's thread a part; then it parks until the last has it all, or has failed, or
     * the time is over, or the thread is interrupted, which cuts off the rest. The buffer is neither changed nor needed any
     * more then; a heap buffer is copied, once. One writer at a time per channel.
     *
     * @param timeout zero for no time-out
     * @param sinks channels of the library: sockets, pipes, {@link dev.sluice.file.KernelFile}s, each at its position
     * @return what became of it, in the order of the sinks
     * @throws IllegalArgumentException if one of them is somebody else's
     */
    public List<Delivery> fanOut(ByteBuffer buffer, Duration timeout, List<? extends WritableByteChannel> sinks) {
        long nanos = timeout.toNanos();
        try {
            return FanOut.run(thread, buffer, nanos <= 0 ? Long.MAX_VALUE : System.nanoTime() + nanos, sinks);
        } finally {
            Reference.reachabilityFence(buffer);
            Reference.reachabilityFence(sinks);
        }
    }

    /**
     * Means for {@link dev.sluice.net.StreamSocket#connect} and {@link dev.sluice.net.StreamListener#listen}: sockets that
     * accept, read, write and wait by this ring, or by readiness where there is no ring. Close them before the ring. The
     * arena of a direct buffer must not be closed during a call.
     */
    public SocketStream.Factory sockets() {
        return descriptor -> thread == null ? new DescriptorStream(descriptor) : new RingStream(this, descriptor);
    }

    /**
     * Means for {@link dev.sluice.send.ZeroCopySender.Builder#by}: zero-copy sends by this ring (SEND_ZC, since Linux 6.2),
     * from memory that is registered with it as far as the limit of locked memory allows. The buffers come back even after
     * their socket is closed. Where there is no ring, the sender does as if it had not been given this. Once the ring is
     * closed, senders copy.
     */
    public ZeroCopyCalls sends() {
        return sends;
    }

    /** Filled on the ring's thread, or null. */
    BufferRing buffers() {
        return buffers;
    }

    /** The ring's thread, or null. */
    RingThread thread() {
        return thread;
    }

    FixedFiles files() {
        return files;
    }

    FixedBuffers memories() {
        return memories;
    }

    /**
     * Cancels what is in flight; callers get −ECANCELED, or an exception, once the kernel has let go of their buffers. Waits
     * for that for at most a second; the rest goes on in the background.
     */
    @Override
    public void close() {
        if (thread != null) {
            thread.close();
        }
    }

    @Override
    public String toString() {
        return reason == null ? "shared ring" : "no ring: " + reason;
    }
}
