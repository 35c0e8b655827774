package dev.sluice.relay;

import java.time.Duration;

/**
 * When a target is left, and when it is tried again. Immutable: each method gives a choice that differs in one.
 *
 * <p>A target that can't be reached is left for a while, which doubles each time. Then one connection tries it; while that
 * one has no answer, no other does. If all targets of a group are left, connections try them all the same.
 *
 * <p>With a check interval, the relay connects to the target from time to time by itself, and hangs up. A check that has no
 * answer when the next one is due has failed.
 *
 * @param backOff how long a target is left for the first time; each time is a random part of up to a quarter shorter, so
 *     that several relays do not come back at once
 * @param longestBackOff no longer than this
 * @param checkInterval how often to check; zero for never
 * @param rise after so many good checks in a row, the target is taken again
 * @param fall after so many bad ones, it is left
 */
public record Health(Duration backOff, Duration longestBackOff, Duration checkInterval, int rise, int fall) {
    /** A second, up to a minute, and no checks; if there are, two good ones or three bad ones count. */
    public static final Health DEFAULT = new Health(Duration.ofSeconds(1), Duration.ofMinutes(1), Duration.ZERO, 2, 3);

    private static final Duration SHORTEST_CHECK = Duration.ofMillis(10);

    public Health {
        Timeouts.requirePossible("back-off", backOff);
        Timeouts.requirePossible("longest back-off", longestBackOff);
        Timeouts.requirePossible("check interval", checkInterval);
        if (longestBackOff.compareTo(backOff) < 0) {
            throw new IllegalArgumentException(
                    "longest back-off " + longestBackOff + " is shorter than the back-off " + backOff);
        }
        if (checkInterval.isPositive() && checkInterval.compareTo(SHORTEST_CHECK) < 0) {
            throw new IllegalArgumentException("check interval " + checkInterval + " is shorter than 10 ms");
        }
        if (rise < 1 || fall < 1) {
            throw new IllegalArgumentException("rise " + rise + " and fall " + fall + " have to be at least 1");
        }
    }

    /** With another {@link #backOff()}, and another longest one. */
    public Health backOff(Duration first, Duration longest) {
        return new Health(first, longest, checkInterval, rise, fall);
    }

    /** With checks: {@link #checkInterval()}, {@link #rise()}, {@link #fall()}. */
    public Health check(Duration interval, int good, int bad) {
        return new Health(backOff, longestBackOff, interval, good, bad);
    }
}
