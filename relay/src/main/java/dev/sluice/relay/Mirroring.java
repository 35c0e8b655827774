package dev.sluice.relay;

import dev.sluice.MirrorPolicy;
import dev.sluice.SlowMirror;

/**
 * A copy of the streams of a {@link Service}'s connections, made inside the kernel while they flow: to another target, or
 * to files. Each direction of each connection has a copy of its own.
 *
 * <p>The policy says what a copy may do to its connection. Before the stream begins, a copy that is not there yet is waited
 * for like one that is slow: with {@link SlowMirror#BLOCK}, or if its failure is the connection's, until it has come or
 * failed; else for as long as the patience lasts once the target has been reached. Without it then, the stream goes on, and
 * the record says so: a copy begins with the first byte, or is none.
 */
public sealed interface Mirroring permits MirrorTargets, RecordingPlan {
    /** Which streams. */
    Directions directions();

    /** What becomes of a copy that fails or is slow, and of its connection. */
    MirrorPolicy policy();

    /** Which part of the connections is copied, chosen at random: more than 0, and 1 for all. */
    double sample();

    /** Where the copies go, for counters and messages. */
    String name();
}
