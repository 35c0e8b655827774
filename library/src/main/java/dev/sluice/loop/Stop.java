package dev.sluice.loop;

import dev.sluice.internal.linux.Errno;
import dev.sluice.io.Side;
import dev.sluice.io.SluiceException;
import dev.sluice.io.TransferException;
import dev.sluice.io.TransferException.Reason;
import dev.sluice.io.TransferResult;
import java.util.Locale;

/** Why a pump ended, or a mirror was detached, before the end of the stream. */
record Stop(Reason reason, Side side, String name, String call, int errno, Throwable cause) {

    TransferException toException(TransferResult partial, long unacknowledged, byte[] residue) {
        String message = message() + " (" + side.toString().toLowerCase(Locale.ROOT) + ", " + partial.bytes()
                + " bytes were accepted, " + residue.length + " are left over)";
        TransferException exception =
                new TransferException(message, reason, side, name, call, errno, partial, unacknowledged, residue);
        exception.initCause(cause);
        return exception;
    }

    SluiceException toException() {
        SluiceException exception = new SluiceException(message(), call, errno);
        exception.initCause(cause);
        return exception;
    }

    private String message() {
        return switch (reason) {
            case FAILED ->
                cause != null
                        ? name + ": " + call + ": " + cause
                        : name + ": " + call + ": " + Errno.name(errno)
                                + (Errno.remedy(errno).isEmpty() ? "" : "; " + Errno.remedy(errno));
            case CLOSED -> name + ": closed during the transfer";
            case DEADLINE -> "the deadline of the transfer passed";
            case INTERRUPTED -> "the transfer was interrupted";
            case CANCELLED -> "the transfer was cancelled";
        };
    }
}
