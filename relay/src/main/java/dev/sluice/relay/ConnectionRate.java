package dev.sluice.relay;

import java.util.concurrent.TimeUnit;

/** A token bucket of connections: as many per second as it was made for, and as many at once. Of one thread at a time. */
final class ConnectionRate {
    private static final double NANOS = TimeUnit.SECONDS.toNanos(1);

    private final int perSecond;
    private double tokens;
    private long filled;

    /** A full bucket. */
    ConnectionRate(int perSecond, long now) {
        this.perSecond = perSecond;
        this.tokens = perSecond;
        this.filled = now;
    }

    /** Until one more connection may come; 0 if it may now. */
    long nanosUntilNext(long now) {
        tokens = Math.min(perSecond, tokens + (now - filled) * (perSecond / NANOS));
        filled = now;
        return tokens >= 1 ? 0 : (long) Math.ceil((1 - tokens) * NANOS / perSecond);
    }

    void take() {
        tokens--;
    }
}
