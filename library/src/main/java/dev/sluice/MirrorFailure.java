package dev.sluice;

/** What a failing mirror does to its pipeline. */
public enum MirrorFailure {
    /** The whole transfer fails, naming the mirror. */
    FAIL,
    /** The transfer goes on without the mirror; its result says what happened and how many bytes it got. */
    DETACH
}
