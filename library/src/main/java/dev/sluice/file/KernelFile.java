package dev.sluice.file;

import dev.sluice.internal.fd.CopyBuffer;
import dev.sluice.internal.fd.Descriptor;
import dev.sluice.internal.fd.Descriptors;
import dev.sluice.internal.fd.Tape;
import dev.sluice.internal.linux.Files;
import dev.sluice.internal.linux.Native;
import dev.sluice.io.SluiceException;
import dev.sluice.loop.BlockingPool;
import dev.sluice.loop.DescriptorStream;
import java.io.IOException;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/**
 * A file opened by the library, so that transfers reach its descriptor. The position is the open file's own: reads,
 * writes and transfers all move it. FIFOs and devices can be opened too; they have no position.
 *
 * <p>One reader and one writer at a time. Calls may block on the disk; on a virtual thread they are made by a small pool of
 * platform threads, and the virtual thread parks. An interrupt does not cut a disk operation short.
 */
public final class KernelFile implements SeekableByteChannel {
    static {
        Descriptors.register(KernelFile.class, file -> file.descriptor);
    }

    private static final int OWNER_AND_OTHERS = 0666;

    private final Descriptor descriptor;
    private final DescriptorStream fifo;

    private KernelFile(Descriptor descriptor) {
        this.descriptor = descriptor;
        this.fifo = descriptor.kind().pollable() ? new DescriptorStream(descriptor) : null;
        Descriptors.closeWith(this, descriptor);
    }

    /**
     * Opens a file, for reading if no option says otherwise. open(2), close-on-exec.
     *
     * @param options of {@link StandardOpenOption}: READ, WRITE, APPEND, CREATE, CREATE_NEW, TRUNCATE_EXISTING. A file
     *     opened with APPEND is written by copying, since the kernel refuses to splice into it
     * @throws SluiceException with the errno of open(2)
     * @throws UnsupportedOperationException for other options, and if this is not Linux
     */
    public static KernelFile open(Path path, OpenOption... options) throws IOException {
        if (!Native.available()) {
            throw new UnsupportedOperationException("KernelFile is not available: " + Native.unavailable());
        }
        int fd = Files.open(path.toString(), flags(List.of(options)), OWNER_AND_OTHERS);
        if (fd < 0) {
            throw Descriptor.failure("open", path.toString(), fd);
        }
        Descriptor descriptor = Descriptor.adopt(fd, path.toString());
        if (descriptor.kind() == Descriptor.Kind.SOCKET || Files.status(fd).is(Files.S_IFDIR)) {
            descriptor.close();
            throw new SluiceException(path + ": neither a file nor a FIFO nor a device", "open", 0);
        }
        int nonBlocking = descriptor.kind().pollable() ? Files.setNonBlocking(fd) : 0;
        if (nonBlocking < 0) {
            descriptor.close();
            throw descriptor.failure("fcntl F_SETFL", nonBlocking);
        }
        return new KernelFile(descriptor);
    }

    /** The first file of a recording. */
    static KernelFile recording(Path path, String name, Tape tape) throws IOException {
        if (!Native.available()) {
            throw new UnsupportedOperationException("Recording is not available: " + Native.unavailable());
        }
        return new KernelFile(new Descriptor(create(path), Descriptor.Kind.FILE, name, tape));
    }

    private static int create(Path path) throws IOException {
        int flags = Files.O_WRONLY | Files.O_CREAT | Files.O_EXCL | Files.O_NOCTTY;
        int fd = Files.open(path.toString(), flags, OWNER_AND_OTHERS);
        if (fd < 0) {
            throw Descriptor.failure("open", path.toString(), fd);
        }
        return fd;
    }

    /** Goes on in a new file. The number stays, so that whoever writes to it notices nothing. */
    void turnTo(Path path) throws IOException {
        int fd = create(path);
        int result = Files.replace(descriptor.fd(), fd);
        Files.close(fd);
        check("dup3", result);
    }

    private static int flags(List<OpenOption> options) {
        int flags = 0;
        for (OpenOption option : options) {
            flags |= switch (option) {
                case StandardOpenOption.READ, StandardOpenOption.WRITE -> 0;
                case StandardOpenOption.APPEND -> Files.O_APPEND;
                case StandardOpenOption.CREATE -> Files.O_CREAT;
                case StandardOpenOption.CREATE_NEW -> Files.O_CREAT | Files.O_EXCL;
                case StandardOpenOption.TRUNCATE_EXISTING -> Files.O_TRUNC;
                default -> throw new UnsupportedOperationException(option + " is not supported");
            };
        }
        boolean write = options.contains(StandardOpenOption.WRITE) || options.contains(StandardOpenOption.APPEND);
        boolean read = options.contains(StandardOpenOption.READ);
        if (!write) {
            // As with the JDK's files: whoever only reads neither makes nor cuts a file.
            return Files.O_RDONLY | Files.O_NOCTTY;
        }
        return flags | Files.O_NOCTTY | (read ? Files.O_RDWR : Files.O_WRONLY);
    }

    /** Reads at least one byte, or −1 at the end. read(2). */
    @Override
    public int read(ByteBuffer buffer) throws IOException {
        if (fifo != null) {
            try {
                return fifo.read(buffer, Long.MAX_VALUE);
            } finally {
                // Parked is not forgotten: the cleaner must not close the channel meanwhile.
                Reference.reachabilityFence(this);
            }
        }
        if (buffer.isReadOnly()) {
            throw new IllegalArgumentException("the buffer is read-only");
        }
        return (int) onDisk(() -> {
            descriptor.claimReading(Thread.currentThread());
            try {
                return buffer.hasRemaining() ? readBlock(buffer) : 0;
            } finally {
                descriptor.unclaimReading();
            }
        });
    }

    private long readBlock(ByteBuffer buffer) throws IOException {
        CopyBuffer copy = CopyBuffer.borrowBriefly();
        try {
            long count = Files.read(descriptor.fd(), copy.address(), Math.min(CopyBuffer.SIZE, buffer.remaining()));
            if (count < 0) {
                throw descriptor.failure("read", count);
            }
            buffer.put(copy.view().limit((int) count));
            return count == 0 ? -1 : count;
        } finally {
            CopyBuffer.giveBack(copy);
        }
    }

    /** Writes the whole buffer at the position, or at the end with APPEND. write(2). */
    @Override
    public int write(ByteBuffer buffer) throws IOException {
        if (fifo != null) {
            try {
                return fifo.write(buffer, Long.MAX_VALUE);
            } finally {
                // Parked is not forgotten: the cleaner must not close the channel meanwhile.
                Reference.reachabilityFence(this);
            }
        }
        return (int) onDisk(() -> {
            descriptor.claimWriting(Thread.currentThread());
            try {
                int total = buffer.remaining();
                while (buffer.hasRemaining()) {
                    writeBlock(buffer);
                }
                return total;
            } finally {
                descriptor.unclaimWriting();
            }
        });
    }

    private void writeBlock(ByteBuffer buffer) throws IOException {
        CopyBuffer copy = CopyBuffer.borrowBriefly();
        try {
            Tape tape = descriptor.tape();
            int room = tape == null ? CopyBuffer.SIZE : Math.min(CopyBuffer.SIZE, tape.room());
            int length = Math.min(room, buffer.remaining());
            copy.view().put(0, buffer, buffer.position(), length);
            long count = Files.write(descriptor.fd(), copy.address(), length);
            if (count < 0) {
                throw descriptor.failure("write", count);
            }
            buffer.position(buffer.position() + (int) count);
            if (tape != null) {
                tape.wrote(count);
            }
        } finally {
            CopyBuffer.giveBack(copy);
        }
    }

    /** The position; lseek(2). */
    @Override
    public long position() throws IOException {
        return onDisk(() -> check("lseek", Files.seek(descriptor.fd(), 0, Files.SEEK_CUR)));
    }

    /** Sets the position, which may lie beyond the end. */
    @Override
    public KernelFile position(long newPosition) throws IOException {
        if (newPosition < 0) {
            throw new IllegalArgumentException("position " + newPosition + " is negative");
        }
        onDisk(() -> check("lseek", Files.seek(descriptor.fd(), newPosition, Files.SEEK_SET)));
        return this;
    }

    /** The size in bytes, asked anew; statx(2). */
    @Override
    public long size() throws IOException {
        return onDisk(() -> Files.status(descriptor.fd()).size());
    }

    /** Cuts the file to the size if it is longer; ftruncate(2). */
    @Override
    public KernelFile truncate(long size) throws IOException {
        if (size < 0) {
            throw new IllegalArgumentException("size " + size + " is negative");
        }
        onDisk(() -> {
            int fd = descriptor.fd();
            if (size < Files.status(fd).size()) {
                check("ftruncate", Files.truncate(fd, size));
            }
            return size < check("lseek", Files.seek(fd, 0, Files.SEEK_CUR))
                    ? check("lseek", Files.seek(fd, size, Files.SEEK_SET))
                    : 0;
        });
        return this;
    }

    /** Writes everything to the disk, metadata included; fsync(2). */
    public void force() throws IOException {
        onDisk(() -> check("fsync", Files.sync(descriptor.fd())));
    }

    private long check(String call, long result) throws IOException {
        if (result < 0) {
            throw descriptor.failure(call, result);
        }
        return result;
    }

    private interface DiskCall {
        long make() throws IOException;
    }

    private long onDisk(DiskCall call) throws IOException {
        if (!descriptor.acquire()) {
            throw new ClosedChannelException();
        }
        try {
            return Thread.currentThread().isVirtual() ? aside(call) : call.make();
        } finally {
            descriptor.release();
        }
    }

    private static long aside(DiskCall call) throws IOException {
        CompletableFuture<Long> done = new CompletableFuture<>();
        BlockingPool.shared().execute(() -> {
            try {
                done.complete(call.make());
            } catch (Throwable t) {
                done.completeExceptionally(t);
            }
        });
        try {
            return done.join();
        } catch (CompletionException e) {
            switch (e.getCause()) {
                case IOException io -> throw io;
                case RuntimeException runtime -> throw runtime;
                case Error error -> throw error;
                default -> throw e;
            }
        }
    }

    @Override
    public boolean isOpen() {
        return descriptor.isOpen();
    }

    /** Closes; a transfer under way ends with a TransferException, other calls when they are done. */
    @Override
    public void close() {
        descriptor.close();
    }

    @Override
    public String toString() {
        return descriptor.toString();
    }
}
