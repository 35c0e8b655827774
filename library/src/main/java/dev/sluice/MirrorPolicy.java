package dev.sluice;

import java.time.Duration;
import java.util.Objects;

/**
 * What becomes of a mirror that fails, and of one that is slow.
 *
 * @param onFailure what a failing mirror does to its pipeline
 * @param patience for how long the mirror may hold up a stream that could go on without it; then it is detached. Zero: as
 *     long as it takes, the mirror sets the pace
 */
public record MirrorPolicy(MirrorFailure onFailure, Duration patience) {
    /** The mirror must be complete: its failure is the transfer's, and it is waited for. */
    public static final MirrorPolicy COMPLETE = new MirrorPolicy(MirrorFailure.FAIL, Duration.ZERO);

    public MirrorPolicy {
        Objects.requireNonNull(onFailure, "onFailure");
        if (patience.isNegative()) {
            throw new IllegalArgumentException("patience " + patience + " is negative");
        }
    }

    /** The stream comes first: a mirror that fails, or holds it up for longer than this, is detached. */
    public static MirrorPolicy optional(Duration patience) {
        return new MirrorPolicy(MirrorFailure.DETACH, patience);
    }
}
