package dev.sluice.relay;

import java.time.Duration;
import java.util.function.Consumer;

/**
 * How much a {@link Service} takes on. Immutable: each method gives limits that differ in one. Zero stands for no limit,
 * except for the queue.
 *
 * @param maxConnections how many connections are served at a time; more wait in the queue
 * @param queueLength how many connections wait at most, for a place in the service or at a target that is full; who comes
 *     when the queue is full is reset. A client that leaves while it waits leaves the queue, if it had sent nothing yet or
 *     resets the connection
 * @param queueTime how long a connection waits before it is reset; positive
 * @param connectionRate how many connections are accepted per second; more wait in the backlog
 * @param clientRate how many connections of one client address are served per second, and at once; more are reset. The
 *     addresses of an IPv6 network of 64 bits count as one
 * @param byteRate how many bytes per second each connection may move in each direction
 * @param serviceByteRate how many bytes per second all connections of the service together may move in each direction
 */
public record Limits(
        int maxConnections,
        int queueLength,
        Duration queueTime,
        int connectionRate,
        int clientRate,
        long byteRate,
        long serviceByteRate) {
    /** None; if one is set that makes connections wait, a thousand wait for ten seconds. */
    public static final Limits NONE = new Limits(0, 1000, Duration.ofSeconds(10), 0, 0, 0, 0);

    public Limits {
        requireNotNegative("maximum of connections", maxConnections);
        requireNotNegative("queue length", queueLength);
        requireNotNegative("connection rate", connectionRate);
        requireNotNegative("client rate", clientRate);
        requireNotNegative("byte rate", byteRate);
        requireNotNegative("service's byte rate", serviceByteRate);
        Timeouts.requirePossible("queue time", queueTime);
        if (!queueTime.isPositive()) {
            throw new IllegalArgumentException("queue time " + queueTime + " is not positive");
        }
    }

    private static void requireNotNegative(String what, long value) {
        if (value < 0) {
            throw new IllegalArgumentException(what + " " + value + " is negative");
        }
    }

    /** With another {@link #maxConnections()}. */
    public Limits maxConnections(int number) {
        return with(draft -> draft.maxConnections = number);
    }

    /** With another {@link #queueLength()} and {@link #queueTime()}. */
    public Limits queue(int length, Duration time) {
        return with(draft -> {
            draft.queueLength = length;
            draft.queueTime = time;
        });
    }

    /** With another {@link #connectionRate()}. */
    public Limits connectionRate(int perSecond) {
        return with(draft -> draft.connectionRate = perSecond);
    }

    /** With another {@link #clientRate()}. */
    public Limits clientRate(int perSecond) {
        return with(draft -> draft.clientRate = perSecond);
    }

    /** With another {@link #byteRate()}. */
    public Limits byteRate(long perSecond) {
        return with(draft -> draft.byteRate = perSecond);
    }

    /** With another {@link #serviceByteRate()}. */
    public Limits serviceByteRate(long perSecond) {
        return with(draft -> draft.serviceByteRate = perSecond);
    }

    private Limits with(Consumer<Draft> change) {
        Draft draft = new Draft();
        change.accept(draft);
        return new Limits(
                draft.maxConnections,
                draft.queueLength,
                draft.queueTime,
                draft.connectionRate,
                draft.clientRate,
                draft.byteRate,
                draft.serviceByteRate);
    }

    /** These limits, open to one change. */
    private final class Draft {
        private int maxConnections = Limits.this.maxConnections;
        private int queueLength = Limits.this.queueLength;
        private Duration queueTime = Limits.this.queueTime;
        private int connectionRate = Limits.this.connectionRate;
        private int clientRate = Limits.this.clientRate;
        private long byteRate = Limits.this.byteRate;
        private long serviceByteRate = Limits.this.serviceByteRate;
    }
}
