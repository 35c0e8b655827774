package dev.sluice.io;

import java.nio.ByteBuffer;
import java.util.Objects;

/**
 * A transfer ended before its end. Nothing is lost: every byte taken from the source was either {@link #accepted()} by
 * the sink or is in the {@link #residue()}, in order. Writing the residue to a sink and transferring on from the source
 * resumes the stream.
 */
public final class TransferException extends SluiceException {
    private static final long serialVersionUID = 1L;

    /** Why the transfer ended. */
    public enum Reason {
        /** A system call on one side failed. */
        FAILED,
        /** Somebody closed one of the channels; the cause is an AsynchronousCloseException. */
        CLOSED,
        /** The deadline passed. */
        DEADLINE,
        /** The waiting thread was interrupted; its interrupt status is set. */
        INTERRUPTED,
        /** The transfer was cancelled. */
        CANCELLED
    }

    private final Reason reason;
    private final Side side;
    private final String name;
    private final transient TransferResult partial;
    private final long unacknowledged;
    private final transient byte[] residue;

    /** Made by the library; see the accessors for the meaning of the parameters. */
    public TransferException(
            String message,
            Reason reason,
            Side side,
            String name,
            String call,
            int errno,
            TransferResult partial,
            long unacknowledged,
            byte[] residue) {
        super(message, call, errno);
        this.reason = Objects.requireNonNull(reason, "reason");
        this.side = Objects.requireNonNull(side, "side");
        this.name = Objects.requireNonNull(name, "name");
        this.partial = Objects.requireNonNull(partial, "partial");
        this.unacknowledged = unacknowledged;
        this.residue = residue;
    }

    /** Why the transfer ended. */
    public Reason reason() {
        return reason;
    }

    /** The side that failed or was closed. */
    public Side side() {
        return side;
    }

    /** The address or path of that side; empty for {@link Side#NONE}. */
    public String name() {
        return name;
    }

    /** What the transfer had done until then, mirrors included. */
    public TransferResult partial() {
        return partial;
    }

    /** How many bytes the sink accepted. */
    public long accepted() {
        return partial.bytes();
    }

    /**
     * How many of the accepted bytes the peer's TCP had not acknowledged when the transfer ended (SIOCOUTQ, tcp(7)):
     * they may never arrive. −1 when the sink is not a TCP socket and nobody can tell.
     */
    public long unacknowledged() {
        return unacknowledged;
    }

    /** What was taken from the source but not accepted by the sink, in order. Each call gives a buffer of its own. */
    public ByteBuffer residue() {
        return ByteBuffer.wrap(residue).asReadOnlyBuffer();
    }
}
