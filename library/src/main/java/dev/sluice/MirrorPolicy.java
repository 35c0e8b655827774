package dev.sluice;

import java.time.Duration;
import java.util.Objects;

/**
 * What becomes of a mirror that fails, and of one that is slow. A mirror has two pipes of up to 1 MiB each: so much it may
 * lag behind before it is slow.
 *
 * @param onFailure what a failing mirror does to its pipeline
 * @param onSlow what happens to a mirror that holds up a stream which could go on without it
 * @param patience for how long it may do so first; not asked with {@link SlowMirror#BLOCK}
 */
public record MirrorPolicy(MirrorFailure onFailure, SlowMirror onSlow, Duration patience) {
    /** The mirror must be complete: its failure is the transfer's, and it is waited for. */
    public static final MirrorPolicy COMPLETE = new MirrorPolicy(MirrorFailure.FAIL, SlowMirror.BLOCK, Duration.ZERO);

    public MirrorPolicy {
        Objects.requireNonNull(onFailure, "onFailure");
        Objects.requireNonNull(onSlow, "onSlow");
        if (patience.isNegative()) {
            throw new IllegalArgumentException("patience " + patience + " is negative");
        }
    }

    /** The stream comes first: a mirror that fails, or holds it up for longer than this, is detached. */
    public static MirrorPolicy optional(Duration patience) {
        return new MirrorPolicy(MirrorFailure.DETACH, SlowMirror.DETACH, patience);
    }

    /** The stream comes first: a recording that holds it up for longer than this gets a gap, one that fails is detached. */
    public static MirrorPolicy gaps(Duration patience) {
        return new MirrorPolicy(MirrorFailure.DETACH, SlowMirror.DROP, patience);
    }
}
