package dev.sluice.send;

import dev.sluice.internal.fd.Adoption;
import dev.sluice.internal.fd.Descriptor;
import dev.sluice.internal.fd.Descriptors;
import dev.sluice.internal.linux.Native;
import dev.sluice.io.SluiceException;
import java.io.IOException;
import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.channels.Channel;
import java.nio.channels.WritePendingException;
import java.time.Duration;
import java.util.Set;

/**
 * Sends leased buffers from where they are, without a copy where the kernel can (MSG_ZEROCOPY, since Linux 4.14), and by
 * copying where it can't or where that is cheaper; the leases and receipts are the same.
 *
 * <p>A sender owns all output of its channel from {@code open} on: writes to the channel and transfers into it throw a
 * {@link WritePendingException}. Reading goes on as before. Closing the sender closes the channel.
 *
 * <p>Any number of threads may send; one does at a time, and the others wait for it. A thread that waits, virtual or not,
 * parks. An interrupt ends a wait with {@link java.io.InterruptedIOException}, a close by another thread with
 * {@link java.nio.channels.AsynchronousCloseException}, and the sender's time-out with
 * {@link java.net.SocketTimeoutException}. If the kernel has taken nothing by then, the lease is its owner's as before; if it
 * has taken a part, a {@link SendException} has that as its cause.
 */
public final class ZeroCopySender implements AutoCloseable {
    /** When to try zero copy. */
    public enum Policy {
        /** From the threshold on, as long as the kernel does not copy what it is given; the default. */
        ADAPTIVE,
        /** Whatever the size, and whatever the kernel says: to measure, and to test. */
        ALWAYS,
        /** Never: the same leases and receipts, by copying. */
        NEVER
    }

    /**
     * What a sender has done.
     *
     * @param sends messages that were taken as a whole
     * @param bytes of those messages, headers included
     * @param zeroCopyCalls calls that the kernel took by zero copy
     * @param copyCalls calls that copied at once
     * @param copiedByKernel how many reports of the kernel said that it copied nevertheless; it reports several calls together
     * @param outOfMemory how often the kernel had no memory for a zero-copy send (ENOBUFS), and the bytes were copied
     * @param switches how often the adaptive policy changed its mind
     * @param inFlight zero-copy calls that are not released
     * @param inFlightBytes bytes of buffers that are not released
     * @param quarantined sends that the kernel never released, at the close
     * @param reason why the policy does what it does at the moment, in words
     */
    public record Stats(
            long sends,
            long bytes,
            long zeroCopyCalls,
            long copyCalls,
            long copiedByKernel,
            long outOfMemory,
            long switches,
            int inFlight,
            long inFlightBytes,
            int quarantined,
            String reason) {}

    private static final Cleaner CLEANER = Cleaner.create();

    /** From here on zero copy is worth its overhead, measured: see docs/zero-copy-send.md. */
    static final int DEFAULT_THRESHOLD = 16 * 1024;

    private static final Duration LINGER = Duration.ofSeconds(10);

    private final Channel channel;
    private final SocketTransport transport;
    private final Duration linger;

    private ZeroCopySender(Channel channel, SocketTransport transport, Duration linger) {
        this.channel = channel;
        this.transport = transport;
        this.linger = linger;
        CLEANER.register(this, transport::abandon);
    }

    /** Takes over the output of a channel as it is by default; see {@link #over}. */
    public static ZeroCopySender open(Channel channel) throws IOException {
        return over(channel).open();
    }

    /**
     * A sender to be, over a {@link dev.sluice.net.StreamSocket}, or a connected {@link java.nio.channels.SocketChannel} or
     * {@link java.nio.channels.DatagramChannel} of the JDK. A JDK channel has to be idle when it is opened.
     */
    public static Builder over(Channel channel) {
        return new Builder(channel);
    }

    /** How a sender is to behave. */
    public static final class Builder {
        private final Channel channel;
        Policy policy = Policy.ADAPTIVE;
        int threshold = DEFAULT_THRESHOLD;
        long maxInFlight = Long.MAX_VALUE;
        Duration timeout = Duration.ZERO;
        Duration linger = LINGER;
        boolean drainedByCaller;
        ZeroCopyCalls calls;

        private Builder(Channel channel) {
            this.channel = channel;
        }

        /** When to try zero copy. */
        public Builder policy(Policy choice) {
            policy = choice;
            return this;
        }

        /** From which length on the adaptive policy tries zero copy; {@value #DEFAULT_THRESHOLD} if not set. */
        public Builder threshold(int bytes) {
            threshold = bytes;
            return this;
        }

        /** How many bytes may be in flight: a send that would exceed it waits, unless nothing is. No limit if not set. */
        public Builder maxInFlight(long bytes) {
            maxInFlight = bytes;
            return this;
        }

        /** How long a send may wait for room; zero, the default, for ever. */
        public Builder timeout(Duration time) {
            timeout = time;
            return this;
        }

        /** How long a close waits for the kernel to let go of the buffers before it resets the connection; 10 s if not set. */
        public Builder linger(Duration time) {
            linger = time;
            return this;
        }

        /**
         * The caller's own event loop calls {@link ZeroCopySender#drain} whenever the channel reports an error condition
         * (EPOLLERR; a selector of the JDK reports the key as ready). Then the library's loops stay away from the error queue.
         */
        public Builder drainedByCaller() {
            drainedByCaller = true;
            return this;
        }

        /**
         * Has the zero-copy calls made by a ring ({@code SharedRing.sends()}) and not by send(2). Everything else is as it
         * was, with these differences: the kernel says of each call whether it copied; buffers come back also after the
         * close of their socket, so that none is quarantined by it; and what is in a pool is mapped by the kernel once.
         */
        public Builder by(ZeroCopyCalls means) {
            calls = means;
            return this;
        }

        /**
         * Takes over the output of the channel.
         *
         * @throws WritePendingException if somebody is writing to it, or another sender owns it
         * @throws SluiceException if its descriptor is out of reach
         * @throws java.nio.channels.ClosedChannelException if it is closed
         * @throws UnsupportedOperationException if this is not Linux, or native access is denied
         */
        public ZeroCopySender open() throws IOException {
            if (!Native.available()) {
                throw new UnsupportedOperationException("zero-copy sends: " + Native.unavailable());
            }
            Descriptor descriptor = Descriptors.sink(channel);
            Adoption adoption = null;
            if (descriptor == null) {
                try {
                    adoption = Adoption.ofAny(channel, Adoption.Way.WRITE);
                    descriptor = adoption.descriptor();
                } catch (Adoption.Refusal e) {
                    throw new SluiceException("no zero-copy sender for this channel: it is " + e.getMessage(), "", 0);
                }
            }
            try {
                SocketTransport transport = SocketTransport.open(descriptor, adoption, this);
                return new ZeroCopySender(channel, transport, linger);
            } catch (IOException | RuntimeException e) {
                if (adoption != null) {
                    adoption.leave();
                }
                throw e;
            }
        }
    }

    /** Sends the buffer, asking for no stage beyond {@link Stage#QUEUED}; see {@link #send(ByteBuffer, BufferLease, Stage)}. */
    public SendReceipt send(BufferLease lease) throws IOException {
        return send(lease, Stage.QUEUED);
    }

    /** Sends the buffer without a header; see {@link #send(ByteBuffer, BufferLease, Stage)}. */
    public SendReceipt send(BufferLease lease, Stage upTo) throws IOException {
        return send(null, lease, upTo);
    }

    /**
     * Sends a header by copy and the buffer behind it by zero copy, on a datagram socket as one message, which is copied.
     * Returns when the kernel has taken everything, waiting for room if need be. The lease is the kernel's from then on, and
     * goes back to its pool by itself.
     *
     * @param header may be null, and is the caller's again on return
     * @param upTo the last stage that somebody will ask the receipt for; the kernel has to be asked with the send, and tells
     *     each stage by a message of its own
     * @throws IllegalStateException if the lease is not its holder's to send
     * @throws UnsupportedOperationException if the stage is not among {@link #supportedStages}
     * @throws SluiceException with the errno of sendmsg(2)
     * @throws SendException if the kernel had taken a part
     */
    public SendReceipt send(ByteBuffer header, BufferLease lease, Stage upTo) throws IOException {
        try {
            return transport.send(header, lease, upTo);
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    /**
     * Sends the buffer and waits until the kernel no longer needs it: so it can lie anywhere in the caller's code, one after
     * the other. This gives up pipelining; a {@link BufferPool} of a few buffers keeps it.
     *
     * @return RELEASED; HELD if the time passed, in which case {@link #abort} forces the end; QUARANTINED if the connection
     *     was given up meanwhile and the kernel did not say that it has let go
     */
    public SendReceipt.Custody sendUntilReleased(BufferLease lease, Duration timeout)
            throws IOException, InterruptedException {
        return send(lease).awaitReleased(timeout);
    }

    /**
     * Takes in what the kernel has told: completes receipts, whoever waits for them, and gives buffers back. Never waits. To
     * be called by a foreign event loop when the channel has an error condition, and by anybody else at any time.
     *
     * @return how many sends were released
     */
    public int drain() {
        return transport.drain();
    }

    /** The stages that the kernel can tell of this connection. {@link Stage#ON_WIRE} needs a driver's help, too. */
    public Set<Stage> supportedStages() {
        return transport.supportedStages();
    }

    /** Bytes of a stream that have not left for the first time; SIOCOUTQNSD, tcp(7). */
    public int unsentBytes() throws IOException {
        return transport.unsent();
    }

    /** Bytes of a stream that its peer has not acknowledged; SIOCOUTQ, tcp(7). */
    public int unacknowledgedBytes() throws IOException {
        return transport.unacknowledged();
    }

    /** What it has done so far. */
    public Stats stats() {
        return transport.stats();
    }

    /** Whether sends are possible, as far as this side knows. */
    public boolean isOpen() {
        return transport.isOpen();
    }

    /** Closes with the patience that the sender was opened with; see {@link #close(Duration)}. */
    @Override
    public void close() throws IOException {
        close(linger);
    }

    /**
     * Ends the stream and closes the channel once the kernel has let go of all buffers. After that time, or on an interrupt,
     * the connection is reset, which makes the kernel let go; what it holds even then (in a device's queue) is quarantined, or,
     * if a ring makes the calls, held until the ring tells.
     * Whoever sends meanwhile gets an AsynchronousCloseException, and receipts are told what has become of them. A second call
     * waits for the first.
     *
     * @return whether everything was released without a reset
     */
    public boolean close(Duration timeout) throws IOException {
        boolean orderly = transport.close(timeout.toNanos(), false);
        channel.close();
        return orderly;
    }

    /** Resets the connection at once and closes the channel: nothing that is in flight will arrive, and buffers come back. */
    public void abort() throws IOException {
        transport.close(0, true);
        channel.close();
    }

    @Override
    public String toString() {
        return "zero-copy sender to " + transport;
    }
}
