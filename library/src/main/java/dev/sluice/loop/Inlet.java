package dev.sluice.loop;

import dev.sluice.internal.fd.CopyBuffer;
import dev.sluice.internal.fd.Descriptor;
import dev.sluice.internal.fd.Waiter;
import dev.sluice.internal.linux.Errno;
import dev.sluice.internal.linux.Files;
import dev.sluice.internal.linux.Pipes;
import dev.sluice.internal.linux.Sockets;
import java.io.IOException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ReadableByteChannel;
import java.util.concurrent.locks.LockSupport;

/** The source of a pump: a descriptor of ours, or somebody's channel. Results are byte counts, 0 for the end, −errno. */
@SuppressWarnings("exports") // Reaches other modules by qualified export only.
public final class Inlet implements Waiter {
    private final Descriptor descriptor;
    private final ReadableByteChannel channel;

    /** Why the source can't be spliced from, or null as long as it can. */
    private String refusal;

    /** The size that a file promised at the start, counted from its position; −1 for a stream. */
    private final long promised;

    private volatile Pump pump;
    private Watch watch;
    private int tidingsAtRead;
    private boolean lastWasRead;
    private IOException failure;

    private Inlet(Descriptor descriptor, ReadableByteChannel channel, String refusal) {
        this.descriptor = descriptor;
        this.channel = channel;
        this.refusal = refusal;
        this.promised = descriptor != null && descriptor.kind() == Descriptor.Kind.FILE ? remaining() : -1;
    }

    /**
     * Becomes the only reader of the descriptor.
     *
     * @throws ClosedChannelException if it is closed
     */
    public static Inlet of(Descriptor descriptor) throws ClosedChannelException {
        if (!descriptor.acquire()) {
            throw new ClosedChannelException();
        }
        boolean terminal = descriptor.kind() == Descriptor.Kind.TERMINAL;
        Inlet inlet = new Inlet(descriptor, null, terminal ? "the source is a terminal" : null);
        try {
            descriptor.claimReading(inlet);
        } catch (IllegalStateException e) {
            descriptor.release();
            throw e;
        }
        return inlet;
    }

    /** The descriptor was closed: the pump may be waiting for its other side. */
    @Override
    public void ready() {
        Pump told = pump;
        if (told != null) {
            told.ready();
        }
    }

    /** Somebody's channel, which can only be read. */
    public static Inlet of(ReadableByteChannel channel, String refusal) {
        return new Inlet(null, channel, refusal);
    }

    Descriptor descriptor() {
        return descriptor;
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

    /** Whether a step may block on a disk. */
    boolean blocking() {
        return descriptor != null && !descriptor.kind().pollable();
    }

    boolean isOpen() {
        return descriptor != null ? descriptor.isOpen() : channel.isOpen();
    }

    /** What a foreign channel threw, after a result of −EIO. */
    IOException failure() {
        return failure;
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

    boolean arm() {
        return watch.arm(Watch.READ, pump);
    }

    /**
     * After a read that gave less than was asked for: whether nothing has come since, so that the read which would say so
     * can be saved, epoll(7). Whatever comes makes an edge, which may have been told to a pump that could not read then. Of
     * a Unix socket a read may also end at passed descriptors, with more behind them.
     */
    boolean stillEmpty() {
        return watch != null && !watch.special() && watch.tidings() == tidingsAtRead && descriptor.tcp();
    }

    long splice(int pipe, long length) {
        if (watch != null) {
            watch.clear(Watch.READ);
        }
        lastWasRead = false;
        descriptor.stayNonBlocking();
        return Pipes.splice(descriptor.fd(), pipe, length);
    }

    long read(CopyBuffer buffer, int length) {
        if (descriptor == null) {
            return readChannel(buffer, length);
        }
        if (watch != null) {
            tidingsAtRead = watch.tidings();
            watch.clear(Watch.READ);
        }
        lastWasRead = true;
        if (descriptor.kind() == Descriptor.Kind.SOCKET) {
            return Sockets.receive(descriptor.fd(), buffer.address(), length);
        }
        descriptor.stayNonBlocking();
        return Files.read(descriptor.fd(), buffer.address(), length);
    }

    private long readChannel(CopyBuffer buffer, int length) {
        try {
            int count = channel.read(buffer.view().clear().limit(length));
            // Only -1 is the end: interrupted by a signal, a non-blocking channel of the JDK says -3.
            return count == -1 ? 0 : count <= 0 ? -Errno.EAGAIN : count;
        } catch (IOException e) {
            failure = e;
            return -Errno.EIO;
        }
    }

    /** What no loop watches had nothing, a foreign channel or a device: waits a moment for more. */
    void pause() {
        if (channel != null) {
            Foreign.awaitReadable(channel);
        } else {
            LockSupport.parkNanos(1_000_000);
        }
    }

    /**
     * After a result of 0: whether it really is the end. A socket is asked again, by another call (S8); of a file that
     * claims to go on only read(2) is believed.
     */
    boolean atEnd(CopyBuffer scratch) {
        if (descriptor == null) {
            return true;
        }
        return switch (descriptor.kind()) {
            case SOCKET -> Sockets.peek(descriptor.fd(), scratch.address(), 1) == 0;
            case FILE -> lastWasRead || remaining() <= 0;
            default -> true;
        };
    }

    /**
     * How many bytes short of its promise a file ended, after {@code taken} bytes; it shrank while being read. One that
     * still claims to go on never held them: the files of sysfs all claim a page.
     */
    long missing(long taken) {
        return promised <= taken || remaining() > 0 ? 0 : promised - taken;
    }

    private long remaining() {
        Files.Status status = Files.status(descriptor.fd());
        long position = Files.seek(descriptor.fd(), 0, Files.SEEK_CUR);
        return status == null || position < 0 ? -1 : Math.max(0, status.size() - position);
    }

    /** Whether splice may say that there is nothing because of urgent data, tcp(7), which only a read gets past. */
    boolean urgent() {
        return watch != null && watch.urgent();
    }

    /** Whether the end of the stream was announced by itself, rather than together with a reset as TCP knows it. */
    boolean endAnnounced() {
        return watch == null || watch.ended() || !descriptor.tcp();
    }

    /** Gives the descriptor back. */
    public void leave() {
        if (descriptor != null) {
            if (watch != null) {
                watch.disarm(Watch.READ, pump);
            }
            descriptor.unclaimReading();
            descriptor.release();
        }
    }
}
