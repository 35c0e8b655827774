package dev.sluice.loop;

import dev.sluice.internal.fd.CopyBuffer;
import dev.sluice.internal.fd.Descriptor;
import dev.sluice.internal.fd.PipePool;
import dev.sluice.internal.fd.RawPipe;
import dev.sluice.internal.fd.Tape;
import dev.sluice.internal.fd.Waiter;
import dev.sluice.internal.linux.Errno;
import dev.sluice.internal.linux.Files;
import dev.sluice.internal.linux.Pipes;
import dev.sluice.internal.linux.Sockets;
import dev.sluice.io.Route;
import dev.sluice.io.SluiceException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.WritableByteChannel;

/**
 * The sink of a pump, or one of its {@linkplain Mirror mirrors}: a descriptor of ours or somebody's channel, and the bytes
 * on their way to it.
 *
 * <p>These wait in up to three places, and leave in this order: what was read out of the pipe because the sink refuses
 * splice; what is in the pipe; and the buffer that all outlets of the pump share while copying.
 */
@SuppressWarnings("exports") // Reaches other modules by qualified export only.
public sealed class Outlet implements Waiter permits Mirror {
    private final Descriptor descriptor;
    private final WritableByteChannel channel;
    private final Tape tape;

    /** Why the sink can't be spliced into, or null as long as it can. */
    private String refusal;

    private RawPipe pipe;
    private int inPipe;

    /** Bytes in the pipe that leave it by read(2), to be shared. */
    private int stranded;

    private CopyBuffer own;
    private int ownPosition;
    private int ownLimit;

    private CopyBuffer shared;
    private int sharedPosition;
    private int sharedLimit;

    private volatile long direct;
    private volatile long spliced;
    private volatile long copied;

    private Watch watch;
    private volatile Pump pump;
    private Boolean nearby;

    private long result;
    private String call = "";
    private IOException failure;

    /** Of a descriptor that the caller has acquired and claims, or of a channel. */
    Outlet(Descriptor descriptor, WritableByteChannel channel, String refusal) {
        this.descriptor = descriptor;
        this.channel = channel;
        this.tape = descriptor == null ? null : descriptor.tape();
        this.refusal = refusal;
    }

    /**
     * Becomes the only writer of the descriptor.
     *
     * @throws ClosedChannelException if it is closed
     */
    public static Outlet of(Descriptor descriptor) throws ClosedChannelException {
        return claimed(new Outlet(acquired(descriptor), null, refusalOf(descriptor)));
    }

    /** Somebody's channel, which can only be written to. */
    public static Outlet of(WritableByteChannel channel, String refusal) {
        return new Outlet(null, channel, refusal);
    }

    static Descriptor acquired(Descriptor descriptor) throws ClosedChannelException {
        if (!descriptor.acquire()) {
            throw new ClosedChannelException();
        }
        return descriptor;
    }

    static <O extends Outlet> O claimed(O outlet) {
        Descriptor descriptor = outlet.descriptor();
        try {
            descriptor.claimWriting(outlet);
            return outlet;
        } catch (IllegalStateException e) {
            descriptor.release();
            throw e;
        }
    }

    /** Why the descriptor can't be spliced into, or null. */
    static String refusalOf(Descriptor descriptor) {
        if (descriptor.kind() == Descriptor.Kind.TERMINAL) {
            return "the sink is a terminal";
        } else if (descriptor.kind() == Descriptor.Kind.FILE && appending(descriptor)) {
            return "the sink is open for appending (O_APPEND), which splice(2) refuses";
        }
        return null;
    }

    /** The descriptor was closed: the pump may be waiting for its other side. */
    @Override
    public void ready() {
        Pump told = pump;
        if (told != null) {
            told.ready();
        }
    }

    private static boolean appending(Descriptor descriptor) {
        int flags = Files.flags(descriptor.fd());
        return flags > 0 && (flags & Files.O_APPEND) != 0;
    }

    /** Whether the sink is a file on ext2, ext3 or ext4, which share their magic number. */
    boolean onExt() {
        return Files.fileSystem(descriptor.fd()) == Files.EXT4_SUPER_MAGIC;
    }

    Descriptor descriptor() {
        return descriptor;
    }

    /** Whether it is a socket that is connected to this machine; asked of the kernel once. */
    boolean nearby() {
        if (nearby == null) {
            nearby = descriptor != null && Sockets.toThisMachine(descriptor.fd());
        }
        return nearby;
    }

    String name() {
        return descriptor != null ? descriptor.name() : channel.toString();
    }

    String refusal() {
        return refusal;
    }

    void refuse(String why) {
        refusal = why;
    }

    boolean foreign() {
        return descriptor == null;
    }

    boolean blocking() {
        return descriptor != null && !descriptor.kind().pollable();
    }

    boolean isOpen() {
        return descriptor != null ? descriptor.isOpen() : channel.isOpen();
    }

    long accepted() {
        return direct + spliced + copied;
    }

    long direct() {
        return direct;
    }

    long spliced() {
        return spliced;
    }

    long copied() {
        return copied;
    }

    /** The way that most bytes went. */
    Route route() {
        return spliced > copied || spliced + copied == 0 && refusal == null ? Route.SPLICE : Route.COPY;
    }

    /** The result of the call that failed, its name, and what a foreign channel threw. */
    long result() {
        return result;
    }

    String call() {
        return call;
    }

    IOException failure() {
        return failure;
    }

    void failed(IOException why, int errno) {
        failure = why;
        result = errno;
    }

    void failed(String what, int errno) {
        call = what;
        result = -errno;
    }

    void attach(Pump owner, EventLoop loop) throws IOException {
        pump = owner;
        if (descriptor != null && descriptor.kind().pollable()) {
            watch = Watch.of(descriptor, loop);
        }
    }

    EventLoop loop() {
        return watch == null ? null : watch.loop();
    }

    boolean pending() {
        return inPipe > 0 || own != null || shared != null;
    }

    /** The outlet's pipe, borrowed if it holds none; null when there is none to be had. */
    RawPipe pipe() {
        if (pipe == null) {
            pipe = PipePool.shared().borrow();
        }
        return pipe;
    }

    /** {@code count} more bytes are in the pipe. */
    void filled(long count) {
        inPipe += (int) count;
    }

    Tape tape() {
        return tape;
    }

    /** Takes another pipe, with {@code count} bytes inside, for the present one, which is empty. */
    RawPipe exchange(RawPipe next, int count) {
        RawPipe empty = pipe;
        pipe = next;
        inPipe = count;
        return empty;
    }

    /** What is in the pipe is to be handed out through memory, by {@link #readStranded}. */
    void strand() {
        stranded = inPipe;
        inPipe = 0;
    }

    int stranded() {
        return stranded;
    }

    int readStranded(CopyBuffer buffer) {
        int count = readPipe(buffer, stranded);
        stranded -= count;
        return count;
    }

    /** The bytes of {@code buffer} from {@code from} to {@code to} are to be written after what is in the pipe. */
    void share(CopyBuffer buffer, int from, int to) {
        if (from < to) {
            shared = buffer.retain();
            sharedPosition = from;
            sharedLimit = to;
        }
    }

    /** Counts bytes that reached the sink by a call which needs no pipe. */
    void accepted(long count) {
        direct += count;
    }

    boolean arm() {
        return watch != null && watch.arm(Watch.WRITE, pump);
    }

    /** Gives back what is only needed while bytes are in flight, if none are. */
    void rest() {
        if (pipe != null && !pending()) {
            PipePool.shared().giveBack(pipe);
            pipe = null;
        }
    }

    /**
     * Delivers until nothing is pending (1), the sink would block (0) or a call fails (−errno, kept as {@link #result}).
     */
    int drain() {
        while (pending()) {
            long count = room();
            if (count > 0) {
                count = deliver((int) count);
            }
            if (Errno.wouldBlock(count)) {
                if (blocked()) {
                    return 0;
                }
            } else if (count < 0) {
                result = count;
                return (int) count;
            }
        }
        return 1;
    }

    /** One call, for at most {@code room} bytes. */
    private long deliver(int room) {
        long count;
        if (own != null) {
            count = write(own, ownPosition, Math.min(ownLimit - ownPosition, room));
            if (count > 0 && (ownPosition += (int) count) == ownLimit) {
                CopyBuffer.giveBack(own);
                own = null;
            }
        } else if (inPipe > 0) {
            count = refusal == null ? splicePipe(Math.min(inPipe, room)) : readPipe();
        } else {
            count = write(shared, sharedPosition, Math.min(sharedLimit - sharedPosition, room));
            if (count > 0 && (sharedPosition += (int) count) == sharedLimit) {
                CopyBuffer.giveBack(shared);
                shared = null;
            }
        }
        return count;
    }

    /** How many bytes the next call may write, or −errno. */
    private long room() {
        if (tape == null) {
            return Integer.MAX_VALUE;
        }
        try {
            return tape.room();
        } catch (IOException e) {
            failure = e;
            call = "open";
            return -(e instanceof SluiceException known && known.errno() > 0 ? known.errno() : Errno.EIO);
        }
    }

    /** After EAGAIN: true if the pump is going to be told. */
    private boolean blocked() {
        if (watch != null && watch.arm(Watch.WRITE, pump)) {
            return true;
        }
        if (watch != null && isOpen()) {
            return false;
        }
        if (channel != null) {
            Foreign.awaitWritable(channel);
        }
        pump.ready();
        return true;
    }

    /** Never more than is inside: asking for it corks the socket when 16 buffers went at once (S4). */
    private long splicePipe(int length) {
        clear();
        descriptor.stayNonBlocking();
        long count = Pipes.splice(pipe.readEnd(), descriptor.fd(), length);
        if (count > 0) {
            inPipe -= (int) count;
            spliced += count;
            wrote(count);
        } else if (count == 0 || refused(count)) {
            // The bytes are safe in the pipe; they leave it by read(2), in order (S8, S9).
            refusal = "the sink refuses splice(2)" + (count < 0 ? ": " + Errno.name((int) -count) : "");
            pump.refused(this, "splice", count, refusal);
            return 0;
        }
        call = "splice";
        return count;
    }

    private long readPipe() {
        own = CopyBuffer.borrowBriefly();
        ownPosition = 0;
        ownLimit = 0;
        ownLimit = readPipe(own, inPipe);
        inPipe -= ownLimit;
        return ownLimit;
    }

    /** The pipe is ours alone and holds the bytes: reading it can neither wait nor end. */
    private int readPipe(CopyBuffer buffer, int inside) {
        long count = Files.read(pipe.readEnd(), buffer.address(), Math.min(CopyBuffer.SIZE, inside));
        if (count <= 0) {
            throw new IllegalStateException("a pipe with " + inside + " bytes inside gave " + count);
        }
        return (int) count;
    }

    private void wrote(long count) {
        if (tape != null) {
            tape.wrote(count);
        }
    }

    private long write(CopyBuffer buffer, int from, int length) {
        clear();
        long count;
        if (descriptor == null) {
            count = writeChannel(buffer, from, length);
        } else if (descriptor.kind() == Descriptor.Kind.SOCKET) {
            call = "send";
            count = Sockets.send(descriptor.fd(), buffer.address() + from, length);
        } else {
            call = "write";
            descriptor.stayNonBlocking();
            count = Files.write(descriptor.fd(), buffer.address() + from, length);
        }
        if (count > 0) {
            copied += count;
            wrote(count);
        }
        return count;
    }

    private long writeChannel(CopyBuffer buffer, int from, int length) {
        call = "write";
        try {
            int count = channel.write(buffer.view().clear().limit(from + length).position(from));
            return count <= 0 ? -Errno.EAGAIN : count;
        } catch (IOException e) {
            failure = e;
            return -Errno.EIO;
        }
    }

    private void clear() {
        if (watch != null) {
            watch.clear(Watch.WRITE);
        }
    }

    /** Whether a call was refused for what the descriptors are, so that copying may well succeed. */
    static boolean refused(long result) {
        return switch ((int) -result) {
            case Errno.EINVAL, Errno.ENOSYS, Errno.EOPNOTSUPP, Errno.EPERM, Errno.ENOMEM, Errno.EXDEV -> true;
            default -> false;
        };
    }

    /** Everything that is pending, in order, and what was to follow; nothing is pending afterwards, and the pipe is gone. */
    byte[] takePending(ByteBuffer following) {
        int inOwn = own == null ? 0 : ownLimit - ownPosition;
        int inShared = shared == null ? 0 : sharedLimit - sharedPosition;
        int known = inOwn + inPipe + inShared + stranded;
        byte[] bytes = new byte[known + following.remaining()];
        if (inOwn > 0) {
            own.view().clear().get(ownPosition, bytes, 0, inOwn);
        }
        readPipeInto(bytes, inOwn, inPipe);
        if (inShared > 0) {
            shared.view().clear().get(sharedPosition, bytes, inOwn + inPipe, inShared);
        }
        readPipeInto(bytes, inOwn + inPipe + inShared, stranded);
        following.get(bytes, known, following.remaining());
        drop();
        return bytes;
    }

    private void readPipeInto(byte[] bytes, int from, int length) {
        CopyBuffer scratch = CopyBuffer.borrowBriefly();
        for (int done = 0; done < length; ) {
            int count = readPipe(scratch, length - done);
            scratch.view().clear().get(0, bytes, from + done, count);
            done += count;
        }
        CopyBuffer.giveBack(scratch);
    }

    /** Forgets everything that is pending. */
    void drop() {
        if (pipe != null) {
            // After a failure no pipe is lent again, even if it seems empty (S10).
            PipePool.shared().discard(pipe);
            pipe = null;
        }
        if (own != null) {
            CopyBuffer.giveBack(own);
            own = null;
        }
        if (shared != null) {
            CopyBuffer.giveBack(shared);
            shared = null;
        }
        inPipe = 0;
        stranded = 0;
    }

    /** Gives the descriptor back. */
    public void leave() {
        if (descriptor != null) {
            if (watch != null) {
                watch.disarm(Watch.WRITE, pump);
            }
            descriptor.unclaimWriting();
            descriptor.release();
        }
    }
}
