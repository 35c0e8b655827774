package dev.sluice.pipe;

import dev.sluice.internal.fd.Descriptor;
import dev.sluice.internal.fd.Descriptors;
import dev.sluice.internal.linux.Files;
import dev.sluice.internal.linux.Native;
import dev.sluice.internal.linux.Pipes;
import dev.sluice.io.SluiceException;
import dev.sluice.loop.DescriptorStream;
import java.io.IOException;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.channels.Channel;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;

/**
 * A kernel pipe, pipe(7): two ends, each a channel that parks instead of blocking and each a side of fast transfers.
 * Reading and writing the pipe itself is reading and writing its ends.
 */
public final class KernelPipe implements ByteChannel {
    static {
        Descriptors.register(
                KernelPipe.class, pipe -> pipe.source.stream.descriptor(), pipe -> pipe.sink.stream.descriptor());
        Descriptors.register(Source.class, end -> end.stream.descriptor());
        Descriptors.register(Sink.class, end -> end.stream.descriptor());
    }

    private final Source source;
    private final Sink sink;

    private KernelPipe(long ends) {
        int readEnd = (int) ends;
        int writeEnd = (int) (ends >>> 32);
        String name = "pipe " + readEnd + "-" + writeEnd;
        source = new Source(new DescriptorStream(new Descriptor(readEnd, Descriptor.Kind.PIPE, name)));
        sink = new Sink(new DescriptorStream(new Descriptor(writeEnd, Descriptor.Kind.PIPE, name)));
    }

    /**
     * Makes a pipe of the kernel's default size, non-blocking and close-on-exec at both ends.
     *
     * @throws SluiceException with the errno of pipe2(2)
     * @throws UnsupportedOperationException if this is not Linux
     */
    public static KernelPipe open() throws IOException {
        if (!Native.available()) {
            throw new UnsupportedOperationException("KernelPipe is not available: " + Native.unavailable());
        }
        long ends = Pipes.pipe();
        if (ends < 0) {
            throw Descriptor.failure("pipe2", "a new pipe", ends);
        }
        return new KernelPipe(ends);
    }

    /** The end to read from. */
    public ReadableByteChannel source() {
        return source;
    }

    /** The end to write to. */
    public WritableByteChannel sink() {
        return sink;
    }

    /** Reads at least one byte, waiting if need be; −1 once the sink end is closed and everything was read. */
    @Override
    public int read(ByteBuffer buffer) throws IOException {
        return source.read(buffer);
    }

    /** Writes the whole buffer, waiting for room if need be. */
    @Override
    public int write(ByteBuffer buffer) throws IOException {
        return sink.write(buffer);
    }

    /** Bytes that fit in if every page of it is full, asked of the kernel each time; F_GETPIPE_SZ. */
    public int capacity() throws IOException {
        return call("fcntl F_GETPIPE_SZ", Pipes::capacity);
    }

    /**
     * Asks for a capacity; the kernel rounds up to pages × 2ⁿ.
     *
     * @return what it really is now
     * @throws SluiceException EPERM beyond {@code /proc/sys/fs/pipe-max-size} or the user's limit of pages in pipes, EBUSY
     *     if more is inside; F_SETPIPE_SZ, fcntl(2)
     */
    public int resize(int bytes) throws IOException {
        if (bytes <= 0) {
            throw new IllegalArgumentException("a pipe of " + bytes + " bytes");
        }
        try {
            return call("fcntl F_SETPIPE_SZ", fd -> Pipes.setCapacity(fd, bytes));
        } catch (SluiceException e) {
            String why = Pipes.explainSizeRefusal(e.errno());
            throw why.isEmpty()
                    ? e
                    : new SluiceException(e.getMessage().split(";")[0] + "; " + why, e.call(), e.errno());
        }
    }

    /** Bytes inside; FIONREAD. */
    public int available() throws IOException {
        return call("ioctl FIONREAD", Files::available);
    }

    private interface Call {
        int on(int fd);
    }

    private int call(String name, Call call) throws IOException {
        Descriptor descriptor = source.isOpen() ? source.stream.descriptor() : sink.stream.descriptor();
        if (!descriptor.acquire()) {
            throw new ClosedChannelException();
        }
        try {
            return descriptor.check(name, call.on(descriptor.fd()));
        } finally {
            descriptor.release();
        }
    }

    /** Closes the end to read from: writers get EPIPE. */
    public void closeSource() {
        source.close();
    }

    /** Closes the end to write to: readers read what is inside, then the end of the stream. */
    public void closeSink() {
        sink.close();
    }

    /** Whether both ends are open. */
    @Override
    public boolean isOpen() {
        return source.isOpen() && sink.isOpen();
    }

    /** Closes both ends. */
    @Override
    public void close() {
        source.close();
        sink.close();
    }

    @Override
    public String toString() {
        return source.stream.descriptor().name();
    }

    private abstract static class End implements Channel {
        final DescriptorStream stream;

        End(DescriptorStream stream) {
            this.stream = stream;
            Descriptors.closeWith(this, stream.descriptor());
        }

        @Override
        public boolean isOpen() {
            return stream.descriptor().isOpen();
        }

        @Override
        public void close() {
            stream.descriptor().close();
        }

        @Override
        public String toString() {
            return stream.descriptor().toString();
        }
    }

    private static final class Source extends End implements ReadableByteChannel {
        Source(DescriptorStream stream) {
            super(stream);
        }

        @Override
        public int read(ByteBuffer buffer) throws IOException {
            try {
                return stream.read(buffer, Long.MAX_VALUE);
            } finally {
                // Parked is not forgotten: the cleaner must not close the channel meanwhile.
                Reference.reachabilityFence(this);
            }
        }
    }

    private static final class Sink extends End implements WritableByteChannel {
        Sink(DescriptorStream stream) {
            super(stream);
        }

        @Override
        public int write(ByteBuffer buffer) throws IOException {
            try {
                return stream.write(buffer, Long.MAX_VALUE);
            } finally {
                // Parked is not forgotten: the cleaner must not close the channel meanwhile.
                Reference.reachabilityFence(this);
            }
        }
    }
}
