package dev.sluice.ring;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import dev.sluice.internal.linux.Rings;
import dev.sluice.internal.linux.Sockets;
import dev.sluice.io.Endpoint;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.TimeUnit;

/**
 * A view of one entry of the submission queue. A ring has one such object and moves it on: {@link Ring#next} gives it,
 * one method makes it an operation, others add to that, and the next {@link Ring#next} or {@link Ring#submit} hands it on.
 *
 * <p>Buffers are native memory and belong to the caller, who must neither free them nor touch them until the request's
 * last completion ({@link Completion#more} is false). What is passed by value, time-outs and addresses among it, is copied.
 * An operation moves at most 2 GiB − 4 KiB, and may move less. See io_uring_enter(2) for each.
 */
public final class Submission {
    /** What the kernel moves at most in one call. */
    static final int MAX_LENGTH = 0x7ffff000;

    /** For arguments that are passed by address: a slot of it belongs to each entry and lives as long as that. */
    static final long SCRATCH = Sockets.SOCKADDR_STORAGE;

    private final Ring ring;
    private MemorySegment entries;
    private MemorySegment scratch;
    private long at;
    private long scratchAt;
    private long size;

    Submission(Ring ring) {
        this.ring = ring;
    }

    void over(MemorySegment queue, long entrySize, MemorySegment arguments) {
        entries = queue;
        size = entrySize;
        scratch = arguments;
    }

    Submission at(int index) {
        at = index * size;
        scratchAt = index * SCRATCH;
        clear();
        return this;
    }

    /** Nothing at all, whatever has been made of the entry. Unrolled: it is done for every request. */
    void clear() {
        entries.set(JAVA_LONG, at, 0);
        entries.set(JAVA_LONG, at + 8, 0);
        entries.set(JAVA_LONG, at + 16, 0);
        entries.set(JAVA_LONG, at + 24, 0);
        entries.set(JAVA_LONG, at + 32, 0);
        entries.set(JAVA_LONG, at + 40, 0);
        entries.set(JAVA_LONG, at + 48, 0);
        entries.set(JAVA_LONG, at + 56, 0);
        for (long i = Rings.SQE_SIZE; i < size; i += Long.BYTES) {
            entries.set(JAVA_LONG, at + i, 0);
        }
    }

    /** Takes away what would tie the entry to those around it, which are other people's. */
    void alone() {
        int ties = Rings.IOSQE_IO_LINK | Rings.IOSQE_IO_HARDLINK | Rings.IOSQE_IO_DRAIN;
        long place = at + Rings.SQE_FLAGS;
        entries.set(JAVA_BYTE, place, (byte) (entries.get(JAVA_BYTE, place) & ~ties));
    }

    static long address(MemorySegment buffer) {
        if (!buffer.isNative()) {
            throw new IllegalArgumentException("a ring needs native memory: a heap array can move under the kernel");
        }
        if (!buffer.scope().isAlive()) {
            throw new IllegalStateException("the arena of the buffer is closed");
        }
        return buffer.address();
    }

    private static int length(MemorySegment buffer) {
        return (int) Math.min(MAX_LENGTH, buffer.byteSize());
    }

    /**
     * Any operation there is: the fields of the entry as io_uring_enter(2) names them. {@link #set} reaches the rest.
     *
     * @param offset {@code off}, or {@code addr2}
     * @param address {@code addr}
     * @param flags the field of the operation's own flags
     */
    public Submission raw(int opcode, int fd, long offset, long address, int length, int flags) {
        // Words of the entry: {opcode, flags, ioprio, fd}, off, addr, {len, the operation's flags}.
        entries.set(JAVA_LONG, at + Rings.SQE_OPCODE, opcode & 0xFF | (long) fd << 32);
        entries.set(JAVA_LONG, at + Rings.SQE_OFF, offset);
        entries.set(JAVA_LONG, at + Rings.SQE_ADDR, address);
        entries.set(JAVA_LONG, at + Rings.SQE_LEN, Integer.toUnsignedLong(length) | (long) flags << 32);
        return this;
    }

    private Submission raw(Operation operation, int fd, long offset, long address, int length, int flags) {
        return raw(operation.ordinal(), fd, offset, address, length, flags);
    }

    /** Sets eight bytes of the entry, at a multiple of eight: beyond 64 if the ring is of {@link SetupFlag#SQE128}. */
    public Submission set(int offset, long value) {
        if (offset < 0 || offset > size - Long.BYTES) {
            throw new IndexOutOfBoundsException("offset " + offset + " in an entry of " + size + " bytes");
        }
        entries.set(JAVA_LONG, at + offset, value);
        return this;
    }

    /** What the completion is told apart by. */
    public Submission id(long id) {
        entries.set(JAVA_LONG, at + Rings.SQE_USER_DATA, id);
        return this;
    }

    private Submission flag(int flag) {
        long place = at + Rings.SQE_FLAGS;
        entries.set(JAVA_BYTE, place, (byte) (entries.get(JAVA_BYTE, place) | flag));
        return this;
    }

    private Submission priority(int flag) {
        long place = at + Rings.SQE_IOPRIO;
        entries.set(JAVA_SHORT, place, (short) (entries.get(JAVA_SHORT, place) | flag));
        return this;
    }

    Submission bufferIndex(int index) {
        entries.set(JAVA_SHORT, at + Rings.SQE_BUF_INDEX, (short) index);
        return this;
    }

    private Submission word44(int value) {
        entries.set(JAVA_INT, at + Rings.SQE_SPLICE_FD_IN, value);
        return this;
    }

    /** The descriptor is an index of {@link Ring#registerFiles}. */
    public Submission fixedFile() {
        return flag(Rings.IOSQE_FIXED_FILE);
    }

    /** Starts only when everything submitted before has completed, and what follows waits for it. */
    public Submission drain() {
        return flag(Rings.IOSQE_IO_DRAIN);
    }

    /** The next entry starts when this one has succeeded in full, and is cancelled if it has not. */
    public Submission link() {
        return flag(Rings.IOSQE_IO_LINK);
    }

    /** The next entry starts when this one has completed, however. */
    public Submission hardLink() {
        return flag(Rings.IOSQE_IO_HARDLINK);
    }

    /** Goes to a worker thread of the kernel at once, without being tried first. */
    public Submission async() {
        return flag(Rings.IOSQE_ASYNC);
    }

    /** Takes its buffer from the {@link BufferRing} of this group when there is something to put into it. */
    public Submission select(int group) {
        return flag(Rings.IOSQE_BUFFER_SELECT).bufferIndex(group);
    }

    /** Makes no completion if it succeeds. Not for zero-copy sends, whose notification it would take away, too. */
    public Submission skipSuccess() {
        ring.uncounted();
        return flag(Rings.IOSQE_CQE_SKIP_SUCCESS);
    }

    /** Acts as the credentials that were registered under this number. */
    public Submission personality(int number) {
        entries.set(JAVA_SHORT, at + Rings.SQE_BUF_INDEX + 2, (short) number);
        return this;
    }

    /** The new descriptor goes into the table of registered files instead of the process's: at this index, or −1 any. */
    public Submission intoTable(int index) {
        return word44(index == -1 ? Rings.IORING_FILE_INDEX_ALLOC : index + 1);
    }

    /** For send and receive: waits for readiness before it tries. */
    public Submission pollFirst() {
        return priority(Rings.IORING_RECVSEND_POLL_FIRST);
    }

    /**
     * For send and receive with {@link #select}: as many buffers in one go as there is data or room for; since 6.10. A
     * length is no limit: the kernel goes on with what has come meanwhile.
     */
    public Submission bundle() {
        return priority(Rings.IORING_RECVSEND_BUNDLE);
    }

    /** For {@link #receive} and {@link #receiveMessage} with {@link #select}: completes again and again. */
    public Submission receiveMultishot() {
        return priority(Rings.IORING_RECV_MULTISHOT);
    }

    /** For zero-copy sends: the buffer is in the registered one of this index. */
    public Submission fixedBuffer(int index) {
        return priority(Rings.IORING_RECVSEND_FIXED_BUF).bufferIndex(index);
    }

    /** For zero-copy sends: the notification says whether the bytes were {@linkplain Completion#copied copied}. */
    public Submission reportUsage() {
        return priority(Rings.IORING_SEND_ZC_REPORT_USAGE);
    }

    /** For {@link #send} and {@link #sendZeroCopy} on an unconnected socket: where to. */
    public Submission to(Endpoint address) {
        int length = Sockets.encode(address, scratch.asSlice(scratchAt, SCRATCH));
        entries.set(JAVA_LONG, at + Rings.SQE_OFF, scratch.address() + scratchAt);
        entries.set(JAVA_SHORT, at + Rings.SQE_ADDR_LEN, (short) length);
        return this;
    }

    /** Does nothing. */
    public Submission nop() {
        // All else is zero already.
        entries.set(JAVA_LONG, at + Rings.SQE_OPCODE, Operation.NOP.ordinal());
        return this;
    }

    /** pread(2), or read(2) at the file's own position for an offset of −1. */
    public Submission read(int fd, MemorySegment buffer, long offset) {
        return raw(Operation.READ, fd, offset, address(buffer), length(buffer), 0);
    }

    /** read(2) into a buffer that {@link #select} chooses. */
    public Submission read(int fd, int maximum, long offset) {
        return raw(Operation.READ, fd, offset, 0, maximum, 0);
    }

    /** read(2) again and again into buffers that {@link #select} chooses, of what can be polled; since 6.7. */
    public Submission readMultishot(int fd) {
        return raw(Operation.READ_MULTISHOT, fd, -1, 0, 0, 0);
    }

    /** pwrite(2), or write(2) for an offset of −1. */
    public Submission write(int fd, MemorySegment buffer, long offset) {
        return raw(Operation.WRITE, fd, offset, address(buffer), length(buffer), 0);
    }

    /** preadv2(2) with its flags. */
    public Submission readVectored(int fd, Vectors buffers, long offset, int flags) {
        return raw(Operation.READV, fd, offset, buffers.entries(), buffers.size(), flags);
    }

    /** pwritev2(2) with its flags. */
    public Submission writeVectored(int fd, Vectors buffers, long offset, int flags) {
        return raw(Operation.WRITEV, fd, offset, buffers.entries(), buffers.size(), flags);
    }

    /** Reads into a part of the registered buffer of this index. */
    public Submission readFixed(int fd, MemorySegment part, int index, long offset) {
        return raw(Operation.READ_FIXED, fd, offset, address(part), length(part), 0)
                .bufferIndex(index);
    }

    /** Writes a part of the registered buffer of this index. */
    public Submission writeFixed(int fd, MemorySegment part, int index, long offset) {
        return raw(Operation.WRITE_FIXED, fd, offset, address(part), length(part), 0)
                .bufferIndex(index);
    }

    /** fsync(2). */
    public Submission sync(int fd) {
        return sync(fd, 0, 0);
    }

    /** fsync(2) of a range; a length of 0 means to the end. File systems may do more. */
    public Submission sync(int fd, long offset, int length) {
        return raw(Operation.FSYNC, fd, offset, 0, length, 0);
    }

    /** fdatasync(2) of a range; a length of 0 means to the end. */
    public Submission syncData(int fd, long offset, int length) {
        return raw(Operation.FSYNC, fd, offset, 0, length, Rings.IORING_FSYNC_DATASYNC);
    }

    /** sync_file_range(2) with its flags. */
    public Submission syncRange(int fd, long offset, int length, int flags) {
        return raw(Operation.SYNC_FILE_RANGE, fd, offset, 0, length, flags);
    }

    /** fallocate(2). */
    public Submission allocate(int fd, int mode, long offset, long length) {
        return raw(Operation.FALLOCATE, fd, offset, length, mode, 0);
    }

    /** posix_fadvise(2). */
    public Submission advise(int fd, long offset, int length, int advice) {
        return raw(Operation.FADVISE, fd, offset, 0, length, advice);
    }

    /** madvise(2). */
    public Submission advise(MemorySegment memory, int advice) {
        return raw(Operation.MADVISE, -1, 0, address(memory), length(memory), advice);
    }

    /** ftruncate(2); since 6.9. */
    public Submission truncate(int fd, long size) {
        return raw(Operation.FTRUNCATE, fd, size, 0, 0, 0);
    }

    /** openat(2): the path ends in a zero byte. The result is the descriptor. */
    public Submission open(int directory, MemorySegment path, int flags, int mode) {
        return raw(Operation.OPENAT, directory, 0, address(path), mode, flags);
    }

    /** close(2). */
    public Submission close(int fd) {
        return raw(Operation.CLOSE, fd, 0, 0, 0, 0);
    }

    /** statx(2): the path ends in a zero byte, {@code into} has 256 bytes. */
    public Submission status(int directory, MemorySegment path, int flags, int mask, MemorySegment into) {
        return raw(Operation.STATX, directory, address(into), address(path), mask, flags);
    }

    /** unlinkat(2): the path ends in a zero byte. */
    public Submission unlink(int directory, MemorySegment path, int flags) {
        return raw(Operation.UNLINKAT, directory, 0, address(path), 0, flags);
    }

    /** Waits for poll(2) events; the result is those that came. */
    public Submission poll(int fd, int events) {
        return raw(Operation.POLL_ADD, fd, 0, 0, 0, events);
    }

    /** Completes whenever poll(2) events come. */
    public Submission pollMultishot(int fd, int events) {
        return raw(Operation.POLL_ADD, fd, 0, 0, Rings.IORING_POLL_ADD_MULTI, events);
    }

    /** Ends the poll of this id. */
    public Submission pollRemove(long id) {
        return raw(Operation.POLL_REMOVE, -1, 0, id, 0, 0);
    }

    /** epoll_ctl(2): {@code event} is a {@code struct epoll_event}. */
    public Submission epollControl(int epoll, int operation, int fd, MemorySegment event) {
        return raw(Operation.EPOLL_CTL, epoll, fd, address(event), operation, 0);
    }

    /** socket(2): the result is the descriptor. */
    public Submission socket(int family, int type, int protocol) {
        return raw(Operation.SOCKET, family, type, 0, protocol, 0);
    }

    /** bind(2); since 6.11. */
    public Submission bind(int fd, Endpoint address) {
        return raw(Operation.BIND, fd, 0, scratch.address() + scratchAt, 0, 0).addressLength(address);
    }

    /** listen(2); since 6.11. */
    public Submission listen(int fd, int backlog) {
        return raw(Operation.LISTEN, fd, 0, 0, backlog, 0);
    }

    /** accept4(2) with its flags: the result is the descriptor. */
    public Submission accept(int fd, int flags) {
        return raw(Operation.ACCEPT, fd, 0, 0, 0, flags);
    }

    /** accept4(2) again and again: each result is a descriptor. */
    public Submission acceptMultishot(int fd, int flags) {
        return raw(Operation.ACCEPT, fd, 0, 0, 0, flags).priority(Rings.IORING_ACCEPT_MULTISHOT);
    }

    /** connect(2), to an IP address or a Unix socket. */
    public Submission connect(int fd, Endpoint address) {
        return raw(Operation.CONNECT, fd, 0, scratch.address() + scratchAt, 0, 0)
                .addressLength(address);
    }

    private Submission addressLength(Endpoint address) {
        int length = Sockets.encode(address, scratch.asSlice(scratchAt, SCRATCH));
        entries.set(JAVA_LONG, at + Rings.SQE_OFF, length);
        return this;
    }

    /** send(2); {@code flags} are MSG_… ones, among them MSG_NOSIGNAL always. */
    public Submission send(int fd, MemorySegment buffer, int flags) {
        return raw(Operation.SEND, fd, 0, address(buffer), length(buffer), flags | Sockets.MSG_NOSIGNAL);
    }

    /** send(2) of the buffers of a {@link BufferRing}, chosen by {@link #select}; since 6.10. */
    public Submission send(int fd, int flags) {
        return raw(Operation.SEND, fd, 0, 0, 0, flags | Sockets.MSG_NOSIGNAL);
    }

    /** recv(2). */
    public Submission receive(int fd, MemorySegment buffer, int flags) {
        return raw(Operation.RECV, fd, 0, address(buffer), length(buffer), flags);
    }

    /** recv(2) into a buffer that {@link #select} chooses. */
    public Submission receive(int fd, int flags) {
        return raw(Operation.RECV, fd, 0, 0, 0, flags);
    }

    /** sendmsg(2). */
    public Submission sendMessage(int fd, Vectors message, int flags) {
        return raw(Operation.SENDMSG, fd, 0, message.message(), 1, flags | Sockets.MSG_NOSIGNAL);
    }

    /** recvmsg(2). */
    public Submission receiveMessage(int fd, Vectors message, int flags) {
        return raw(Operation.RECVMSG, fd, 0, message.message(), 1, flags);
    }

    /**
     * send(2) without copying: one completion with the result and, if that said {@link Completion#more}, a second one, the
     * {@linkplain Completion#notification notification}, once the kernel has let go of the buffer. A peer that has the
     * bytes is neither implied by it nor necessary for it. Since 6.0; sockets that can't say EOPNOTSUPP.
     */
    public Submission sendZeroCopy(int fd, MemorySegment buffer, int flags) {
        return raw(Operation.SEND_ZC, fd, 0, address(buffer), length(buffer), flags | Sockets.MSG_NOSIGNAL);
    }

    /** sendmsg(2) without copying, completed like {@link #sendZeroCopy}; since 6.1. */
    public Submission sendMessageZeroCopy(int fd, Vectors message, int flags) {
        return raw(Operation.SENDMSG_ZC, fd, 0, message.message(), 1, flags | Sockets.MSG_NOSIGNAL);
    }

    /** shutdown(2). */
    public Submission shutdown(int fd, int how) {
        return raw(Operation.SHUTDOWN, fd, 0, 0, how, 0);
    }

    /** splice(2), always by a worker thread of the kernel. Offsets are −1 for pipes and for a file's own position. */
    public Submission splice(int from, long fromOffset, int to, long toOffset, int length, int flags) {
        return raw(Operation.SPLICE, to, toOffset, fromOffset, length, flags).word44(from);
    }

    /** The same, from a descriptor of the table of registered files. */
    public Submission spliceFixed(int from, long fromOffset, int to, long toOffset, int length, int flags) {
        return splice(from, fromOffset, to, toOffset, length, flags | Rings.SPLICE_F_FD_IN_FIXED);
    }

    /** tee(2), always by a worker thread of the kernel. */
    public Submission tee(int from, int to, int length, int flags) {
        return raw(Operation.TEE, to, 0, 0, length, flags).word44(from);
    }

    /** Completes with −ETIME after the delay, or with 0 once {@code completions} others have come, if that is not 0. */
    public Submission timeout(long delay, TimeUnit unit, int completions) {
        return timespec(Operation.TIMEOUT, delay, unit, completions, 0);
    }

    /** Completes again and again at this distance, for ever if {@code times} is 0; since 6.4. */
    public Submission timeoutMultishot(long delay, TimeUnit unit, int times) {
        return timespec(Operation.TIMEOUT, delay, unit, times, Rings.IORING_TIMEOUT_MULTISHOT);
    }

    /** Ends the time-out of this id, which completes with −ECANCELED. */
    public Submission timeoutRemove(long id) {
        return raw(Operation.TIMEOUT_REMOVE, -1, 0, id, 0, 0);
    }

    /** Cancels the entry before this one, which has to be {@linkplain #link linked} to it, after the delay. */
    public Submission linkTimeout(long delay, TimeUnit unit) {
        return timespec(Operation.LINK_TIMEOUT, delay, unit, 0, 0);
    }

    private Submission timespec(Operation operation, long delay, TimeUnit unit, int count, int flags) {
        Rings.timespec(scratch, scratchAt, unit.toNanos(delay));
        return raw(operation, -1, count, scratch.address() + scratchAt, 1, flags);
    }

    /**
     * Cancels the request of this id. The result is 0, −ENOENT if there is none, −EALREADY if it can't be stopped. A
     * cancelled request still completes, and only that gives its buffer back.
     */
    public Submission cancel(long id) {
        return raw(Operation.ASYNC_CANCEL, -1, 0, id, 0, 0);
    }

    /** Cancels every request on the descriptor; since 5.19. To be done before it is closed, which cancels nothing. */
    public Submission cancelDescriptor(int fd) {
        return raw(Operation.ASYNC_CANCEL, fd, 0, 0, 0, Rings.IORING_ASYNC_CANCEL_FD | Rings.IORING_ASYNC_CANCEL_ALL);
    }

    /** Cancels every request of the ring; since 5.19. */
    public Submission cancelAll() {
        return raw(Operation.ASYNC_CANCEL, -1, 0, 0, 0, Rings.IORING_ASYNC_CANCEL_ANY | Rings.IORING_ASYNC_CANCEL_ALL);
    }

    /** Makes a completion with this result and id in another ring; since 5.18. */
    public Submission message(int ring, int result, long id) {
        return raw(Operation.MSG_RING, ring, id, 0, result, 0);
    }

    /** Changes the table of registered files: {@code numbers} holds 32-bit ones, −1 for none, from the index on. */
    public Submission updateFiles(MemorySegment numbers, int index) {
        return raw(Operation.FILES_UPDATE, -1, index, address(numbers), length(numbers) / Integer.BYTES, 0);
    }

    /** Makes an ordinary descriptor of the one in the table; since 6.8. */
    public Submission install(int index) {
        return raw(Operation.FIXED_FD_INSTALL, index, 0, 0, 0, 0).fixedFile();
    }
}
