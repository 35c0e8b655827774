package dev.sluice.ring;

import dev.sluice.internal.fd.CopyBuffer;
import dev.sluice.internal.fd.Descriptor;
import dev.sluice.internal.fd.PoolMemory;
import dev.sluice.internal.linux.Errno;
import dev.sluice.internal.linux.Files;
import dev.sluice.internal.linux.Native;
import dev.sluice.internal.linux.Rings;
import dev.sluice.io.SluiceException;
import dev.sluice.send.BufferPool;
import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Locale;

/**
 * A file that is read and written at offsets, by any number of threads at once, each of which parks until its call is done;
 * no carrier of virtual threads and no pool thread is held meanwhile. What the page cache has is read without the ring. There
 * is no position to move; {@link #channel} has one.
 *
 * <p>Direct buffers go to the kernel as they are: while a call lasts nobody may close the arena of one. Others are copied
 * through a buffer of the library. An interrupt cancels a call that has not begun, with
 * {@link java.io.InterruptedIOException}, and leaves the file open; a disk at work is waited for.
 *
 * <p>Closing bars new calls at once; the descriptor is closed after the last of those under way.
 */
public final class RingFile implements Closeable {
    /** What only this kind of file can be opened with. */
    public enum Option implements OpenOption {
        /**
         * Past the page cache, O_DIRECT of open(2). Calls whose offset, length and buffer are multiples of 4096 go to the
         * disk as they are, others are aligned by the library, which costs a copy; the ends of a write that are no whole
         * blocks go through the page cache. The memory of a {@link BufferPool} is registered with the ring, as far as the
         * limit of locked memory allows: its buffers (a lease's segment as a ByteBuffer) are not pinned at every call.
         */
        DIRECT
    }

    private static final Cleaner CLEANER = Cleaner.create();
    private static final int OWNER_AND_OTHERS = 0666;
    private static final int BLOCK = 4096;

    private final SharedRing ring;
    private final Handle plain;

    /** The same file opened once more, past the page cache; or null. */
    private final Handle direct;

    /** A descriptor with its place in the ring's table, which is given back when the last call on it is over. */
    private record Handle(Descriptor descriptor, int index) {
        static Handle open(SharedRing ring, Path path, int flags) throws IOException {
            int fd = Files.open(path.toString(), flags, OWNER_AND_OTHERS);
            if (fd < 0) {
                throw Descriptor.failure("open", path.toString(), fd);
            }
            Descriptor descriptor = Descriptor.adopt(fd, path.toString());
            if (descriptor.kind() != Descriptor.Kind.FILE || Files.status(fd).is(Files.S_IFDIR)) {
                descriptor.close();
                throw new SluiceException(path + ": not a file; FIFOs and devices are for KernelFile", "open", 0);
            }
            int index = ring.files().add(ring, fd);
            if (index != FixedFiles.NONE) {
                descriptor.watch(new Descriptor.Watcher() {
                    @Override
                    public void closing() {
                        // Calls under way go on.
                    }

                    @Override
                    public void freeing() {
                        ring.files().remove(ring, index);
                    }
                });
            }
            return new Handle(descriptor, index);
        }

        void close() {
            descriptor.close();
        }
    }

    private RingFile(SharedRing ring, Handle plain, Handle direct) {
        this.ring = ring;
        this.plain = plain;
        this.direct = direct;
        CLEANER.register(this, () -> {
            plain.close();
            if (direct != null) {
                direct.close();
            }
        });
    }

    /** Opens a file on the ring of the process, see {@link #open(SharedRing, Path, OpenOption...)}. */
    public static RingFile open(Path path, OpenOption... options) throws IOException {
        return open(SharedRing.shared(), path, options);
    }

    /**
     * Opens a file, for reading if no option says otherwise. open(2), close-on-exec.
     *
     * @param options {@link Option#DIRECT}, and of {@link StandardOpenOption}: READ, WRITE, CREATE, CREATE_NEW,
     *     TRUNCATE_EXISTING. Without APPEND, as all calls say where
     * @throws SluiceException with the errno of open(2); EINVAL if the file system knows no O_DIRECT
     * @throws UnsupportedOperationException for other options, and if this is not Linux
     */
    public static RingFile open(SharedRing ring, Path path, OpenOption... options) throws IOException {
        if (!Native.available()) {
            throw new UnsupportedOperationException("RingFile is not available: " + Native.unavailable());
        }
        List<OpenOption> list = List.of(options);
        boolean write = list.contains(StandardOpenOption.WRITE);
        int access = !write ? Files.O_RDONLY : list.contains(StandardOpenOption.READ) ? Files.O_RDWR : Files.O_WRONLY;
        int flags = Files.O_NOCTTY;
        for (OpenOption option : list) {
            flags |= switch (option) {
                case StandardOpenOption.READ, StandardOpenOption.WRITE, Option.DIRECT -> 0;
                case StandardOpenOption.CREATE -> write ? Files.O_CREAT : 0;
                case StandardOpenOption.CREATE_NEW -> write ? Files.O_CREAT | Files.O_EXCL : 0;
                case StandardOpenOption.TRUNCATE_EXISTING -> write ? Files.O_TRUNC : 0;
                default -> throw new UnsupportedOperationException(option + " is not supported");
            };
        }
        Handle plain = Handle.open(ring, path, flags | access);
        if (!list.contains(Option.DIRECT)) {
            return new RingFile(ring, plain, null);
        }
        try {
            // A write of less than a block reads the rest of it first.
            return new RingFile(ring, plain, Handle.open(ring, path, Files.O_NOCTTY | access | Files.direct()));
        } catch (IOException e) {
            plain.close();
            throw e;
        }
    }

    /**
     * Reads at least one byte, unless the file ends before the offset. pread(2).
     *
     * @return how many, −1 at the end; 0 only if the buffer has no room
     */
    public int read(ByteBuffer buffer, long offset) throws IOException {
        requireOffset(offset);
        if (buffer.isReadOnly()) {
            throw new IllegalArgumentException("the buffer is read-only");
        }
        if (!buffer.hasRemaining()) {
            return 0;
        }
        int count = direct != null && !aligned(buffer, offset)
                ? readAligned(buffer, offset)
                : buffer.isDirect() ? readInto(buffer, offset) : readCopied(buffer, offset);
        return count == 0 ? -1 : count;
    }

    /**
     * Fills the whole buffer.
     *
     * @throws EOFException if the file ends before; what it had is in the buffer
     */
    public void readFully(ByteBuffer buffer, long offset) throws IOException {
        int start = buffer.position();
        while (buffer.hasRemaining()) {
            if (read(buffer, offset + buffer.position() - start) < 0) {
                throw new EOFException(plain.descriptor.name() + ": ends " + buffer.remaining() + " bytes too early");
            }
        }
    }

    private int readInto(ByteBuffer buffer, long offset) throws IOException {
        int count = readOnce(offset, address(buffer), buffer.remaining(), buffer);
        buffer.position(buffer.position() + count);
        return count;
    }

    private int readCopied(ByteBuffer buffer, long offset) throws IOException {
        CopyBuffer copy = CopyBuffer.borrowBriefly();
        try {
            int length = Math.min(CopyBuffer.SIZE, buffer.remaining());
            int count = readOnce(offset, copy.address(), length, copy);
            buffer.put(copy.view().limit(count));
            return count;
        } finally {
            CopyBuffer.giveBack(copy);
        }
    }

    /** Reads the blocks around what is asked for, and takes that out of them. */
    private int readAligned(ByteBuffer buffer, long offset) throws IOException {
        CopyBuffer copy = CopyBuffer.borrowBriefly();
        try {
            int before = (int) (offset % BLOCK);
            int wanted = Math.min(CopyBuffer.SIZE - before, buffer.remaining());
            int count = readOnce(offset - before, copy.address(), roundUp(before + wanted), copy);
            int found = Math.clamp(count - before, 0, wanted);
            buffer.put(copy.view().limit(before + found).position(before));
            return found;
        } finally {
            CopyBuffer.giveBack(copy);
        }
    }

    /**
     * Writes the whole buffer. pwrite(2). After an exception its position tells how much was written.
     *
     * @return how many bytes that were
     */
    public int write(ByteBuffer buffer, long offset) throws IOException {
        requireOffset(offset);
        int start = buffer.position();
        int total = buffer.remaining();
        while (buffer.hasRemaining()) {
            writeSome(buffer, offset + buffer.position() - start);
        }
        return total;
    }

    private void writeSome(ByteBuffer buffer, long offset) throws IOException {
        Handle handle = direct == null ? plain : direct;
        int length = buffer.remaining();
        if (direct != null) {
            int before = (int) (offset % BLOCK);
            if (before > 0 || length < BLOCK) {
                // The ends of what is no whole number of blocks.
                handle = plain;
                length = Math.min(length, BLOCK - before);
            } else {
                length -= length % BLOCK;
            }
        }
        boolean straight = buffer.isDirect() && (handle == plain || address(buffer) % BLOCK == 0);
        int count = straight
                ? call(handle, Operation.WRITE, offset, address(buffer), length, 0, buffer)
                : writeCopied(handle, buffer, offset, length);
        buffer.position(buffer.position() + count);
    }

    private int writeCopied(Handle handle, ByteBuffer buffer, long offset, int most) throws IOException {
        CopyBuffer copy = CopyBuffer.borrowBriefly();
        try {
            int length = Math.min(CopyBuffer.SIZE, most);
            copy.view().put(0, buffer, buffer.position(), length);
            return call(handle, Operation.WRITE, offset, copy.address(), length, 0, copy);
        } finally {
            CopyBuffer.giveBack(copy);
        }
    }

    /**
     * Reads into several direct buffers, one after the other, at least one byte. preadv(2).
     *
     * @return how many bytes, −1 at the end of the file
     * @throws IllegalArgumentException if one is not direct
     * @throws UnsupportedOperationException if the file was opened with {@link Option#DIRECT}
     */
    public long read(ByteBuffer[] buffers, long offset) throws IOException {
        long wanted = remaining(buffers);
        if (wanted == 0) {
            return 0;
        }
        long count = vectored(Operation.READV, buffers, offset);
        return count == 0 ? -1 : count;
    }

    /** Writes several direct buffers as a whole, one after the other. pwritev(2). */
    public long write(ByteBuffer[] buffers, long offset) throws IOException {
        long total = remaining(buffers);
        for (long done = 0; done < total; ) {
            done += vectored(Operation.WRITEV, buffers, offset + done);
        }
        return total;
    }

    private static long remaining(ByteBuffer[] buffers) {
        long sum = 0;
        for (ByteBuffer buffer : buffers) {
            sum += buffer.remaining();
        }
        return sum;
    }

    private int vectored(Operation operation, ByteBuffer[] buffers, long offset) throws IOException {
        requireOffset(offset);
        if (direct != null) {
            throw new UnsupportedOperationException("vectored calls are not aligned; use one buffer, or no DIRECT");
        }
        try (Arena arena = Arena.ofConfined()) {
            Vectors vectors = new Vectors(arena, buffers.length);
            for (int i = 0; i < buffers.length; i++) {
                vectors.set(i, MemorySegment.ofBuffer(buffers[i]));
            }
            int count = call(plain, operation, offset, vectors.entries(), buffers.length, 0, buffers);
            int left = count;
            for (ByteBuffer buffer : buffers) {
                int part = Math.min(left, buffer.remaining());
                buffer.position(buffer.position() + part);
                left -= part;
            }
            return count;
        }
    }

    private static boolean aligned(ByteBuffer buffer, long offset) {
        return buffer.isDirect()
                && offset % BLOCK == 0
                && buffer.remaining() % BLOCK == 0
                && address(buffer) % BLOCK == 0;
    }

    private static int roundUp(int length) {
        return (length + BLOCK - 1) / BLOCK * BLOCK;
    }

    private static void requireOffset(long offset) {
        if (offset < 0) {
            throw new IllegalArgumentException("offset " + offset + " is negative");
        }
    }

    private static long address(ByteBuffer buffer) {
        MemorySegment segment = MemorySegment.ofBuffer(buffer);
        if (!segment.scope().isAlive()) {
            throw new IllegalStateException("the arena of the buffer is closed");
        }
        return segment.address();
    }

    /** Writes what was written to the disk; fsync(2), or fdatasync(2) without the metadata that reading does not need. */
    public void force(boolean metadata) throws IOException {
        force(0, 0, metadata);
    }

    /** The same for a range at least; a length of 0 means to the end. */
    public void force(long offset, int length, boolean metadata) throws IOException {
        requireOffset(offset);
        call(plain, Operation.FSYNC, offset, 0, length, metadata ? 0 : Rings.IORING_FSYNC_DATASYNC, this);
    }

    /** Reserves space on the disk, and makes the file so long at least; fallocate(2). */
    public void allocate(long offset, long length) throws IOException {
        requireOffset(offset);
        call(plain, Operation.FALLOCATE, offset, length, 0, 0, this);
    }

    /** Makes the file so long, cutting it or adding zeros; ftruncate(2). */
    public void truncate(long size) throws IOException {
        requireOffset(size);
        enter(plain);
        try {
            plain.descriptor.check("ftruncate", Files.truncate(plain.descriptor.fd(), size));
        } finally {
            plain.descriptor.release();
        }
    }

    /** The size in bytes, asked anew; statx(2). */
    public long size() throws IOException {
        enter(plain);
        try {
            return Files.status(plain.descriptor.fd()).size();
        } finally {
            plain.descriptor.release();
        }
    }

    /** What the page cache has is had at once: only those who have to wait for the disk go by the ring. */
    private int readOnce(long offset, long address, int length, Object memory) throws IOException {
        if (direct != null) {
            return call(direct, Operation.READ, offset, address, length, 0, memory);
        }
        enter(plain);
        try {
            long cached = Files.readCachedAt(plain.descriptor.fd(), address, length, offset);
            if (cached >= 0) {
                return (int) cached;
            }
        } finally {
            plain.descriptor.release();
            Reference.reachabilityFence(memory);
        }
        return call(plain, Operation.READ, offset, address, length, 0, memory);
    }

    private int call(
            Handle handle, Operation operation, long offset, long address, int length, int flags, Object memory)
            throws IOException {
        enter(handle);
        try {
            int fd = handle.descriptor.fd();
            int buffer = handle == direct ? registered(address, length) : FixedBuffers.UNREGISTERED;
            int result;
            do {
                Request request = new FileRequest(operation, fd, handle.index, buffer, offset, address, length, flags);
                result = ring.perform(request, Long.MAX_VALUE);
            } while (result == -Errno.EINTR);
            if (result < 0) {
                throw handle.descriptor.failure(operation.name().toLowerCase(Locale.ROOT), result);
            }
            return result;
        } finally {
            handle.descriptor.release();
            Reference.reachabilityFence(memory);
            Reference.reachabilityFence(this);
        }
    }

    /** Only past the page cache does the kernel pin a buffer's pages, at each call unless it knows them. */
    private int registered(long address, int length) {
        PoolMemory memory = PoolMemory.of(address, length);
        return memory == null ? FixedBuffers.UNREGISTERED : memory.numberWith(ring.memories());
    }

    private static void enter(Handle handle) throws ClosedChannelException {
        if (!handle.descriptor.acquire()) {
            throw new ClosedChannelException();
        }
    }

    /** A view with a position of its own, for one thread at a time, that starts at 0; closing it closes the file. */
    public SeekableByteChannel channel() {
        return new RingFileChannel(this);
    }

    public boolean isOpen() {
        return plain.descriptor.isOpen();
    }

    @Override
    public void close() {
        plain.close();
        if (direct != null) {
            direct.close();
        }
    }

    @Override
    public String toString() {
        return plain.descriptor.toString();
    }
}
