package dev.sluice;

/** What becomes of a mirror that holds its pipeline up. */
public enum SlowMirror {
    /** It is waited for: the slowest mirror sets the pace. */
    BLOCK,
    /** Once the patience with it is over, the transfer goes on without it; what it got is a beginning of the stream. */
    DETACH,
    /**
     * Once the patience with it is over, the stream passes it by until it has caught up. Only for a
     * {@link dev.sluice.file.Recording}, whose index tells where how many bytes are missing.
     */
    DROP
}
