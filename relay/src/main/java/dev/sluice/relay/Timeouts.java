package dev.sluice.relay;

import java.time.Duration;
import java.util.function.Consumer;

/**
 * The times of a {@link Service}'s connections. Immutable: each method gives times that differ in one.
 *
 * <p>Three times are often taken for one. The <em>idle timeout</em> ends a connection on which nothing moves, though both
 * peers may be well. <em>Keepalive</em> asks a silent peer whether it is still there, tcp(7). The <em>user timeout</em>
 * ends a connection whose peer does not acknowledge what was sent, or has had no room for more for so long.
 *
 * @param connect how long to wait for a target, all its addresses together; positive
 * @param idle after how long without a byte accepted in either direction a connection is ended; zero for never. Seen with a
 *     delay of up to a quarter
 * @param halfClose the same once one direction has ended; zero for the idle timeout
 * @param lifetime how long a connection may last at all; zero for ever
 * @param keepAlive after how much silence a TCP peer is asked for a sign of life, TCP_KEEPIDLE; zero for never
 * @param user how long data may stay unacknowledged, TCP_USER_TIMEOUT; zero for the kernel's own (about 15 minutes)
 */
public record Timeouts(
        Duration connect, Duration idle, Duration halfClose, Duration lifetime, Duration keepAlive, Duration user) {

    private static final Duration LONGEST = Duration.ofDays(36_500);

    /**
     * Ten seconds to connect, an hour idle, a minute half-closed, any lifetime, keepalive after a minute, five minutes
     * unacknowledged.
     */
    public static final Timeouts DEFAULT = new Timeouts(
            Duration.ofSeconds(10),
            Duration.ofHours(1),
            Duration.ofMinutes(1),
            Duration.ZERO,
            Duration.ofMinutes(1),
            Duration.ofMinutes(5));

    public Timeouts {
        if (!connect.isPositive()) {
            throw new IllegalArgumentException("connect timeout " + connect + " is not positive");
        }
        requirePossible("connect timeout", connect);
        requirePossible("idle timeout", idle);
        requirePossible("half-close timeout", halfClose);
        requirePossible("lifetime", lifetime);
        requirePossible("keepalive", keepAlive);
        requirePossible("user timeout", user);
    }

    static void requirePossible(String what, Duration duration) {
        if (duration.isNegative()) {
            throw new IllegalArgumentException(what + " " + duration + " is negative");
        }
        if (duration.compareTo(LONGEST) > 0) {
            throw new IllegalArgumentException(what + " " + duration + " is longer than a hundred years");
        }
    }

    /** With another {@link #connect()}. */
    public Timeouts connect(Duration time) {
        return with(draft -> draft.connect = time);
    }

    /** With another {@link #idle()}. */
    public Timeouts idle(Duration time) {
        return with(draft -> draft.idle = time);
    }

    /** With another {@link #halfClose()}. */
    public Timeouts halfClose(Duration time) {
        return with(draft -> draft.halfClose = time);
    }

    /** With another {@link #lifetime()}. */
    public Timeouts lifetime(Duration time) {
        return with(draft -> draft.lifetime = time);
    }

    /** With another {@link #keepAlive()}. */
    public Timeouts keepAlive(Duration silence) {
        return with(draft -> draft.keepAlive = silence);
    }

    /** With another {@link #user()}. */
    public Timeouts user(Duration time) {
        return with(draft -> draft.user = time);
    }

    private Timeouts with(Consumer<Draft> change) {
        Draft draft = new Draft();
        change.accept(draft);
        return new Timeouts(draft.connect, draft.idle, draft.halfClose, draft.lifetime, draft.keepAlive, draft.user);
    }

    /** These times, open to one change. */
    private final class Draft {
        private Duration connect = Timeouts.this.connect;
        private Duration idle = Timeouts.this.idle;
        private Duration halfClose = Timeouts.this.halfClose;
        private Duration lifetime = Timeouts.this.lifetime;
        private Duration keepAlive = Timeouts.this.keepAlive;
        private Duration user = Timeouts.this.user;
    }
}
