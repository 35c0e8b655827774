package dev.sluice.send;

import dev.sluice.internal.fd.Adoption;
import dev.sluice.internal.fd.CopyBuffer;
import dev.sluice.internal.fd.Descriptor;
import dev.sluice.internal.fd.Waiter;
import dev.sluice.internal.linux.Errno;
import dev.sluice.internal.linux.Sockets;
import dev.sluice.io.SluiceException;
import dev.sluice.loop.Watch;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.ClosedChannelException;
import java.util.Collections;
import java.util.EnumSet;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Sends over one socket: one message at a time, whoever it is from, and at the end closes the socket only when the kernel
 * has told of every buffer, since afterwards nobody could learn of it (M13). {@link SocketOutput} makes the calls,
 * {@link Completions} takes in what the kernel tells of them.
 *
 * <p>A sender may drain while it holds the lock of the output; nobody who drains waits for that lock.
 */
final class SocketTransport extends Transport implements Waiter {
    /** Undrained completions use the socket's memory for options, and may bring sends to a halt (M9). */
    private static final int SENDS_PER_DRAIN = 16;

    /** After a reset, for what is told a moment later. */
    private static final long GRACE_NANOS = TimeUnit.MILLISECONDS.toNanos(50);

    private static final long FIRST_LOOK_NANOS = TimeUnit.MICROSECONDS.toNanos(50);
    private static final long LAST_LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(5);

    private final Descriptor descriptor;
    private final Adoption adoption;
    private final boolean stream;
    private final Set<Stage> supported;
    private final boolean foreign;
    private final long timeout;
    private final long linger;

    private final ReentrantLock output = new ReentrantLock();
    private final Allowance allowance;
    private final Backoff backoff;
    private final SocketOutput calls;
    private int sendsSinceDrain;

    private final Completions completions;
    private final Stamps stamps = new Stamps();
    private final Acknowledgements acknowledgements;

    /** Zero-copy calls that a ring makes, or null. */
    private final Flights flights;

    /** Why the stream ends in the middle of a message, or null: what came behind it could not be told from its rest. */
    private volatile String cutOff;

    private final AtomicBoolean closing = new AtomicBoolean();
    private final CountDownLatch closed = new CountDownLatch(1);
    private volatile boolean orderly;
    private volatile int quarantined;
    private volatile IOException ended;

    private volatile long sends;
    private volatile long bytes;

    private SocketTransport(Descriptor descriptor, Adoption adoption, ZeroCopySender.Builder options) {
        int fd = descriptor.fd();
        int domain = Sockets.option(fd, Sockets.SOL_SOCKET, Sockets.SO_DOMAIN);
        int type = Sockets.option(fd, Sockets.SOL_SOCKET, Sockets.SO_TYPE);
        boolean internet = domain == Sockets.AF_INET || domain == Sockets.AF_INET6;
        this.descriptor = descriptor;
        this.adoption = adoption;
        this.stream = type == Sockets.SOCK_STREAM;
        this.foreign = options.drainedByCaller;
        this.timeout = options.timeout.toNanos();
        this.linger = options.linger.toNanos();
        this.allowance = new Allowance(options.maxInFlight);
        this.acknowledgements = new Acknowledgements(descriptor, internet && stream);
        boolean theirs = options.calls != null && options.calls.unavailable() == null;
        int refused = theirs ? 0 : Sockets.setOption(fd, Sockets.SOL_SOCKET, Sockets.SO_ZEROCOPY, 1);
        String impossible = refused < 0 ? "the socket has no zero copy: SO_ZEROCOPY: " + Errno.name(-refused) : null;
        this.backoff = new Backoff(
                descriptor.name(), options.policy, options.threshold, Sockets.toThisMachine(fd), impossible);
        this.completions = new Completions(descriptor, backoff, stamps);
        this.flights = theirs ? new Flights(options.calls, descriptor, backoff) : null;
        this.calls = new SocketOutput(descriptor, stream, backoff, completions, flights);
        int reporting = Sockets.SOF_TIMESTAMPING_SOFTWARE
                | Sockets.SOF_TIMESTAMPING_OPT_ID
                | Sockets.SOF_TIMESTAMPING_OPT_TSONLY
                | (stream ? Sockets.SOF_TIMESTAMPING_OPT_ID_TCP : 0);
        boolean stamped =
                internet && Sockets.setOption(fd, Sockets.SOL_SOCKET, Sockets.SO_TIMESTAMPING, reporting) >= 0;
        this.supported = Collections.unmodifiableSet(supported(stamped, stamped && acknowledgements.known()));
    }

    static SocketTransport open(Descriptor descriptor, Adoption adoption, ZeroCopySender.Builder options)
            throws IOException {
        if (!descriptor.acquire()) {
            throw new ClosedChannelException();
        }
        try {
            if (descriptor.kind() != Descriptor.Kind.SOCKET) {
                throw new SluiceException(descriptor.name() + ": not a socket", "", Errno.EOPNOTSUPP);
            }
            SocketTransport transport = new SocketTransport(descriptor, adoption, options);
            // Kept until the close is done, and so is the use of the descriptor.
            descriptor.claimWriting(transport);
            if (!descriptor.isOpen()) {
                transport.ready();
            }
            return transport;
        } catch (IOException | RuntimeException e) {
            descriptor.release();
            throw e;
        }
    }

    // Sending.

    SendReceipt send(ByteBuffer header, BufferLease lease, Stage upTo) throws IOException {
        if (!supported.contains(upTo)) {
            throw new UnsupportedOperationException(
                    descriptor.name() + ": " + upTo + " can't be told of this connection");
        }
        if (header != null && header.remaining() > CopyBuffer.SIZE) {
            throw new IllegalArgumentException("a header of more than " + CopyBuffer.SIZE + " bytes");
        }
        long deadline = timeout == 0 ? Long.MAX_VALUE : System.nanoTime() + timeout;
        lockOutput(deadline);
        try {
            if (!descriptor.isOpen()) {
                throw new ClosedChannelException();
            }
            if (cutOff != null) {
                throw new SluiceException(descriptor.name() + ": an earlier message was cut off: " + cutOff, "", 0);
            }
            awaitAllowance(lease.length(), deadline);
            return sendLocked(header, lease, upTo, deadline);
        } finally {
            output.unlock();
        }
    }

    private void lockOutput(long deadline) throws IOException {
        if (output.tryLock()) {
            return;
        }
        try {
            if (deadline == Long.MAX_VALUE) {
                output.lockInterruptibly();
            } else if (!output.tryLock(deadline - System.nanoTime(), TimeUnit.NANOSECONDS)) {
                throw new SocketTimeoutException(descriptor.name() + ": timed out waiting for other senders");
            }
        } catch (InterruptedException e) {
            throw interrupted(descriptor);
        }
    }

    /** What an interrupted wait throws. */
    private static IOException interrupted(Descriptor descriptor) {
        Thread.currentThread().interrupt();
        return new InterruptedIOException(descriptor.name() + ": interrupted while waiting to send");
    }

    private void awaitAllowance(int length, long deadline) throws IOException {
        if (allowance.allows(length)) {
            return;
        }
        drain();
        watch();
        try {
            if (!allowance.await(length, deadline, descriptor::isOpen)) {
                throw new AsynchronousCloseException();
            }
        } catch (TimeoutException e) {
            throw new SocketTimeoutException(descriptor.name() + ": timed out with " + e.getMessage());
        } catch (InterruptedException e) {
            throw interrupted(descriptor);
        }
    }

    private SendReceipt sendLocked(ByteBuffer header, BufferLease lease, Stage upTo, long deadline) throws IOException {
        lease.takeOff(this);
        int length = lease.length();
        int headerLength = header == null ? 0 : header.remaining();
        SendReceipt receipt = new SendReceipt(this, lease, upTo);
        receipt.expect(calls.endOf(headerLength + length));
        if (SendReceipt.beyondQueued(upTo)) {
            stamps.add(receipt);
        }
        allowance.take(length);
        long before = calls.streamed();
        try {
            boolean flies = lease.pool().mayFly() && usable() && backoff.zeroCopy(length);
            calls.send(header, receipt, flies, deadline);
        } catch (IOException | RuntimeException e) {
            stamps.remove(receipt);
            throw failed(receipt, lease, e, calls.streamed() - before);
        }
        sends++;
        bytes += headerLength + length;
        receipt.queued(length, receipt.end());
        receipt.reachQueued();
        receipt.land(null, false);
        if (lease.pool().awaited()) {
            watch();
        }
        if (++sendsSinceDrain >= SENDS_PER_DRAIN) {
            sendsSinceDrain = 0;
            int out = completions.out();
            if (out >= SENDS_PER_DRAIN || out > 0 && backoff.probing()) {
                drain();
            }
        }
        return receipt;
    }

    /** What to throw: as it is if nothing has left, and with what has otherwise. */
    private IOException failed(SendReceipt receipt, BufferLease lease, Exception cause, long streamedNow)
            throws IOException {
        int taken = calls.taken();
        boolean lost = receipt.doomed();
        if (taken == 0 && !lost) {
            allowance.giveBack(lease.length());
            lease.putBack();
            backoff.forgetProbe();
        } else {
            receipt.queued(taken, calls.streamed());
            receipt.fail(cause instanceof IOException io ? io : new IOException(cause));
            receipt.land(null, false);
        }
        if (streamedNow > 0 || lost) {
            cutOff = cause.toString();
            String message = cause.getMessage() == null ? cause.toString() : cause.getMessage();
            throw new SendException(
                    message + " (" + streamedNow + " bytes of the message were taken)",
                    cause,
                    streamedNow,
                    taken == 0 && !lost ? null : receipt);
        }
        if (cause instanceof RuntimeException unexpected) {
            throw unexpected;
        }
        return (IOException) cause;
    }

    // What the kernel tells.

    @Override
    int drain() {
        return completions.drain();
    }

    @Override
    void watch() {
        // What a ring makes of it comes by itself; stamps are in the error queue.
        if (foreign || flights != null && stamps.isEmpty() || !descriptor.acquire()) {
            return;
        }
        try {
            Watch watch = Watch.of(descriptor, null);
            while (!watch.arm(Watch.ERRORS, this) && descriptor.isOpen()) {
                completions.drainHeld();
            }
        } catch (IOException e) {
            // No descriptor left for an event loop: whoever waits for a stage looks from time to time.
            completions.drainHeld();
        } finally {
            descriptor.release();
        }
    }

    /** Told by a loop of something in the error queue, or by the descriptor of its close. */
    @Override
    public void ready() {
        if (!descriptor.isOpen()) {
            abandon();
            return;
        }
        drain();
        if (completions.out() > 0 || !stamps.isEmpty()) {
            watch();
        }
    }

    @Override
    void landed(SendReceipt receipt) {
        allowance.giveBack(receipt.lease().length());
    }

    // Stages.

    private static Set<Stage> supported(boolean stamped, boolean acknowledged) {
        EnumSet<Stage> stages = EnumSet.of(Stage.ACCEPTED, Stage.QUEUED, Stage.CONFIRMED);
        if (stamped) {
            stages.add(Stage.SCHEDULED);
            stages.add(Stage.ON_WIRE);
        }
        if (acknowledged) {
            stages.add(Stage.ACKED);
        }
        return stages;
    }

    Set<Stage> supportedStages() {
        return supported;
    }

    @Override
    boolean knowsAcknowledged() {
        return acknowledgements.known();
    }

    @Override
    boolean acknowledged(long end) {
        return acknowledgements.reach(end, calls.streamed());
    }

    @Override
    IOException ended() {
        if (usable() && acknowledgements.ended()) {
            ended = new SluiceException(
                    descriptor.name() + ": the connection has ended; later stages will not be reached",
                    "",
                    Errno.ECONNRESET);
        }
        return ended != null ? ended : completions.gap();
    }

    /** Whether everything that will be told can still be. */
    private boolean usable() {
        return ended == null && completions.gap() == null;
    }

    int unsent() throws IOException {
        return asked("ioctl SIOCOUTQNSD", true);
    }

    int unacknowledged() throws IOException {
        return asked("ioctl SIOCOUTQ", false);
    }

    private int asked(String call, boolean unsent) throws IOException {
        if (!descriptor.acquire()) {
            throw new ClosedChannelException();
        }
        try {
            int fd = descriptor.fd();
            return descriptor.check(call, unsent ? Sockets.unsent(fd) : Sockets.unacknowledged(fd));
        } finally {
            descriptor.release();
        }
    }

    boolean isOpen() {
        return descriptor.isOpen();
    }

    ZeroCopySender.Stats stats() {
        return new ZeroCopySender.Stats(
                sends,
                bytes,
                calls.zeroCopyCalls(),
                calls.copyCalls(),
                backoff.copied(),
                backoff.refused(),
                backoff.switches(),
                out(),
                allowance.inFlight(),
                quarantined + (flights == null ? 0 : flights.lost()),
                backoff.reason());
    }

    private int out() {
        return completions.out() + (flights == null ? 0 : flights.out());
    }

    // The end.

    /** Nobody holds the sender any more, or somebody closed its channel: the end takes its course by itself. */
    void abandon() {
        if (closing.get()) {
            return;
        }
        Thread.ofVirtual().name("sluice-sender-close").start(() -> close(linger, false));
    }

    /** Whether the kernel let go of everything without a reset. */
    boolean close(long patience, boolean reset) {
        if (!closing.compareAndSet(false, true)) {
            awaitClosed();
            return orderly;
        }
        descriptor.close();
        allowance.lookAgain();
        boolean interrupted = false;
        // Whoever sends has been woken, and leaves; nobody gets in any more.
        output.lock();
        output.unlock();
        try {
            boolean released = !reset && shutDown(patience);
            // It ends the patience, and not what is left to be done.
            interrupted = Thread.interrupted();
            if (!released) {
                Sockets.disconnect(descriptor.fd());
                awaitDrained(System.nanoTime() + GRACE_NANOS, false);
            }
            orderly = released;
            // A ring goes on telling after the close.
            quarantined = completions.quarantine();
        } finally {
            finish();
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
        return orderly;
    }

    private void awaitClosed() {
        boolean interrupted = false;
        while (true) {
            try {
                closed.await();
                break;
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** Ends the stream and waits for the kernel to let go; for stamps, too, while there is time. */
    private boolean shutDown(long patience) {
        if (stream) {
            Sockets.shutdown(descriptor.fd(), Sockets.SHUT_WR);
        }
        awaitDrained(System.nanoTime() + patience, true);
        return out() == 0;
    }

    private void awaitDrained(long deadline, boolean stampsToo) {
        long pause = FIRST_LOOK_NANOS;
        while (true) {
            completions.drainHeld();
            boolean stampsToCome = stampsToo && !stamps.isEmpty() && acknowledgements.pending();
            boolean done = out() == 0 && !stampsToCome;
            if (done
                    || System.nanoTime() - deadline >= 0
                    || Thread.currentThread().isInterrupted()) {
                return;
            }
            LockSupport.parkNanos(this, pause);
            pause = Math.min(2 * pause, LAST_LOOK_NANOS);
        }
    }

    private void finish() {
        if (acknowledgements.known() && orderly) {
            acknowledgements.learn(calls.streamed());
        }
        IOException end = new SluiceException(descriptor.name() + ": the sender is closed", "", 0);
        ended = end;
        stamps.fail(end);
        Records.closed(descriptor.name(), stats(), orderly);
        descriptor.release();
        if (adoption != null) {
            adoption.leave();
        }
        closed.countDown();
    }

    @Override
    public String toString() {
        return descriptor.name();
    }
}
