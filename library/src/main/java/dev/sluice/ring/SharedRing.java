package dev.sluice.ring;

/** Placeholder. */
public final class SharedRing {
    private SharedRing() {}
}
