package dev.sluice.relay;

import dev.sluice.JoinResult;
import dev.sluice.JoinResult.Direction;
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
    private static final int EPIPE = 32;
    private static final int ECONNRESET = 104;
    private static final int ETIMEDOUT = 110;

    /**
     * @param from the direction that came from the side
     * @param to the direction that went to it
     * @param cut why the relay ended the connection, or null if it did not
     */
    static Ending of(Direction from, Direction to, End cut) {
        Optional<TransferException> dead = failure(from, Side.SOURCE).or(() -> failure(to, Side.SINK));
        boolean truncated = to.failure().filter(f -> f.side() != Side.SINK).isPresent() || resetUnread(from);
        return new Ending(end(from, dead, cut), dead.isPresent(), truncated);
    }

    private static End end(Direction from, Optional<TransferException> dead, End cut) {
        if (dead.isPresent()) {
            return switch (dead.get().errno()) {
                case ECONNRESET, EPIPE -> End.RST;
                case ETIMEDOUT -> End.TIMEOUT;
                default -> End.ERROR;
            };
        }
        if (from.failure().isEmpty()) {
            return End.FIN;
        }
        return cut != null ? cut : End.RST;
    }

    /**
     * Whether the other side was found reset by a write to it. Then a read from it says that the stream has ended, as the
     * kernel tells of a reset only once, and the end that this side was shown is a false one. Had the other side sent a
     * real FIN before, the write would have failed with EPIPE (tcp_reset in the kernel).
     */
    private static boolean resetUnread(Direction toOther) {
        return failure(toOther, Side.SINK).filter(f -> f.errno() == ECONNRESET).isPresent();
    }

    /** The same of a direction that may still go on: then the end that was read from its sink must not be passed on. */
    static boolean resetUnread(Leg toOther) {
        TransferException failure = toOther.failure();
        return failure != null && failure.side() == Side.SINK && failure.errno() == ECONNRESET;
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
