package dev.sluice.relay;

import dev.sluice.JoinResult;
import dev.sluice.JoinResult.Direction;
import dev.sluice.internal.linux.Errno;
import dev.sluice.io.Side;
import dev.sluice.io.TransferException;
import dev.sluice.relay.SessionRecord.End;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * How one side of a joined pair ended, and how to part with it.
 *
 * @param end for the record
 * @param gone whether the side is unreachable, so that nothing is to be waited for
 * @param reset whether the side has to be reset: it was given less than the whole stream, and must not take a FIN for
 *     the end of it
 */
record Ending(End end, boolean gone, boolean reset) {
    /**
     * @param from the direction that came from the side
     * @param to the direction that went to it
     * @param falseEnd whether the end of the stream that went to the side is not one, but the shadow of a reset
     * @param cut why the relay ended the connection, or null if it did not
     */
    static Ending of(Direction from, Direction to, boolean falseEnd, End cut) {
        Optional<TransferException> dead = failure(from, Side.SOURCE).or(() -> failure(to, Side.SINK));
        boolean truncated = to.failure().filter(f -> f.side() != Side.SINK).isPresent() || falseEnd;
        End unlessPeer = cut != null
                ? cut
                : failure(from, Side.MIRROR).or(() -> failure(to, Side.MIRROR)).isPresent() ? End.ERROR : End.RST;
        return new Ending(end(from, dead, unlessPeer), dead.isPresent(), truncated);
    }

    private static End end(Direction from, Optional<TransferException> dead, End otherwise) {
        if (dead.isPresent()) {
            return switch (dead.get().errno()) {
                case Errno.ECONNRESET, Errno.EPIPE -> End.RST;
                case Errno.ETIMEDOUT -> End.TIMEOUT;
                default -> End.ERROR;
            };
        }
        if (from.failure().isEmpty()) {
            return End.FIN;
        }
        return otherwise;
    }

    private static Optional<TransferException> failure(Direction direction, Side side) {
        return direction.failure().filter(f -> f.side() == side);
    }

    /** The first thing that went wrong by itself, in one line, or an empty string. */
    static String error(JoinResult joined) {
        return Stream.of(joined.forward(), joined.backward())
                .flatMap(direction -> direction.failure().stream())
                .filter(f -> f.reason() != TransferException.Reason.CANCELLED)
                .map(TransferException::getMessage)
                .findFirst()
                .orElse("");
    }
}
