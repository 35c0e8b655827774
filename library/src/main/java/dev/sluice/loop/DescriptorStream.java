package dev.sluice.loop;

import dev.sluice.internal.fd.CopyBuffer;
import dev.sluice.internal.fd.Descriptor;
import dev.sluice.internal.linux.Errno;
import dev.sluice.internal.linux.Files;
import dev.sluice.internal.linux.Sockets;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ReadPendingException;
import java.nio.channels.WritableByteChannel;
import java.nio.channels.WritePendingException;
import java.util.List;

/**
 * Reads and writes of a pollable descriptor that park the thread instead of blocking it: what the library's socket and
 * pipe channels are made of. One reader and one writer at a time.
 */
@SuppressWarnings("exports") // Reaches other modules by qualified export only.
public final class DescriptorStream implements SocketStream {
    private final Descriptor descriptor;

    public DescriptorStream(Descriptor descriptor) {
        this.descriptor = descriptor;
    }

    @Override
    public Descriptor descriptor() {
        return descriptor;
    }

    /**
     * Reads at least one byte, waiting for it until the deadline ({@link System#nanoTime}, or {@link Long#MAX_VALUE}).
     *
     * @return the number of bytes, −1 at the end of the stream, 0 only if the buffer has no room
     * @throws ClosedChannelException if the channel is closed, as AsynchronousCloseException if while waiting
     * @throws ReadPendingException if another read or transfer is under way
     */
    @Override
    public int read(ByteBuffer buffer, long deadline) throws IOException {
        return read(buffer, deadline, List.of());
    }

    /**
     * The same, and writes what was read to the mirrors, each in turn and as a whole, before it returns and while nobody
     * else may read. If a mirror fails, its exception is thrown with the bytes in the buffer.
     */
    public int read(ByteBuffer buffer, long deadline, List<WritableByteChannel> mirrors) throws IOException {
        if (buffer.isReadOnly()) {
            throw new IllegalArgumentException("the buffer is read-only");
        }
        enter();
        try {
            descriptor.claimReading(Thread.currentThread());
            try {
                int count = buffer.hasRemaining() ? readClaimed(buffer, deadline) : 0;
                for (int i = 0; i < mirrors.size() && count > 0; i++) {
                    writeWhole(mirrors.get(i), buffer.slice(buffer.position() - count, count));
                }
                return count;
            } finally {
                descriptor.unclaimReading();
            }
        } finally {
            descriptor.release();
        }
    }

    private static void writeWhole(WritableByteChannel mirror, ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            if (mirror.write(bytes) == 0) {
                Foreign.awaitWritable(mirror);
            }
        }
    }

    private int readClaimed(ByteBuffer buffer, long deadline) throws IOException {
        if (buffer.isDirect()) {
            int count;
            while ((count = tryRead(address(buffer), buffer.remaining())) == WOULD_BLOCK) {
                await(Watch.READ, deadline);
            }
            if (count > 0) {
                buffer.position(buffer.position() + count);
            }
            return count;
        }
        // A heap buffer can move while the kernel writes; and while parked, nothing is borrowed.
        while (true) {
            CopyBuffer copy = CopyBuffer.borrowBriefly();
            try {
                int count = tryRead(copy.address(), Math.min(CopyBuffer.SIZE, buffer.remaining()));
                if (count > 0) {
                    buffer.put(copy.view().limit(count).position(0));
                }
                if (count != WOULD_BLOCK) {
                    return count;
                }
            } finally {
                CopyBuffer.giveBack(copy);
            }
            await(Watch.READ, deadline);
        }
    }

    private static final int WOULD_BLOCK = -2;

    /** Asked anew after every wait: an arena may have been closed under a buffer meanwhile. */
    private static long address(ByteBuffer buffer) {
        MemorySegment segment = MemorySegment.ofBuffer(buffer);
        if (!segment.scope().isAlive()) {
            throw new IllegalStateException("the arena of the buffer is closed");
        }
        return segment.address();
    }

    private int tryRead(long address, int length) throws IOException {
        boolean socket = descriptor.kind() == Descriptor.Kind.SOCKET;
        long result = socket
                ? Sockets.receive(descriptor.fd(), address, length)
                : Files.read(descriptor.fd(), address, length);
        if (result > 0) {
            return (int) result;
        }
        if (!descriptor.isOpen()) {
            throw new AsynchronousCloseException();
        }
        if (result == 0) {
            return -1;
        }
        if (Errno.wouldBlock(result)) {
            return WOULD_BLOCK;
        }
        throw descriptor.failure(socket ? "recv" : "read", result);
    }

    /**
     * Writes the whole buffer, waiting for room until the deadline. On an exception the buffer's position tells how much
     * was written.
     *
     * @throws ClosedChannelException if the channel is closed, as AsynchronousCloseException if while waiting
     * @throws WritePendingException if another write or transfer is under way
     */
    @Override
    public int write(ByteBuffer buffer, long deadline) throws IOException {
        enter();
        try {
            descriptor.claimWriting(Thread.currentThread());
            try {
                int total = buffer.remaining();
                while (buffer.hasRemaining()) {
                    if (!writeSome(buffer)) {
                        await(Watch.WRITE, deadline);
                    }
                }
                return total;
            } finally {
                descriptor.unclaimWriting();
            }
        } finally {
            descriptor.release();
        }
    }

    private boolean writeSome(ByteBuffer buffer) throws IOException {
        if (buffer.isDirect()) {
            return advance(buffer, tryWrite(address(buffer), buffer.remaining()));
        }
        CopyBuffer copy = CopyBuffer.borrowBriefly();
        try {
            int length = Math.min(CopyBuffer.SIZE, buffer.remaining());
            copy.view().put(0, buffer, buffer.position(), length);
            return advance(buffer, tryWrite(copy.address(), length));
        } finally {
            CopyBuffer.giveBack(copy);
        }
    }

    private static boolean advance(ByteBuffer buffer, int count) {
        if (count == WOULD_BLOCK) {
            return false;
        }
        buffer.position(buffer.position() + count);
        return true;
    }

    private int tryWrite(long address, int length) throws IOException {
        boolean socket = descriptor.kind() == Descriptor.Kind.SOCKET;
        long result =
                socket ? Sockets.send(descriptor.fd(), address, length) : Files.write(descriptor.fd(), address, length);
        if (result >= 0) {
            return (int) result;
        }
        if (!descriptor.isOpen()) {
            throw new AsynchronousCloseException();
        }
        if (Errno.wouldBlock(result)) {
            return WOULD_BLOCK;
        }
        throw descriptor.failure(socket ? "send" : "write", result);
    }

    /** Parks until a connection in progress is made or refused: the socket becomes writable either way. */
    @Override
    public void awaitConnected(long deadline) throws IOException {
        enter();
        try {
            descriptor.claimWriting(Thread.currentThread());
            try {
                do {
                    await(Watch.WRITE, deadline);
                } while (!descriptor.connected());
            } finally {
                descriptor.unclaimWriting();
            }
        } finally {
            descriptor.release();
        }
    }

    /** Takes the next connection of a listening socket, parking until there is one; a descriptor. */
    @Override
    public int accept(long deadline) throws IOException {
        enter();
        try {
            descriptor.claimReading(Thread.currentThread());
            try {
                while (true) {
                    int fd = Sockets.accept(descriptor.fd());
                    if (fd >= 0) {
                        return fd;
                    }
                    if (!descriptor.isOpen()) {
                        throw new AsynchronousCloseException();
                    }
                    if (Errno.wouldBlock(fd)) {
                        await(Watch.READ, deadline);
                    } else if (fd != -Errno.ECONNABORTED) {
                        throw descriptor.failure("accept", fd);
                    }
                }
            } finally {
                descriptor.unclaimReading();
            }
        } finally {
            descriptor.release();
        }
    }

    private void enter() throws ClosedChannelException {
        if (!descriptor.acquire()) {
            throw new ClosedChannelException();
        }
    }

    private void await(VarHandle direction, long deadline) throws IOException {
        Watch.of(descriptor, null).await(direction, deadline);
    }
}
