package dev.sluice.loop;

/**
 * A token bucket of bytes: as many per second as it was made for, and a tenth of that, at least 16 KiB, at once. Several
 * pumps may share one, whatever their loops, and each may have a bucket of its own, too, that draws on the shared one.
 */
public final class Rate {
    private static final long LEAST_BURST = 16 * 1024;

    private final double bytesPerNano;
    private final long burst;
    private final Rate shared;
    private double tokens;
    private long filled = System.nanoTime();

    /** A full bucket. */
    public Rate(long bytesPerSecond) {
        this(bytesPerSecond, null);
    }

    /** @param shared what is taken here must be in this bucket, too; null for none */
    public Rate(long bytesPerSecond, Rate shared) {
        this.bytesPerNano = bytesPerSecond / 1e9;
        this.burst = Math.max(LEAST_BURST, bytesPerSecond / 10);
        this.tokens = burst;
        this.shared = shared;
    }

    /** How many bytes may be taken now. */
    synchronized long allowed() {
        long now = System.nanoTime();
        tokens = Math.min(burst, tokens + (now - filled) * bytesPerNano);
        filled = now;
        return shared == null ? (long) tokens : (long) Math.min(tokens, shared.allowed());
    }

    synchronized void take(long bytes) {
        tokens -= bytes;
        if (shared != null) {
            shared.take(bytes);
        }
    }

    /** When a good part of the bucket is full again: small portions would cost a wake-up each. */
    synchronized long nanosUntilWorthwhile() {
        long nanos = (long) Math.ceil((burst / 4.0 - tokens) / bytesPerNano);
        return shared == null ? nanos : Math.max(nanos, shared.nanosUntilWorthwhile());
    }
}
