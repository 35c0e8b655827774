package dev.sluice.send;

import dev.sluice.internal.fd.Adoption;
import dev.sluice.internal.fd.CopyBuffer;
import dev.sluice.internal.fd.Descriptor;
import dev.sluice.internal.fd.Shortfall;
import dev.sluice.internal.fd.Waiter;
import dev.sluice.internal.linux.Errno;
import dev.sluice.internal.linux.ErrorQueue;
import dev.sluice.internal.linux.Message;
import dev.sluice.internal.linux.Sockets;
import dev.sluice.io.Endpoint;
import dev.sluice.io.SluiceException;
import dev.sluice.loop.Watch;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.InetAddress;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.ClosedChannelException;
import java.util.Collections;
import java.util.EnumSet;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;

/**
 * MSG_ZEROCOPY on one socket: makes the calls, counts their ids, reads the error queue, and closes the socket only when
 * the kernel has told of every buffer, since afterwards nobody could learn of it (M13).
 *
 * <p>Two locks: {@code output} for whoever sends, and {@code queue} for whoever reads the error queue. Neither is held while
 * the other is waited for, except that a sender may drain.
 */
final class SocketTransport extends Transport implements Waiter {
    /** Undrained completions use the socket's memory for options, and may bring sends to a halt (M9). */
    private static final int SENDS_PER_DRAIN = 16;

    private static final String NO_MEMORY = "the kernel has no memory for zero-copy sends (ENOBUFS, ENOMEM); raise"
            + " net.core.optmem_max with sysctl, or the limit of locked memory (ulimit -l)";

    /** After a reset, for what is told a moment later. */
    private static final long GRACE_NANOS = TimeUnit.MILLISECONDS.toNanos(50);

    private static final long FIRST_LOOK_NANOS = TimeUnit.MICROSECONDS.toNanos(50);
    private static final long LAST_LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(5);

    private final Descriptor descriptor;
    private final Adoption adoption;
    private final boolean stream;
    private final boolean tcp;
    private final Set<Stage> supported;
    private final boolean foreign;
    private final long maxInFlight;
    private final long timeout;
    private final long linger;
    private final Backoff backoff;

    /** Who makes the zero-copy calls, or null: we do. */
    private final ZeroCopyCalls calls;

    /** How many of theirs are out. */
    private final AtomicInteger flights = new AtomicInteger();

    private final AtomicInteger lostFlights = new AtomicInteger();

    private final ReentrantLock output = new ReentrantLock();
    private final Message message = new Message();
    private int sendsSinceDrain;

    /** Whether the buffer at hand goes by zero copy, all parts of it: a small rest would delay nothing but its release. */
    private boolean flying;

    private final ReentrantLock draining = new ReentrantLock();
    private final ErrorQueue queue = new ErrorQueue();
    private final Outstanding outstanding = new Outstanding(0);
    private final Stamps stamps = new Stamps();

    /** What of the peer's acknowledgements belongs to what was sent before, SYN included. */
    private final long acknowledgedBefore;

    private volatile long acknowledged;

    /** Bytes of the stream that the kernel has taken; it has them a moment before they are counted. */
    private volatile long streamed;

    /** Why the stream ends in the middle of a message, or null: what came behind it could not be told from its rest. */
    private volatile String cutOff;

    /** Datagrams whose stamps were asked for. */
    private long stampedDatagrams;

    private final AtomicLong inFlightBytes = new AtomicLong();
    private final Object room = new Object();

    private final AtomicBoolean closing = new AtomicBoolean();
    private final CountDownLatch closed = new CountDownLatch(1);
    private volatile boolean orderly;
    private volatile int quarantined;
    private volatile IOException ended;

    /** Counted under one of the locks, and read by anybody. */
    private volatile long sends;

    private volatile long bytes;
    private volatile long zeroCopyCalls;
    private volatile long copyCalls;
    private volatile long copiedByKernel;
    private volatile long outOfMemory;
    private volatile long switches;

    private SocketTransport(Descriptor descriptor, Adoption adoption, ZeroCopySender.Builder options) {
        int fd = descriptor.fd();
        int domain = Sockets.option(fd, Sockets.SOL_SOCKET, Sockets.SO_DOMAIN);
        int type = Sockets.option(fd, Sockets.SOL_SOCKET, Sockets.SO_TYPE);
        boolean internet = domain == Sockets.AF_INET || domain == Sockets.AF_INET6;
        this.descriptor = descriptor;
        this.adoption = adoption;
        this.stream = type == Sockets.SOCK_STREAM;
        this.foreign = options.drainedByCaller;
        this.maxInFlight = options.maxInFlight;
        this.timeout = options.timeout.toNanos();
        this.linger = options.linger.toNanos();
        long before = internet && stream ? acknowledgedBefore(fd) : -1;
        this.tcp = before >= 0;
        this.acknowledgedBefore = before;
        this.calls = options.calls != null && options.calls.unavailable() == null ? options.calls : null;
        int refused = calls != null ? 0 : Sockets.setOption(fd, Sockets.SOL_SOCKET, Sockets.SO_ZEROCOPY, 1);
        String impossible = refused < 0 ? "the socket has no zero copy: SO_ZEROCOPY: " + Errno.name(-refused) : null;
        this.backoff = new Backoff(options.policy, options.threshold, local(fd), impossible);
        int reporting = Sockets.SOF_TIMESTAMPING_SOFTWARE
                | Sockets.SOF_TIMESTAMPING_OPT_ID
                | Sockets.SOF_TIMESTAMPING_OPT_TSONLY
                | (stream ? Sockets.SOF_TIMESTAMPING_OPT_ID_TCP : 0);
        boolean stamped =
                internet && Sockets.setOption(fd, Sockets.SOL_SOCKET, Sockets.SO_TIMESTAMPING, reporting) >= 0;
        this.supported = Collections.unmodifiableSet(supported(stamped, stamped && tcp));
    }

    /** What is acknowledged, and what is on its way: so much was sent before. Asked until nothing moved meanwhile. */
    private static long acknowledgedBefore(int fd) {
        long before;
        long way;
        do {
            before = Sockets.acknowledged(fd);
            way = Sockets.unacknowledged(fd);
        } while (before >= 0 && before != Sockets.acknowledged(fd));
        return before < 0 || way < 0 ? -1 : before + way;
    }

    private static boolean local(int fd) {
        if (!(Sockets.remoteAddress(fd) instanceof Endpoint.Tcp peer)) {
            return false;
        }
        return InetAddress.ofLiteral(peer.host()).isLoopbackAddress()
                || Sockets.localAddress(fd) instanceof Endpoint.Tcp here
                        && here.host().equals(peer.host());
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
            throw interrupted();
        }
    }

    private IOException interrupted() {
        Thread.currentThread().interrupt();
        return new InterruptedIOException(descriptor.name() + ": interrupted while waiting to send");
    }

    /** Waits until the limit of bytes in flight allows for so many more. */
    private void awaitAllowance(int length, long deadline) throws IOException {
        if (maxInFlight == Long.MAX_VALUE || allows(length)) {
            return;
        }
        drain();
        watch();
        synchronized (room) {
            try {
                while (!allows(length)) {
                    if (!descriptor.isOpen()) {
                        throw new AsynchronousCloseException();
                    }
                    long left = deadline == Long.MAX_VALUE ? Long.MAX_VALUE : deadline - System.nanoTime();
                    if (left <= 0) {
                        throw new SocketTimeoutException(
                                descriptor.name() + ": timed out with " + inFlightBytes + " bytes in flight");
                    }
                    room.wait(left / 1_000_000 + 1);
                }
            } catch (InterruptedException e) {
                throw interrupted();
            }
        }
    }

    private boolean allows(int length) {
        long now = inFlightBytes.get();
        return now == 0 || now + length <= maxInFlight;
    }

    private SendReceipt sendLocked(ByteBuffer header, BufferLease lease, Stage upTo, long deadline) throws IOException {
        lease.takeOff(this);
        int length = lease.length();
        int headerLength = header == null ? 0 : header.remaining();
        SendReceipt receipt = new SendReceipt(this, lease, upTo);
        int stampFlags = stampFlags(upTo);
        receipt.expect(stream ? streamed + headerLength + length : stampedDatagrams + 1);
        if (stampFlags != 0) {
            stamps.add(receipt);
        }
        inFlightBytes.addAndGet(length);
        flying = lease.pool().mayFly() && ended == null && backoff.zeroCopy(length);
        long before = streamed;
        int taken = 0;
        try {
            if (stream) {
                if (headerLength > 0) {
                    sendHeader(header, length > 0, deadline);
                }
                while (taken < length) {
                    taken += sendSome(receipt, lease, taken, length - taken, stampFlags, deadline);
                }
            } else {
                taken = sendMessage(receipt, header, lease, stampFlags, deadline);
            }
        } catch (IOException | RuntimeException e) {
            stamps.remove(receipt);
            throw failed(receipt, lease, e, taken, streamed - before);
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
            int out = outstanding.size();
            if (out >= SENDS_PER_DRAIN || out > 0 && backoff.probing()) {
                drain();
            }
        }
        return receipt;
    }

    /** What to throw: as it is if nothing has left, and with what has otherwise. */
    private IOException failed(SendReceipt receipt, BufferLease lease, Exception cause, int taken, long streamedNow)
            throws IOException {
        boolean lost = receipt.doomed();
        if (taken == 0 && !lost) {
            inFlightBytes.addAndGet(-lease.length());
            lease.putBack();
            backoff.forgetProbe();
        } else {
            receipt.queued(taken, streamed);
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

    /** Which stamps to ask for: all up to that stage. */
    private int stampFlags(Stage upTo) {
        return switch (upTo) {
            case ACCEPTED, QUEUED, CONFIRMED -> 0;
            case SCHEDULED -> Sockets.SOF_TIMESTAMPING_TX_SCHED;
            case ON_WIRE -> Sockets.SOF_TIMESTAMPING_TX_SCHED | Sockets.SOF_TIMESTAMPING_TX_SOFTWARE;
            case ACKED ->
                Sockets.SOF_TIMESTAMPING_TX_SCHED
                        | Sockets.SOF_TIMESTAMPING_TX_SOFTWARE
                        | Sockets.SOF_TIMESTAMPING_TX_ACK;
        };
    }

    private void sendHeader(ByteBuffer header, boolean more, long deadline) throws IOException {
        CopyBuffer copy = CopyBuffer.borrowBriefly();
        try {
            int length = header.remaining();
            copy.view().put(0, header, header.position(), length);
            int flags = more ? Sockets.MSG_MORE : 0;
            for (int sent = 0; sent < length; ) {
                long result = Sockets.send(descriptor.fd(), copy.address() + sent, length - sent, flags);
                if (result >= 0) {
                    copyCalls++;
                    sent += (int) result;
                    streamed += result;
                } else {
                    awaitRoom("send", result, deadline);
                }
            }
            header.position(header.limit());
        } finally {
            CopyBuffer.giveBack(copy);
        }
    }

    /** One call that takes at least a byte, or more calls until one does. */
    private int sendSome(SendReceipt receipt, BufferLease lease, int from, int length, int stampFlags, long deadline)
            throws IOException {
        boolean drained = false;
        while (true) {
            long address = lease.address() + from;
            long result;
            if (flying) {
                result = calls != null
                        ? callTheirs(receipt, lease.pool(), address, length, stampFlags, deadline)
                        : callZeroCopy(receipt, address, length, stampFlags);
                if (result == -Errno.ENOBUFS || calls != null && result == -Errno.ENOMEM) {
                    // With nothing outstanding nobody would ever tell of memory again (M8).
                    flying = !drained && outstanding.size() > 0 && drain() > 0;
                    drained = true;
                    if (!flying) {
                        noMemory();
                    }
                    continue;
                }
                if (calls != null && impossible((int) -result)) {
                    flying = false;
                    continue;
                }
            } else {
                result = call(address, length, stampFlags, 0);
                if (result > 0) {
                    copyCalls++;
                    receipt.copied();
                }
            }
            if (result > 0) {
                if (stream) {
                    streamed += result;
                }
                return (int) result;
            }
            awaitRoom("sendmsg", result, deadline);
        }
    }

    private long callZeroCopy(SendReceipt receipt, long address, int length, int stampFlags) {
        // First, since the completion may be read before the call returns.
        receipt.hold();
        outstanding.add(receipt);
        long result = call(address, length, stampFlags, Sockets.MSG_ZEROCOPY);
        if (result > 0) {
            zeroCopyCalls++;
        } else {
            outstanding.undo();
            receipt.unhold();
        }
        return result;
    }

    private int callTheirs(
            SendReceipt receipt, BufferPool pool, long address, int length, int stampFlags, long deadline)
            throws IOException {
        Flight flight = new Flight(receipt);
        receipt.hold();
        flights.incrementAndGet();
        int result = 0;
        // A send that lies in another one's segment is told to be copied, whatever became of it.
        int eor = stream ? Sockets.MSG_EOR : 0;
        try {
            if (stampFlags == 0) {
                int memory = pool.registeredWith(calls);
                result = calls.send(descriptor.fd(), address, length, eor, memory, deadline, flight);
            } else {
                message.stamps(stampFlags).of(address, length);
                result = calls.send(descriptor.fd(), message, eor, deadline, flight);
            }
        } catch (SocketTimeoutException e) {
            throw new SocketTimeoutException(descriptor.name() + ": timed out waiting for the ring");
        } catch (InterruptedIOException e) {
            throw interrupted();
        } finally {
            if (result > 0) {
                zeroCopyCalls++;
            } else if (!flight.lost) {
                flights.decrementAndGet();
                receipt.unhold();
            }
        }
        return result;
    }

    /** One call of theirs, and its hold of the receipt. */
    private final class Flight implements ZeroCopyCalls.Flight {
        private final SendReceipt receipt;
        private volatile boolean lost;

        Flight(SendReceipt receipt) {
            this.receipt = receipt;
        }

        @Override
        public void landed(SendReceipt.Path path) {
            if (path != SendReceipt.Path.UNKNOWN) {
                boolean copied = path == SendReceipt.Path.COPIED;
                if (copied) {
                    copiedByKernel++;
                }
                if (backoff.told(copied)) {
                    switched();
                }
            }
            flights.decrementAndGet();
            receipt.land(path, false);
        }

        @Override
        public void lost() {
            lost = true;
            lostFlights.incrementAndGet();
            flights.decrementAndGet();
            receipt.land(SendReceipt.Path.UNKNOWN, true);
        }
    }

    /** Whether the errno says that this socket, or the ring, will never do it. A call that copies tells if it is our fault. */
    private boolean impossible(int errno) {
        String why = switch (errno) {
            case Errno.EOPNOTSUPP, Errno.EINVAL -> "the socket has no zero copy: SEND_ZC: " + Errno.name(errno);
            case Errno.ECANCELED -> "the ring that made the zero-copy calls is closed";
            default -> null;
        };
        if (why != null) {
            backoff.impossible(why);
        }
        return why != null;
    }

    private long call(long address, int length, int stampFlags, int flags) {
        if (stampFlags == 0) {
            return Sockets.send(descriptor.fd(), address, length, flags);
        }
        // A segment has room for one request: nothing may be appended to it.
        int eor = stream ? Sockets.MSG_EOR : 0;
        return message.stamps(stampFlags).send(descriptor.fd(), address, length, flags | eor);
    }

    /** The message as a whole; with a header it is copied, since the header's memory is the caller's. */
    private int sendMessage(SendReceipt receipt, ByteBuffer header, BufferLease lease, int stampFlags, long deadline)
            throws IOException {
        int length = lease.length();
        if (header == null && length > 0) {
            sendSome(receipt, lease, 0, length, stampFlags, deadline);
        } else {
            sendWithHeader(header == null ? ByteBuffer.allocate(0) : header, lease, stampFlags, deadline);
            receipt.copied();
        }
        if (stampFlags != 0) {
            stampedDatagrams++;
        }
        return length;
    }

    private void sendWithHeader(ByteBuffer header, BufferLease lease, int stampFlags, long deadline)
            throws IOException {
        CopyBuffer copy = CopyBuffer.borrowBriefly();
        try {
            int headerLength = header.remaining();
            copy.view().put(0, header, header.position(), headerLength);
            long result;
            do {
                result = message.stamps(stampFlags)
                        .send(descriptor.fd(), copy.address(), headerLength, lease.address(), lease.length(), 0);
                if (result < 0) {
                    awaitRoom("sendmsg", result, deadline);
                }
            } while (result < 0);
            copyCalls++;
            header.position(header.limit());
        } finally {
            CopyBuffer.giveBack(copy);
        }
    }

    /** After a call that took nothing: waits for room, or throws what it says. */
    private void awaitRoom(String call, long result, long deadline) throws IOException {
        if (!descriptor.isOpen()) {
            throw new AsynchronousCloseException();
        }
        if (!Errno.wouldBlock(result)) {
            throw descriptor.failure(call, result);
        }
        drain();
        Watch.of(descriptor, null).await(Watch.WRITE, deadline);
    }

    private void noMemory() {
        outOfMemory++;
        Shortfall.ZERO_COPY_MEMORY.tell(() -> "sends copy: " + NO_MEMORY);
        if (backoff.refused(NO_MEMORY)) {
            switched();
        }
    }

    private synchronized void switched() {
        switches++;
        Records.switched(descriptor.name(), backoff);
    }

    // What the kernel tells.

    @Override
    int drain() {
        if (!descriptor.acquire()) {
            return 0;
        }
        try {
            return drainHeld();
        } finally {
            descriptor.release();
        }
    }

    /** By a user of the descriptor, or by whoever closes it. */
    private int drainHeld() {
        int released = 0;
        draining.lock();
        try {
            while (true) {
                switch (queue.next(descriptor.fd())) {
                    case EMPTY -> {
                        return released;
                    }
                    case RELEASED -> released += released(queue.low(), queue.high(), queue.copied());
                    case STAMP -> stamp();
                    // A completion may be lost for good: what is out stays out, and nothing more is put at risk.
                    case TRUNCATED ->
                        ended = new SluiceException(
                                descriptor.name() + ": a completion of a zero-copy send was lost (MSG_CTRUNC)", "", 0);
                    case NETWORK_ERROR, UNKNOWN -> {}
                }
            }
        } finally {
            draining.unlock();
        }
    }

    private int released(int low, int high, boolean copied) {
        if (copied) {
            copiedByKernel++;
        }
        if (backoff.told(copied)) {
            switched();
        }
        int released = 0;
        int count = outstanding.reach(low, high);
        for (int i = 0; i < count; i++) {
            SendReceipt receipt = outstanding.take(low + i);
            if (receipt != null) {
                released++;
                // Of the others in the range the kernel does not tell (M5).
                SendReceipt.Path told = copied ? SendReceipt.Path.COPIED : SendReceipt.Path.ZERO_COPY;
                receipt.land(i == 0 ? told : SendReceipt.Path.UNKNOWN, false);
            }
        }
        return released;
    }

    private void stamp() {
        Stage stage = switch (queue.stage()) {
            case ErrorQueue.SCM_TSTAMP_SCHED -> Stage.SCHEDULED;
            case ErrorQueue.SCM_TSTAMP_SND -> Stage.ON_WIRE;
            case ErrorQueue.SCM_TSTAMP_ACK -> Stage.ACKED;
            default -> null;
        };
        if (stage != null) {
            stamps.reached(stage, queue.key(), queue.nanos());
        }
    }

    @Override
    void watch() {
        // What a ring makes of it comes by itself; stamps are in the error queue.
        if (foreign || calls != null && stamps.isEmpty() || !descriptor.acquire()) {
            return;
        }
        try {
            Watch watch = Watch.of(descriptor, null);
            while (!watch.arm(Watch.ERRORS, this) && descriptor.isOpen()) {
                drainHeld();
            }
        } catch (IOException e) {
            // No descriptor left for an event loop: whoever waits for a stage looks from time to time.
            drainHeld();
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
        if (outstanding.size() > 0 || !stamps.isEmpty()) {
            watch();
        }
    }

    @Override
    void landed(SendReceipt receipt) {
        inFlightBytes.addAndGet(-receipt.lease().length());
        if (maxInFlight != Long.MAX_VALUE) {
            synchronized (room) {
                room.notifyAll();
            }
        }
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
        return tcp;
    }

    @Override
    boolean acknowledged(long end) {
        if (acknowledged < end) {
            learnAcknowledged();
        }
        return acknowledged >= end;
    }

    private void learnAcknowledged() {
        if (tcp && descriptor.acquire()) {
            learnAcknowledgedHeld();
            descriptor.release();
        }
    }

    private void learnAcknowledgedHeld() {
        long told = Sockets.acknowledged(descriptor.fd()) - acknowledgedBefore;
        // The kernel may count a byte for FIN, too.
        acknowledged = Math.max(acknowledged, Math.min(told, streamed));
    }

    @Override
    IOException ended() {
        if (ended == null && tcp && descriptor.acquire()) {
            if (Sockets.tcpClosed(descriptor.fd())) {
                ended = new SluiceException(
                        descriptor.name() + ": the connection has ended; later stages will not be reached",
                        "",
                        Errno.ECONNRESET);
            }
            descriptor.release();
        }
        return ended;
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
                zeroCopyCalls,
                copyCalls,
                copiedByKernel,
                outOfMemory,
                switches,
                out(),
                inFlightBytes.get(),
                quarantined + lostFlights.get(),
                backoff.reason());
    }

    private int out() {
        return outstanding.size() + flights.get();
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
        synchronized (room) {
            room.notifyAll();
        }
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
            quarantine();
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
            drainHeld();
            boolean stampsToCome = stampsToo
                    && !stamps.isEmpty()
                    && tcp
                    && !Sockets.tcpClosed(descriptor.fd())
                    && Sockets.unacknowledged(descriptor.fd()) > 0;
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

    /** Whatever the kernel did not tell of will never be written again. A ring goes on telling after the close. */
    private void quarantine() {
        SendReceipt[] rest = outstanding.clear();
        quarantined = rest.length;
        for (SendReceipt receipt : rest) {
            receipt.land(SendReceipt.Path.UNKNOWN, true);
        }
    }

    private void finish() {
        if (tcp && orderly) {
            learnAcknowledgedHeld();
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
