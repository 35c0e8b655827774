package dev.sluice.relay;

/** How a {@link TargetGroup} shares connections out among its targets. Weights count for each way. */
public enum Balance {
    /** They take turns. */
    ROUND_ROBIN,
    /** The one with the fewest connections, of those there are now. */
    LEAST_CONNECTIONS,
    /** The better one of two that were picked at random: nearly as even, and no herd runs after the one that is best. */
    TWO_CHOICES,
    /**
     * Always the same for the same client address (its port does not count), by a Maglev table: relays with the same
     * targets choose alike, and when a target leaves, few clients but its own go elsewhere.
     */
    SOURCE_HASH
}
