package dev.sluice.loop;

/** A token bucket of bytes: as many per second as it was made for, and a tenth of that, at least 16 KiB, at once. */
public final class Rate {
    private static final long LEAST_BURST = 16 * 1024;

    private final double bytesPerNano;
    private final long burst;
    private double tokens;
    private long filled = System.nanoTime();

    /** A full bucket. */
    public Rate(long bytesPerSecond) {
        this.bytesPerNano = bytesPerSecond / 1e9;
        this.burst = Math.max(LEAST_BURST, bytesPerSecond / 10);
        this.tokens = burst;
    }

    /** How many bytes may be taken now. */
    long allowed() {
        long now = System.nanoTime();
        tokens = Math.min(burst, tokens + (now - filled) * bytesPerNano);
        filled = now;
        return (long) tokens;
    }

    void take(long bytes) {
        tokens -= bytes;
    }

    /** When a good part of the bucket is full again: small portions would cost a wake-up each. */
    long nanosUntilWorthwhile() {
        return (long) Math.ceil((burst / 4.0 - tokens) / bytesPerNano);
    }
}
