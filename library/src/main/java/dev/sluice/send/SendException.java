package dev.sluice.send;

import dev.sluice.io.SluiceException;
import java.util.Optional;

/**
 * A send ended when the kernel had taken a part of it: the peer gets a beginning, and what follows on the stream would not be
 * understood. So the sender refuses to send any more, and is to be closed. The cause says why; if nothing at all was taken, the cause itself is thrown.
 */
public final class SendException extends SluiceException {
    private static final long serialVersionUID = 1L;

    private final long accepted;
    private final transient SendReceipt receipt;

    SendException(String message, Exception cause, long accepted, SendReceipt receipt) {
        super(
                message,
                cause instanceof SluiceException known ? known.call() : "",
                cause instanceof SluiceException known ? known.errno() : 0);
        initCause(cause);
        this.accepted = accepted;
        this.receipt = receipt;
    }

    /** How many bytes of header and payload the kernel took. */
    public long accepted() {
        return accepted;
    }

    /**
     * Tells when the kernel lets go of the buffer, which is the caller's no more. Empty if only bytes of the header were taken:
     * then the lease is as it was before.
     */
    public Optional<SendReceipt> receipt() {
        return Optional.ofNullable(receipt);
    }
}
