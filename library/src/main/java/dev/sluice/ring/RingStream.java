package dev.sluice.ring;

import dev.sluice.internal.fd.CopyBuffer;
import dev.sluice.internal.fd.Descriptor;
import dev.sluice.internal.fd.Waiter;
import dev.sluice.internal.linux.Errno;
import dev.sluice.internal.linux.Polling;
import dev.sluice.internal.linux.Sockets;
import dev.sluice.loop.SocketStream;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.ClosedChannelException;

/**
 * A socket with a ring beneath. One request per read, for no more than its buffer holds: nothing is received that nobody has
 * asked for, so a transfer may take over the descriptor at any time. A heap buffer is filled from the ring's provided
 * buffers: while it waits, a connection holds no memory. Not as a bundle of them, since those know no limit: asked for 4096
 * bytes, Linux 6.18 received 57,344.
 */
final class RingStream implements SocketStream {
    private final SharedRing ring;
    private final Descriptor descriptor;
    private final Acceptor acceptor;

    RingStream(SharedRing ring, Descriptor descriptor) {
        this.ring = ring;
        this.descriptor = descriptor;
        this.acceptor = new Acceptor(ring, descriptor);
    }

    /** A request that a close of its descriptor cancels. */
    abstract static class OnDescriptor extends Request implements Waiter {
        private final RingThread thread;

        OnDescriptor(SharedRing ring) {
            this.thread = ring.thread();
        }

        @Override
        public void ready() {
            thread.submit(new RingThread.Cancel(this));
        }
    }

    @Override
    public Descriptor descriptor() {
        return descriptor;
    }

    @Override
    public int read(ByteBuffer buffer, long deadline) throws IOException {
        if (buffer.isReadOnly()) {
            throw new IllegalArgumentException("the buffer is read-only");
        }
        enter();
        try {
            if (!buffer.hasRemaining()) {
                return 0;
            }
            int count = buffer.isDirect() ? readDirect(buffer, deadline) : readHeap(buffer, deadline);
            return count == 0 ? -1 : count;
        } finally {
            descriptor.release();
        }
    }

    private int readDirect(ByteBuffer buffer, long deadline) throws IOException {
        MemorySegment memory = MemorySegment.ofBuffer(buffer);
        int count = reading("recv", deadline, Polling.EPOLLIN, () -> new OnDescriptor(ring) {
            @Override
            void fill(Submission submission) {
                submission.receive(descriptor.fd(), memory, 0);
            }
        });
        Reference.reachabilityFence(buffer);
        buffer.position(buffer.position() + count);
        return count;
    }

    private int readHeap(ByteBuffer buffer, long deadline) throws IOException {
        BufferRing provided = ring.buffers();
        if (provided != null) {
            int count = reading("recv", deadline, Polling.EPOLLIN, () -> new OnDescriptor(ring) {
                @Override
                void fill(Submission submission) {
                    submission
                            .raw(Operation.RECV.ordinal(), descriptor.fd(), 0, 0, buffer.remaining(), 0)
                            .select(provided.group());
                }

                @Override
                boolean completed(Completion completion) {
                    // The caller is parked until we are done: his buffer is ours.
                    provided.take(completion, (number, offset, length, finished) -> {
                        MemorySegment piece = provided.memory().asSlice(offset, length);
                        buffer.put(piece.asByteBuffer());
                        provided.recycle(number);
                    });
                    return super.completed(completion);
                }
            });
            if (count != NO_BUFFERS) {
                return count;
            }
        }
        CopyBuffer copy = CopyBuffer.borrowBriefly();
        try {
            ByteBuffer view = copy.view().limit(Math.min(CopyBuffer.SIZE, buffer.remaining()));
            int count = readDirect(view, deadline);
            buffer.put(view.flip());
            return count;
        } finally {
            CopyBuffer.giveBack(copy);
        }
    }

    /** In the place of a count: others have all the provided buffers. */
    private static final int NO_BUFFERS = -1;

    private interface Making {
        OnDescriptor request();
    }

    private int reading(String call, long deadline, int readiness, Making making) throws IOException {
        while (true) {
            int result = perform(making.request(), true, deadline);
            if (result >= 0) {
                return result;
            }
            if (result == -Errno.ENOBUFS) {
                return NO_BUFFERS;
            }
            if (result != -Errno.EAGAIN && result != -Errno.EINTR) {
                throw failure(call, result);
            }
            awaitReady(readiness, deadline, true);
        }
    }

    @Override
    public int write(ByteBuffer buffer, long deadline) throws IOException {
        enter();
        try {
            int total = buffer.remaining();
            while (buffer.hasRemaining()) {
                int count = buffer.isDirect() ? writeDirect(buffer, deadline) : writeHeap(buffer, deadline);
                buffer.position(buffer.position() + count);
            }
            return total;
        } finally {
            descriptor.release();
        }
    }

    private int writeHeap(ByteBuffer buffer, long deadline) throws IOException {
        CopyBuffer copy = CopyBuffer.borrowBriefly();
        try {
            int length = Math.min(CopyBuffer.SIZE, buffer.remaining());
            copy.view().put(0, buffer, buffer.position(), length);
            return writeDirect(copy.view().limit(length), deadline);
        } finally {
            CopyBuffer.giveBack(copy);
        }
    }

    private int writeDirect(ByteBuffer buffer, long deadline) throws IOException {
        MemorySegment memory = MemorySegment.ofBuffer(buffer);
        while (true) {
            OnDescriptor request = new OnDescriptor(ring) {
                @Override
                void fill(Submission submission) {
                    submission.send(descriptor.fd(), memory, 0);
                }
            };
            int result = perform(request, false, deadline);
            Reference.reachabilityFence(buffer);
            if (result >= 0) {
                return result;
            }
            if (result != -Errno.EAGAIN && result != -Errno.EINTR) {
                throw failure("send", result);
            }
            awaitReady(Polling.EPOLLOUT, deadline, false);
        }
    }

    @Override
    public void awaitConnected(long deadline) throws IOException {
        enter();
        try {
            int error;
            do {
                awaitReady(Polling.EPOLLOUT, deadline, false);
                error = Sockets.option(descriptor.fd(), Sockets.SOL_SOCKET, Sockets.SO_ERROR);
            } while (error == 0 && !Sockets.connected(descriptor.fd()));
            if (error != 0) {
                throw descriptor.failure("connect", error > 0 ? -error : error);
            }
        } finally {
            descriptor.release();
        }
    }

    private void awaitReady(int events, long deadline, boolean reading) throws IOException {
        OnDescriptor request = new OnDescriptor(ring) {
            @Override
            void fill(Submission submission) {
                submission.poll(descriptor.fd(), events);
            }
        };
        int result = perform(request, reading, deadline);
        if (result < 0 && result != -Errno.EINTR) {
            throw failure("poll", result);
        }
    }

    @Override
    public int accept(long deadline) throws IOException {
        enter();
        try {
            return acceptor.next(this, deadline);
        } finally {
            descriptor.release();
        }
    }

    private void enter() throws ClosedChannelException {
        if (!descriptor.acquire()) {
            throw new ClosedChannelException();
        }
    }

    /** As the one reader, or the one writer, of the socket. */
    private int perform(OnDescriptor request, boolean reading, long deadline) throws IOException {
        if (reading) {
            descriptor.claimReading(request);
        } else {
            descriptor.claimWriting(request);
        }
        try {
            return perform(request, deadline);
        } finally {
            if (reading) {
                descriptor.unclaimReading();
            } else {
                descriptor.unclaimWriting();
            }
        }
    }

    private int perform(OnDescriptor request, long deadline) throws IOException {
        // A close from now on finds the request in its place; one before it is seen here.
        if (!descriptor.isOpen()) {
            throw new AsynchronousCloseException();
        }
        try {
            return ring.perform(request, deadline);
        } catch (SocketTimeoutException e) {
            throw new SocketTimeoutException(descriptor.name() + ": timed out");
        } catch (InterruptedIOException e) {
            throw new InterruptedIOException(descriptor.name() + ": interrupted while waiting");
        }
    }

    /** The exception for a failed call: that of a close, if there was one. */
    IOException failure(String call, int result) {
        return descriptor.isOpen() ? descriptor.failure(call, result) : new AsynchronousCloseException();
    }
}
