package dev.sluice;

import dev.sluice.file.Recording;
import dev.sluice.io.Route;
import dev.sluice.io.TransferException;
import dev.sluice.io.TransferResult;
import dev.sluice.loop.Mirror;
import dev.sluice.loop.Pump;
import dev.sluice.loop.Rate;
import dev.sluice.loop.Sides;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/**
 * A transfer with choices: from a source, past any number of mirrors, to a sink.
 *
 * <pre>{@code
 * Pipeline.from(camera).mirror(recording).to(client);
 * }</pre>
 *
 * <p>Every mirror gets every byte that the sink gets, in order: inside the kernel by tee(2) and splice(2), or from the
 * same buffer when copying. A mirror has two pipes, so that one drains while the other fills; beyond that the slowest sets
 * the pace, unless its {@link MirrorPolicy} is to detach it.
 *
 * <p>The library's own channels (StreamSocket, KernelPipe, KernelFile) take the kernel's route, and so do connected
 * SocketChannels and the ends of a Pipe of the JDK, in whichever mode they are: their descriptor is found and used for the
 * time of the transfer. Hand them over idle in the transfer's direction: one that another thread is reading, as its source,
 * or writing, as its sink, is copied; what other threads read or write meanwhile is taken from, or goes between, the bytes
 * of the transfer. In the other direction a socket may be used as ever. The close of such a channel is noticed within a
 * moment; a selector may select it all the time. Any other channel is copied.
 *
 * <p>In a process with hundreds of open descriptors, or without the module jdk.net, a socket may have to be non-blocking
 * for a moment at the start. Should another thread begin to read or write its other direction in that moment, that call may give 0, or
 * through a stream throw IllegalBlockingModeException.
 *
 * <p>A pipeline is a plain object for one thread, to be used once.
 */
public final class Pipeline {
    private final ReadableByteChannel source;
    private final List<Sides.Mirrored> mirrors = new ArrayList<>();
    private long limit = Long.MAX_VALUE;
    private long timeoutNanos;
    private Route route;
    private ByteBuffer prefix = ByteBuffer.allocate(0);
    private long bytesPerSecond;

    private Pipeline(ReadableByteChannel source) {
        this.source = source;
    }

    /** Begins a pipeline at its source. */
    public static Pipeline from(ReadableByteChannel source) {
        return new Pipeline(Objects.requireNonNull(source, "source"));
    }

    /** Adds a mirror whose failure fails the transfer. */
    public Pipeline mirror(WritableByteChannel mirror) {
        return mirror(mirror, MirrorPolicy.COMPLETE);
    }

    /** Adds a mirror that is waited for, however slow it is. */
    public Pipeline mirror(WritableByteChannel mirror, MirrorFailure onFailure) {
        return mirror(mirror, new MirrorPolicy(onFailure, SlowMirror.BLOCK, Duration.ZERO));
    }

    /**
     * Adds a mirror.
     *
     * @throws IllegalArgumentException if the policy is to leave gaps and the mirror is no {@link Recording}
     */
    public Pipeline mirror(WritableByteChannel mirror, MirrorPolicy policy) {
        if (policy.onSlow() == SlowMirror.DROP && !(mirror instanceof Recording)) {
            throw new IllegalArgumentException(mirror + ": only a Recording can tell where bytes are missing");
        }
        Mirror.Terms terms = new Mirror.Terms(
                policy.onFailure() == MirrorFailure.DETACH,
                Mirror.Slow.valueOf(policy.onSlow().name()),
                policy.patience().toNanos());
        mirrors.add(new Sides.Mirrored(mirror, terms));
        return this;
    }

    /** Ends the transfer after so many bytes; what follows them stays readable from the source. */
    public Pipeline limit(long bytes) {
        if (bytes < 0) {
            throw new IllegalArgumentException("limit " + bytes + " is negative");
        }
        limit = bytes;
        return this;
    }

    /**
     * Ends the transfer with a TransferException when so much time has passed. A read or write of a foreign channel that
     * blocks can't be cut short; the deadline is seen once it returns.
     */
    public Pipeline timeout(Duration timeout) {
        if (timeout.isNegative() || timeout.isZero()) {
            throw new IllegalArgumentException("timeout " + timeout + " is not positive");
        }
        timeoutNanos = timeout.toNanos();
        return this;
    }

    /**
     * Bytes to go ahead of the stream, to the sink and to every mirror: what was read from the source and parsed already.
     * They are copied now; they count as bytes of the result, but not towards the limit.
     */
    public Pipeline prefix(ByteBuffer bytes) {
        prefix = ByteBuffer.allocate(bytes.remaining()).put(bytes.duplicate()).flip();
        return this;
    }

    /** Takes at most so many bytes per second from the source, in small portions. */
    public Pipeline rate(long bytes) {
        if (bytes <= 0) {
            throw new IllegalArgumentException("a rate of " + bytes + " bytes per second is not positive");
        }
        bytesPerSecond = bytes;
        return this;
    }

    /**
     * Asks for a route. Where it is impossible, the best possible one is taken.
     *
     * <p>{@link Route#COPY} is for a file that changes while it is sent: its bytes go out as they were when they were read.
     * By any other route the file's own pages are sent, and what is written to them before the peer has them, be it after
     * the end of the transfer, may go out instead (sendfile(2), NOTES).
     */
    public Pipeline route(Route wanted) {
        route = Objects.requireNonNull(wanted, "wanted");
        return this;
    }

    /**
     * Runs the transfer to the end of the source or to the limit. Nothing is closed or shut down.
     *
     * <p>The calling thread parks once, until the end; with a foreign channel it makes that channel's calls itself. While
     * the transfer runs, the source has no other reader, and the sink and the mirrors no other writer: a second one gets
     * a ReadPendingException or WritePendingException.
     *
     * @return bytes, route and reason, also of each mirror
     * @throws TransferException if a side fails, if one of the channels is closed meanwhile (the cause is an
     *     AsynchronousCloseException), at the deadline, and on an interrupt, which stays set. It accounts for every byte
     *     that was taken from the source; the channels stay open
     * @throws ClosedChannelException if a channel is closed already
     * @throws IOException if no transfer can be started
     */
    public TransferResult to(WritableByteChannel sink) throws IOException {
        return Sides.claim(source, sink, mirrors).transfer(options(), deadline());
    }

    /**
     * Starts the transfer and returns at once; it ends as with {@link #to}. A transfer with a foreign channel is carried by
     * a virtual thread of its own.
     *
     * @throws ClosedChannelException if a channel is closed already
     */
    public Transfer start(WritableByteChannel sink) throws IOException {
        Transfer transfer = prepare(sink);
        transfer.start(deadline());
        return transfer;
    }

    private long deadline() {
        return timeoutNanos == 0 ? Long.MAX_VALUE : System.nanoTime() + timeoutNanos;
    }

    private Pump.Options options() {
        return new Pump.Options(limit, route, prefix, bytesPerSecond == 0 ? null : new Rate(bytesPerSecond));
    }

    /** Claims all sides, or none. */
    Transfer prepare(WritableByteChannel sink) throws ClosedChannelException {
        return new Transfer(Sides.claim(source, sink, mirrors), options());
    }
}
