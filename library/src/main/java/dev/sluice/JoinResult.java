package dev.sluice;

import dev.sluice.io.TransferException;
import dev.sluice.io.TransferResult;
import java.util.Objects;
import java.util.Optional;

/**
 * What became of both directions of a join.
 *
 * @param forward from the first channel to the second
 * @param backward from the second channel to the first
 */
public record JoinResult(Direction forward, Direction backward) {
    public JoinResult {
        Objects.requireNonNull(forward, "forward");
        Objects.requireNonNull(backward, "backward");
    }

    /**
     * One direction.
     *
     * @param result what was moved
     * @param failure why it ended before the end of its stream, if it did
     */
    public record Direction(TransferResult result, Optional<TransferException> failure) {
        public Direction {
            Objects.requireNonNull(result, "result");
            Objects.requireNonNull(failure, "failure");
        }
    }

    /** Whether both streams came to their end. */
    public boolean complete() {
        return forward.failure().isEmpty() && backward.failure().isEmpty();
    }
}
