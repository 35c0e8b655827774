package dev.sluice.relay;

import java.util.concurrent.ThreadLocalRandom;

/**
 * How a target stands: taken, left for a while, or on trial. Connections tell what they found, and so do the checks; each
 * may say so from its own thread. Times are in terms of {@link System#nanoTime}.
 */
final class Standing {
    private static final int MAX_DOUBLINGS = 30;

    /** What a connection may do that comes to the target. */
    enum Claim {
        /** Go elsewhere. */
        NONE,
        /** Come, like any other. */
        TAKEN,
        /** Come as the only one: it finds out for the others whether the target is back. */
        TRIAL
    }

    private Health health = Health.DEFAULT;

    /** How often in a row it was left; 0 while it is taken. */
    private int failures;

    private long retryAt;
    private boolean onTrial;

    /** What the checks say, and how many in a row said the opposite. */
    private boolean checkedDown;

    private int contrary;

    synchronized void health(Health other) {
        health = other;
        if (other.checkInterval().isZero()) {
            checkedDown = false;
            contrary = 0;
        }
    }

    /** Whether a connection that has the choice may come here. */
    synchronized boolean available(long now) {
        return !checkedDown && (failures == 0 || !onTrial && now - retryAt >= 0);
    }

    /** A connection comes. If the target was left, it is the one that tries, unless there is one already. */
    synchronized Claim claim(long now) {
        if (!available(now)) {
            return Claim.NONE;
        }
        onTrial = failures > 0;
        return onTrial ? Claim.TRIAL : Claim.TAKEN;
    }

    synchronized void reached() {
        failures = 0;
        onTrial = false;
    }

    /** Who fails while the target is left anyway knows nothing new: the herd that was on its way does not count. */
    synchronized void failed(Claim claim, long now) {
        if (failures == 0 || claim == Claim.TRIAL) {
            long longest = health.longestBackOff().toNanos();
            int doublings = Math.min(failures, MAX_DOUBLINGS);
            long first = Math.max(1, health.backOff().toNanos());
            long pause = first > longest >> doublings ? longest : first << doublings;
            retryAt = now + pause - ThreadLocalRandom.current().nextLong(pause / 4 + 1);
            failures++;
            onTrial = false;
        }
    }

    /** The connection went away before it knew. */
    synchronized void unknown(Claim claim) {
        if (claim == Claim.TRIAL) {
            onTrial = false;
        }
    }

    synchronized void checked(boolean good, long now) {
        if (good == !checkedDown) {
            contrary = 0;
        } else if (++contrary >= (good ? health.rise() : health.fall())) {
            checkedDown = !good;
            contrary = 0;
        }
        if (good && !checkedDown && now - retryAt >= 0) {
            failures = 0;
        }
    }

    /** For the counters. */
    synchronized boolean up() {
        return !checkedDown && failures == 0;
    }
}
