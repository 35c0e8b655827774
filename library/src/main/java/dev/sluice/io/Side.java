package dev.sluice.io;

/** The side of a transfer that something happened on. */
public enum Side {
    SOURCE,
    SINK,
    MIRROR,
    /** Neither: the transfer was cancelled, interrupted or ran into its deadline. */
    NONE
}
