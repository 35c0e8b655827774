package dev.sluice.send;

import dev.sluice.internal.fd.CopyBuffer;
import dev.sluice.internal.fd.Descriptor;
import dev.sluice.internal.fd.Shortfall;
import dev.sluice.internal.linux.Errno;
import dev.sluice.internal.linux.Message;
import dev.sluice.internal.linux.Sockets;
import dev.sluice.loop.Watch;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousCloseException;

/** Makes the calls that send on one socket, by zero copy or not, and counts what the kernel took. One thread at a time. */
final class SocketOutput {
    private static final String NO_MEMORY = "the kernel has no memory for zero-copy sends (ENOBUFS, ENOMEM); raise"
            + " net.core.optmem_max with sysctl, or the limit of locked memory (ulimit -l)";

    private final Descriptor descriptor;
    private final boolean stream;
    private final Backoff backoff;
    private final Completions completions;

    /** Who makes the zero-copy calls, or null: we do. */
    private final Flights flights;

    private final Message message = new Message();

    /** Whether the buffer at hand goes by zero copy, all parts of it: a small rest would delay nothing but its release. */
    private boolean flying;

    /** How much of the buffer at hand the kernel has. */
    private int taken;

    /** Bytes of the stream that the kernel has taken; it has them a moment before they are counted. */
    private volatile long streamed;

    /** Datagrams whose stamps were asked for. */
    private long stampedDatagrams;

    private volatile long zeroCopyCalls;
    private volatile long copyCalls;

    SocketOutput(Descriptor descriptor, boolean stream, Backoff backoff, Completions completions, Flights flights) {
        this.descriptor = descriptor;
        this.stream = stream;
        this.backoff = backoff;
        this.completions = completions;
        this.flights = flights;
    }

    /** What the stamps of a message of so many bytes will count up to, if it is the next. */
    long endOf(int bytes) {
        return stream ? streamed + bytes : stampedDatagrams + 1;
    }

    /** Bytes of the stream that the kernel has taken. */
    long streamed() {
        return streamed;
    }

    /** After a send that failed, how many bytes of its buffer the kernel has taken. */
    int taken() {
        return taken;
    }

    /** Calls that the kernel took by zero copy. */
    long zeroCopyCalls() {
        return zeroCopyCalls;
    }

    /** Calls that copied at once. */
    long copyCalls() {
        return copyCalls;
    }

    /** Sends the whole message, waiting for room if need be. */
    void send(ByteBuffer header, SendReceipt receipt, boolean byZeroCopy, long deadline) throws IOException {
        BufferLease lease = receipt.lease();
        int length = lease.length();
        int stamps = stampFlags(receipt.requested());
        flying = byZeroCopy;
        taken = 0;
        if (!stream) {
            sendMessage(header, receipt, stamps, deadline);
            return;
        }
        if (header != null && header.hasRemaining()) {
            sendHeader(header, length > 0, deadline);
        }
        while (taken < length) {
            taken += sendSome(receipt, lease.address() + taken, length - taken, stamps, deadline);
        }
    }

    /** Which stamps to ask for: all up to that stage. */
    private static int stampFlags(Stage upTo) {
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

    /** The message as a whole; with a header it is copied, since the header's memory is the caller's. */
    private void sendMessage(ByteBuffer header, SendReceipt receipt, int stamps, long deadline) throws IOException {
        BufferLease lease = receipt.lease();
        int length = lease.length();
        if (header == null && length > 0) {
            sendSome(receipt, lease.address(), length, stamps, deadline);
        } else {
            sendWithHeader(header == null ? ByteBuffer.allocate(0) : header, lease, stamps, deadline);
            receipt.copied();
        }
        taken = length;
        if (stamps != 0) {
            stampedDatagrams++;
        }
    }

    private void sendWithHeader(ByteBuffer header, BufferLease lease, int stamps, long deadline) throws IOException {
        CopyBuffer copy = CopyBuffer.borrowBriefly();
        try {
            int headerLength = header.remaining();
            copy.view().put(0, header, header.position(), headerLength);
            long result;
            do {
                result = message.stamps(stamps)
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

    /** One call that takes at least a byte, or more calls until one does. */
    private int sendSome(SendReceipt receipt, long address, int length, int stamps, long deadline) throws IOException {
        boolean drained = false;
        while (true) {
            long result;
            if (flying) {
                result = callZeroCopy(receipt, address, length, stamps);
                if (result == -Errno.ENOBUFS || flights != null && result == -Errno.ENOMEM) {
                    // With nothing outstanding nobody would ever tell of memory again (M8).
                    flying = !drained && completions.out() > 0 && completions.drain() > 0;
                    drained = true;
                    if (!flying) {
                        noMemory();
                    }
                    continue;
                }
                String impossible = flights == null ? null : Flights.impossible((int) -result);
                if (impossible != null) {
                    backoff.impossible(impossible);
                    flying = false;
                    continue;
                }
            } else {
                result = call(address, length, stamps, 0);
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

    private long callZeroCopy(SendReceipt receipt, long address, int length, int stamps) {
        long result;
        if (flights != null) {
            // A send that lies in another one's segment is told to be copied, whatever became of it.
            int eor = stream ? Sockets.MSG_EOR : 0;
            result = flights.send(receipt, address, length, stamps, eor);
        } else {
            completions.expect(receipt);
            result = call(address, length, stamps, Sockets.MSG_ZEROCOPY);
            if (result <= 0) {
                completions.undo(receipt);
            }
        }
        if (result > 0) {
            zeroCopyCalls++;
        }
        return result;
    }

    private long call(long address, int length, int stamps, int flags) {
        if (stamps == 0) {
            return Sockets.send(descriptor.fd(), address, length, flags);
        }
        // A segment has room for one request: nothing may be appended to it.
        int eor = stream ? Sockets.MSG_EOR : 0;
        return message.stamps(stamps).send(descriptor.fd(), address, length, flags | eor);
    }

    /** After a call that took nothing: waits for room, or throws what it says. */
    private void awaitRoom(String call, long result, long deadline) throws IOException {
        if (!descriptor.isOpen()) {
            throw new AsynchronousCloseException();
        }
        if (!Errno.wouldBlock(result)) {
            throw descriptor.failure(call, result);
        }
        completions.drain();
        Watch.of(descriptor, null).await(Watch.WRITE, deadline);
    }

    private void noMemory() {
        Shortfall.ZERO_COPY_MEMORY.tell(() -> "sends copy: " + NO_MEMORY);
        backoff.refused(NO_MEMORY);
    }
}
