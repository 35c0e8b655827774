package dev.sluice.pipe;

import dev.sluice.internal.fd.Descriptor;
import dev.sluice.internal.fd.Descriptors;
import dev.sluice.internal.linux.Files;
import dev.sluice.internal.linux.Native;
import dev.sluice.internal.linux.Pipes;
import dev.sluice.io.SluiceException;
import dev.sluice.io.TransferException;
import dev.sluice.io.TransferResult;
import dev.sluice.loop.DescriptorStream;
import dev.sluice.loop.Pump;
import dev.sluice.loop.Sides;
import java.io.IOException;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.channels.Channel;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * A kernel pipe, pipe(7): two ends, each a channel that parks instead of blocking and each a side of fast transfers.
 * Reading and writing the pipe itself is reading and writing its ends.
 *
 * <pre>{@code
 * camera.tee(recording);             // whatever leaves the pipe goes there, too
 * camera.readFrom(socket);           // on one thread
 * camera.writeTo(client);            // on another
 * }</pre>
 *
 * <p>All methods may be called from any thread; each end has one reader or writer at a time, and a second one gets a
 * ReadPendingException or WritePendingException.
 */
public final class KernelPipe implements ByteChannel {
    static {
        Descriptors.register(
                KernelPipe.class, pipe -> pipe.source.stream.descriptor(), pipe -> pipe.sink.stream.descriptor());
        Descriptors.register(Source.class, end -> end.stream.descriptor());
        Descriptors.registerMirrors(KernelPipe.class, pipe -> pipe.source.begin());
        Descriptors.registerMirrors(Source.class, Source::begin);
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

    /**
     * The same, and asks for a capacity. Where the kernel refuses it, for the reasons of {@link #resize}, the pipe is as
     * large as it came: {@link #capacity} tells what was obtained, and a smaller pipe works as well, in smaller steps.
     */
    public static KernelPipe open(int capacity) throws IOException {
        requirePositive(capacity);
        KernelPipe pipe = open();
        call(pipe.source.stream.descriptor(), fd -> Pipes.setCapacity(fd, capacity));
        return pipe;
    }

    /** The end to read from. */
    public ReadableByteChannel source() {
        return source;
    }

    /** The end to write to. */
    public WritableByteChannel sink() {
        return sink;
    }

    /**
     * Adds a mirror: whatever is taken out of this pipe from now on, by {@link #read}, by {@link #writeTo} or by any transfer
     * from this pipe, goes to the mirror, too, as a whole and before the read or transfer ends. It may be another pipe,
     * which may have a mirror in turn, or any other channel; it stays the caller's to close.
     *
     * <p>Transfers duplicate into a mirror of the library's own without leaving the kernel, tee(2); a read, whose bytes are
     * in the process anyway, writes them. A mirror that is slow is waited for. If one fails, the transfer fails, or the
     * read after the bytes were put into its buffer. Mirrors that may fail or lag are {@code Pipeline.mirror}'s.
     *
     * @return this
     * @throws IllegalStateException once something has read from this pipe, since a mirror would begin in mid-stream
     */
    public KernelPipe tee(WritableByteChannel mirror) {
        if (mirror == this || mirror == sink) {
            throw new IllegalArgumentException(this + " can't be its own mirror");
        }
        source.tee(Objects.requireNonNull(mirror, "mirror"));
        return this;
    }

    /**
     * Fills the pipe from the source until that ends, inside the kernel where possible, waiting for room as need be: somebody
     * else has to empty the pipe. The sink end stays open; {@link #closeSink} tells the reader that this was all.
     *
     * <p>Blocks by parking. How it ends, and what becomes of the bytes when it fails, is what
     * {@code dev.sluice.Pipeline.to} says of every transfer.
     *
     * @throws TransferException if a side fails or is closed meanwhile, and on an interrupt, which stays set
     * @throws ClosedChannelException if the source or this pipe's sink end is closed already
     */
    public TransferResult readFrom(ReadableByteChannel from) throws IOException {
        return readFrom(from, Long.MAX_VALUE);
    }

    /** The same, of at most {@code limit} bytes; what follows them stays readable from the source. */
    public TransferResult readFrom(ReadableByteChannel from, long limit) throws IOException {
        return transfer(from, sink, limit);
    }

    /**
     * Empties the pipe into the sink, and into the {@linkplain #tee mirrors}, until the pipe's own sink end is closed and
     * nothing is left. Nothing is closed or shut down. Blocks and ends like {@link #readFrom}.
     *
     * @throws TransferException if a side fails or is closed meanwhile, and on an interrupt, which stays set
     * @throws ClosedChannelException if this pipe's source end, the sink or a mirror is closed already
     */
    public TransferResult writeTo(WritableByteChannel to) throws IOException {
        return writeTo(to, Long.MAX_VALUE);
    }

    /** The same, of at most {@code limit} bytes; what follows them stays in the pipe. */
    public TransferResult writeTo(WritableByteChannel to, long limit) throws IOException {
        return transfer(source, to, limit);
    }

    private static TransferResult transfer(ReadableByteChannel from, WritableByteChannel to, long limit)
            throws IOException {
        if (limit < 0) {
            throw new IllegalArgumentException("limit " + limit + " is negative");
        }
        return Sides.claim(from, to, List.of()).transfer(Pump.Options.upTo(limit), Long.MAX_VALUE);
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
        requirePositive(bytes);
        try {
            return call("fcntl F_SETPIPE_SZ", fd -> Pipes.setCapacity(fd, bytes));
        } catch (SluiceException e) {
            String why = Pipes.explainSizeRefusal(e.errno());
            throw why.isEmpty()
                    ? e
                    : new SluiceException(e.getMessage().split(";")[0] + "; " + why, e.call(), e.errno());
        }
    }

    private static void requirePositive(int bytes) {
        if (bytes <= 0) {
            throw new IllegalArgumentException("a pipe of " + bytes + " bytes");
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
        return descriptor.check(name, call(descriptor, call));
    }

    private static int call(Descriptor descriptor, Call call) throws IOException {
        if (!descriptor.acquire()) {
            throw new ClosedChannelException();
        }
        try {
            return call.on(descriptor.fd());
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
        private volatile List<WritableByteChannel> mirrors = List.of();
        private volatile boolean begun;

        Source(DescriptorStream stream) {
            super(stream);
        }

        synchronized void tee(WritableByteChannel mirror) {
            if (begun) {
                throw new IllegalStateException(
                        this + " has been read from; a mirror has to be there before the first byte leaves");
            }
            mirrors = Stream.concat(mirrors.stream(), Stream.of(mirror)).toList();
        }

        /** The mirrors, to which none is added from now on. */
        List<WritableByteChannel> begin() {
            if (!begun) {
                synchronized (this) {
                    begun = true;
                }
            }
            return mirrors;
        }

        @Override
        public int read(ByteBuffer buffer) throws IOException {
            try {
                return stream.read(buffer, Long.MAX_VALUE, begin());
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
