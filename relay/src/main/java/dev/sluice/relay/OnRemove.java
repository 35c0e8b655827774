package dev.sluice.relay;

/** What becomes of the connections of a target that a new configuration does not name any more. */
public enum OnRemove {
    /** They go on to their end. */
    DRAIN,
    /** They are cut off, by a reset. */
    CLOSE
}
