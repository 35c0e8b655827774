package dev.sluice.ring;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.sluice.internal.fd.Descriptor;
import dev.sluice.internal.linux.Errno;
import dev.sluice.internal.linux.Rings;
import dev.sluice.io.SluiceException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * What is registered with a ring, see io_uring_register(2). Every method may be called by the ring's owner only, allocates,
 * and throws {@link SluiceException} with the errno if the kernel refuses.
 */
public final class RingRegistry {
    private static final int ALL_OPERATIONS = 256;
    private static final int CANCEL_EVERYTHING = Rings.IORING_ASYNC_CANCEL_ANY | Rings.IORING_ASYNC_CANCEL_ALL;

    private final Ring ring;
    private final int fd;
    private final Arena arena;
    private final List<BufferRing> bufferRings = new ArrayList<>();

    RingRegistry(Ring ring, int fd, Arena arena) {
        this.ring = ring;
        this.fd = fd;
        this.arena = arena;
    }

    int call(String name, int operation, long argument, int count) throws IOException {
        int result;
        do {
            result = Rings.register(fd, operation, argument, count);
        } while (result == -Errno.EINTR);
        if (result < 0) {
            throw Descriptor.failure(name, "ring", result);
        }
        return result;
    }

    /** Any registration there is: its number, the address of its argument, and a count. Its result. */
    public int raw(int operation, MemorySegment argument, int count) throws IOException {
        return call("io_uring_register " + operation, operation, argument.address(), count);
    }

    boolean supports(int operation) throws IOException {
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment probe = scratch.allocate(Rings.PROBE_SIZE + ALL_OPERATIONS * Rings.PROBE_OP_SIZE, 8);
            call("io_uring_register PROBE", Rings.IORING_REGISTER_PROBE, probe.address(), ALL_OPERATIONS);
            int last = Byte.toUnsignedInt(probe.get(JAVA_BYTE, Rings.PROBE_LAST_OP));
            long flags = Rings.PROBE_SIZE + operation * Rings.PROBE_OP_SIZE + Rings.PROBE_OP_FLAGS;
            return operation <= last && (probe.get(JAVA_BYTE, flags) & Rings.IO_URING_OP_SUPPORTED) != 0;
        }
    }

    /** While the ring is disabled. */
    void restrict(Restrictions restrictions) throws IOException {
        try (Arena scratch = Arena.ofConfined()) {
            long list = restrictions.list(scratch).address();
            int operation = Rings.IORING_REGISTER_RESTRICTIONS;
            call("io_uring_register RESTRICTIONS", operation, list, restrictions.count());
        }
    }

    /** Whole pages, from which the kernel reads the arguments of waits. While the ring is disabled. */
    void waits(MemorySegment pages) throws IOException {
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment description = scratch.allocate(Rings.REGION_DESC_SIZE, 8);
            description.set(JAVA_LONG, Rings.REGION_DESC_USER_ADDR, pages.address());
            description.set(JAVA_LONG, Rings.REGION_DESC_BYTES, pages.byteSize());
            description.set(JAVA_INT, Rings.REGION_DESC_FLAGS, Rings.IORING_MEM_REGION_TYPE_USER);
            MemorySegment region = scratch.allocate(Rings.MEM_REGION_REG_SIZE, 8);
            region.set(JAVA_LONG, Rings.MEM_REGION_REG_UPTR, description.address());
            region.set(JAVA_LONG, Rings.MEM_REGION_REG_FLAGS, Rings.IORING_MEM_REGION_REG_WAIT_ARG);
            call("io_uring_register MEM_REGION", Rings.IORING_REGISTER_MEM_REGION, region.address(), 1);
        }
    }

    /**
     * Has whoever waits for completions poll the network devices that the ring's sockets receive from, for so long, before it
     * sleeps: NAPI, for devices that have it. It costs a processor for that time. Since 6.9.
     *
     * @param prefer whether the devices are to hold their interrupts back meanwhile
     */
    public void napi(Duration busyPoll, boolean prefer) throws IOException {
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment napi = scratch.allocate(Rings.NAPI_SIZE, 8);
            napi.set(JAVA_INT, Rings.NAPI_BUSY_POLL_TO, Math.toIntExact(busyPoll.toNanos() / 1000));
            napi.set(JAVA_BYTE, Rings.NAPI_PREFER_BUSY_POLL, (byte) (prefer ? 1 : 0));
            call("io_uring_register NAPI", Rings.IORING_REGISTER_NAPI, napi.address(), 1);
        }
    }

    /** Waits without polling devices from now on. */
    public void unregisterNapi() throws IOException {
        try (Arena scratch = Arena.ofConfined()) {
            long before = scratch.allocate(Rings.NAPI_SIZE, 8).address();
            call("io_uring_register UNREGISTER_NAPI", Rings.IORING_UNREGISTER_NAPI, before, 1);
        }
    }

    /** Registers descriptors, −1 for none: {@link Submission#fixedFile} names them by their index. */
    public void files(int... numbers) throws IOException {
        try (Arena scratch = Arena.ofConfined()) {
            long table = scratch.allocateFrom(JAVA_INT, numbers).address();
            call("io_uring_register FILES", Rings.IORING_REGISTER_FILES, table, numbers.length);
        }
    }

    /** Puts others into the table from the index on, −1 for none; those beside them keep their indexes. */
    public void updateFiles(int index, int... numbers) throws IOException {
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment update = scratch.allocate(Rings.RSRC_UPDATE_SIZE, 8);
            update.set(JAVA_INT, 0, index);
            update.set(
                    JAVA_LONG,
                    Rings.RSRC_UPDATE_DATA,
                    scratch.allocateFrom(JAVA_INT, numbers).address());
            int operation = Rings.IORING_REGISTER_FILES_UPDATE;
            call("io_uring_register FILES_UPDATE", operation, update.address(), numbers.length);
        }
    }

    /** Drops the table of files; requests under way keep theirs. */
    public void unregisterFiles() throws IOException {
        call("io_uring_register UNREGISTER_FILES", Rings.IORING_UNREGISTER_FILES, 0, 0);
    }

    /**
     * Registers buffers, native memory: the kernel maps them once. They count against the limit of locked memory, and must
     * live until they are unregistered.
     */
    public void buffers(MemorySegment... buffers) throws IOException {
        try (Arena scratch = Arena.ofConfined()) {
            Vectors vectors = new Vectors(scratch, buffers.length);
            for (int i = 0; i < buffers.length; i++) {
                vectors.set(i, buffers[i]);
            }
            int result = Rings.register(fd, Rings.IORING_REGISTER_BUFFERS, vectors.entries(), buffers.length);
            if (result == -Errno.ENOMEM) {
                throw new SluiceException(
                        "ring: io_uring_register BUFFERS: ENOMEM; locked memory is at its limit, raise it (ulimit -l)",
                        "io_uring_register",
                        Errno.ENOMEM);
            }
            if (result < 0) {
                throw Descriptor.failure("io_uring_register BUFFERS", "ring", result);
            }
        }
    }

    /** Registers a table of so many buffers, none of which is there yet; since 5.19. */
    public void emptyBuffers(int count) throws IOException {
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment table = scratch.allocate(Rings.RSRC_REGISTER_SIZE, 8);
            table.set(JAVA_INT, 0, count);
            table.set(JAVA_INT, Rings.RSRC_REGISTER_FLAGS, Rings.IORING_RSRC_REGISTER_SPARSE);
            int operation = Rings.IORING_REGISTER_BUFFERS2;
            call("io_uring_register BUFFERS2", operation, table.address(), (int) Rings.RSRC_REGISTER_SIZE);
        }
    }

    /**
     * Puts others into the table from the index on, {@link MemorySegment#NULL} for none. Requests under way go on
     * with what they have, which must live until their last completion.
     */
    public void updateBuffers(int index, MemorySegment... buffers) throws IOException {
        try (Arena scratch = Arena.ofConfined()) {
            Vectors vectors = new Vectors(scratch, buffers.length);
            for (int i = 0; i < buffers.length; i++) {
                vectors.set(i, buffers[i]);
            }
            MemorySegment update = scratch.allocate(Rings.RSRC_UPDATE2_SIZE, 8);
            update.set(JAVA_INT, 0, index);
            update.set(JAVA_LONG, Rings.RSRC_UPDATE_DATA, vectors.entries());
            update.set(JAVA_INT, Rings.RSRC_UPDATE2_NR, buffers.length);
            int operation = Rings.IORING_REGISTER_BUFFERS_UPDATE;
            call("io_uring_register BUFFERS_UPDATE", operation, update.address(), (int) Rings.RSRC_UPDATE2_SIZE);
        }
    }

    /**
     * Drops the registered buffers.
     *
     * @throws IllegalStateException while anything is in flight, since it may use one of them
     */
    public void unregisterBuffers() throws IOException {
        if (ring.inFlight() > 0) {
            throw new IllegalStateException(ring.inFlight() + " requests in flight may use the registered buffers");
        }
        call("io_uring_register UNREGISTER_BUFFERS", Rings.IORING_UNREGISTER_BUFFERS, 0, 0);
    }

    /** Has completions ring an eventfd(2). */
    public void eventFd(int number) throws IOException {
        eventFd(Rings.IORING_REGISTER_EVENTFD, number);
    }

    /** Has only those completions ring that did not come at once, in the call that submitted them. */
    public void eventFdAsync(int number) throws IOException {
        eventFd(Rings.IORING_REGISTER_EVENTFD_ASYNC, number);
    }

    private void eventFd(int operation, int number) throws IOException {
        try (Arena scratch = Arena.ofConfined()) {
            call(
                    "io_uring_register EVENTFD",
                    operation,
                    scratch.allocateFrom(JAVA_INT, number).address(),
                    1);
        }
    }

    public void unregisterEventFd() throws IOException {
        call("io_uring_register UNREGISTER_EVENTFD", Rings.IORING_UNREGISTER_EVENTFD, 0, 0);
    }

    /**
     * Makes a ring of provided buffers, from which requests with {@link Submission#select} take theirs. Since 5.19.
     *
     * @param group what they are selected by, from 0 to 65535
     * @param count how many, a power of two up to 32768
     * @param size of each, in bytes
     */
    public BufferRing bufferRing(int group, int count, int size) throws IOException {
        return add(new BufferRing(this, group, count, size, false));
    }

    /** The same, but a buffer is filled by one request after the other until it is full. Since 6.12. */
    public BufferRing incrementalBufferRing(int group, int count, int size) throws IOException {
        return add(new BufferRing(this, group, count, size, true));
    }

    private BufferRing add(BufferRing made) throws IOException {
        made.register();
        bufferRings.add(made);
        return made;
    }

    void remove(BufferRing gone) {
        bufferRings.remove(gone);
    }

    boolean busy() {
        return ring.inFlight() > 0;
    }

    /** Asks for everything to be cancelled, and waits until it is, but not for buffers to be let go. */
    void cancelAll(long timeoutNanos) {
        MemorySegment cancel = arena.allocate(Rings.SYNC_CANCEL_SIZE, 8);
        cancel.set(JAVA_INT, Rings.SYNC_CANCEL_FD, -1);
        cancel.set(JAVA_INT, Rings.SYNC_CANCEL_FLAGS, CANCEL_EVERYTHING);
        Rings.timespec(cancel, Rings.SYNC_CANCEL_TIMEOUT, timeoutNanos);
        // Whatever it says: the count of requests decides.
        Rings.register(fd, Rings.IORING_REGISTER_SYNC_CANCEL, cancel.address(), 1);
    }

    void close(boolean quiet) {
        for (BufferRing buffers : List.copyOf(bufferRings)) {
            buffers.free(quiet);
        }
    }
}
