package dev.sluice.ring;

import dev.sluice.internal.fd.CopyBuffer;
import dev.sluice.internal.fd.Descriptor;
import dev.sluice.internal.fd.Waiter;
import dev.sluice.internal.linux.Errno;
import dev.sluice.internal.linux.Polling;
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
    private final Turn reading = new Turn();
    private final Turn writing = new Turn();

    RingStream(SharedRing ring, Descriptor descriptor) {
        this.ring = ring;
        this.descriptor = descriptor;
        this.acceptor = new Acceptor(ring, descriptor);
    }

    /**
     * What claims a direction, for all the requests of a call: between two of them another writer would get his bytes into the
     * midst of the first one's. A close cancels the request of the moment.
     */
    private final class Turn implements Waiter {
        private volatile Request request;

        @Override
        public void ready() {
            Request target = request;
            if (target != null) {
                ring.thread().submit(new RingThread.Cancel(target));
            }
        }

        int perform(Request next, long deadline) throws IOException {
            request = next;
            try {
                // A close from now on finds the request in its place; one before it is seen here.
                if (!descriptor.isOpen()) {
                    throw new AsynchronousCloseException();
                }
                return ring.perform(next, deadline);
            } catch (SocketTimeoutException e) {
                throw new SocketTimeoutException(descriptor.name() + ": timed out");
            } catch (InterruptedIOException e) {
                throw new InterruptedIOException(descriptor.name() + ": interrupted while waiting");
            } finally {
                request = null;
            }
        }

        void awaitReady(int events, long deadline) throws IOException {
            Request poll = new Request() {
                @Override
                void fill(Submission submission) {
                    submission.poll(descriptor.fd(), events);
                }
            };
            int result = perform(poll, deadline);
            if (result < 0 && result != -Errno.EINTR) {
                throw failure("poll", result);
            }
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
            descriptor.claimReading(reading);
            try {
                if (!buffer.hasRemaining()) {
                    return 0;
                }
                int count = buffer.isDirect() ? readDirect(buffer, deadline) : readHeap(buffer, deadline);
                return count == 0 ? -1 : count;
            } finally {
                descriptor.unclaimReading();
            }
        } finally {
            descriptor.release();
        }
    }

    private int readDirect(ByteBuffer buffer, long deadline) throws IOException {
        MemorySegment memory = MemorySegment.ofBuffer(buffer);
        int count = receive(deadline, () -> new Request() {
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
            int count = receive(deadline, () -> new Request() {
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
        Request request();
    }

    private int receive(long deadline, Making making) throws IOException {
        while (true) {
            int result = reading.perform(making.request(), deadline);
            if (result >= 0) {
                return result;
            }
            if (result == -Errno.ENOBUFS) {
                return NO_BUFFERS;
            }
            if (result != -Errno.EAGAIN && result != -Errno.EINTR) {
                throw failure("recv", result);
            }
            reading.awaitReady(Polling.EPOLLIN, deadline);
        }
    }

    @Override
    public int write(ByteBuffer buffer, long deadline) throws IOException {
        enter();
        try {
            descriptor.claimWriting(writing);
            try {
                int total = buffer.remaining();
                while (buffer.hasRemaining()) {
                    int count = buffer.isDirect() ? writeDirect(buffer, deadline) : writeHeap(buffer, deadline);
                    buffer.position(buffer.position() + count);
                }
                return total;
            } finally {
                descriptor.unclaimWriting();
            }
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
            Request request = new Request() {
                @Override
                void fill(Submission submission) {
                    submission.send(descriptor.fd(), memory, 0);
                }
            };
            int result = writing.perform(request, deadline);
            Reference.reachabilityFence(buffer);
            if (result >= 0) {
                return result;
            }
            if (result != -Errno.EAGAIN && result != -Errno.EINTR) {
                throw failure("send", result);
            }
            writing.awaitReady(Polling.EPOLLOUT, deadline);
        }
    }

    @Override
    public void awaitConnected(long deadline) throws IOException {
        enter();
        try {
            descriptor.claimWriting(writing);
            try {
                do {
                    writing.awaitReady(Polling.EPOLLOUT, deadline);
                } while (!descriptor.connected());
            } finally {
                descriptor.unclaimWriting();
            }
        } finally {
            descriptor.release();
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

    @Override
    public boolean close() {
        boolean first = descriptor.close();
        if (!ring.thread().isCurrent()) {
            acceptor.awaitEnd();
        }
        return first;
    }

    private void enter() throws ClosedChannelException {
        if (!descriptor.acquire()) {
            throw new ClosedChannelException();
        }
    }

    /** The exception for a failed call: that of a close, if there was one. */
    IOException failure(String call, int result) {
        return descriptor.isOpen() ? descriptor.failure(call, result) : new AsynchronousCloseException();
    }
}
