package dev.sluice.relay;

import dev.sluice.JoinResult;
import dev.sluice.internal.linux.Errno;
import dev.sluice.io.Endpoint;
import dev.sluice.io.MirrorResult;
import dev.sluice.io.SluiceException;
import dev.sluice.loop.EventLoop;
import dev.sluice.loop.Mirror;
import dev.sluice.relay.Tap.State;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/** All copies of one connection. On its loop. */
final class Taps {
    /** A connection that has none. */
    static final Taps NONE = new Taps(null);

    /** How long a copy may take to part once its connection has: a target to end its side, a disk to take an index. */
    private static final long PARTING_NANOS = TimeUnit.SECONDS.toNanos(2);

    private static final DateTimeFormatter TIME =
            DateTimeFormatter.ofPattern("uuuuMMdd'T'HHmmss.SSS'Z'").withZone(ZoneOffset.UTC);

    private static final int RADIX = 36;

    private final EventLoop loop;
    private final List<Tap> all = new ArrayList<>();
    private final List<EventLoop.Timer> timers = new ArrayList<>();

    /** What to go on with, once every copy is there or has failed; once nothing of them is left. */
    private Consumer<SluiceException> onSettled;

    private Runnable onGone;

    private Taps(EventLoop loop) {
        this.loop = loop;
    }

    /**
     * Chooses the copies of a new connection, and begins to connect those that go to targets.
     *
     * @param placeFree run when a target may have room for somebody who waits
     */
    static Taps begin(Serving serving, EventLoop loop, Endpoint client, Runnable placeFree) {
        List<MirrorPoint> points =
                serving.mirrors().stream().filter(MirrorPoint::sampled).toList();
        if (points.isEmpty()) {
            return NONE;
        }
        Taps taps = new Taps(loop);
        String session = Long.toUnsignedString(ThreadLocalRandom.current().nextLong(), RADIX);
        Instant start = Instant.now();
        for (MirrorPoint point : points) {
            for (Directions one : List.of(Directions.TO_TARGET, Directions.TO_CLIENT)) {
                if (point.mirroring().directions().have(one)) {
                    taps.all.add(
                            switch (point.mirroring()) {
                                case MirrorTargets _ ->
                                    new ConnectionTap(
                                            point, one, loop, taps::changed, client, serving.timeouts(), placeFree);
                                case RecordingPlan plan ->
                                    new RecordingTap(
                                            point,
                                            one,
                                            loop,
                                            taps::changed,
                                            plan.name(words(session, one, start, serving, client)));
                            });
                }
            }
        }
        taps.begin(ConnectionTap.class);
        return taps;
    }

    private static Map<String, String> words(
            String session, Directions direction, Instant start, Serving serving, Endpoint client) {
        return Map.of(
                "session", session,
                "direction", direction.word(),
                "service", serving.service().name(),
                "start", TIME.format(start),
                "client", client.toString());
    }

    private void begin(Class<? extends Tap> kind) {
        for (Tap tap : all) {
            if (kind.isInstance(tap)) {
                tap.begin();
            }
        }
    }

    /**
     * The target has been reached: goes on as soon as all copies are there, or are not waited for any longer.
     *
     * @param then is given null, or why the connection must not go on
     */
    void settle(Consumer<SluiceException> then) {
        if (this == NONE) {
            then.accept(null);
            return;
        }
        // Not before, or connections that come to nothing would leave empty files behind.
        begin(RecordingTap.class);
        for (Tap tap : all) {
            if (tap.state() == State.OPENING) {
                Duration patience = tap.point.patience();
                timers.add(loop.schedule(patience.toNanos(), () -> tap.tooSlow(late(tap, patience))));
            }
        }
        onSettled = then;
        changed();
    }

    private static SluiceException late(Tap tap, Duration patience) {
        return new SluiceException(tap.point.mirroring().name() + ": not there after " + patience, "", Errno.ETIMEDOUT);
    }

    private void changed() {
        if (onSettled != null && all.stream().noneMatch(tap -> tap.state() == State.OPENING)) {
            Consumer<SluiceException> then = onSettled;
            onSettled = null;
            stopTimers();
            then.accept(all.stream()
                    .filter(tap -> tap.point.mustBe())
                    .map(Tap::failure)
                    .filter(Objects::nonNull)
                    .findFirst()
                    .orElse(null));
        }
        if (onGone != null && all.stream().allMatch(tap -> tap.state() == State.GONE)) {
            Runnable then = onGone;
            onGone = null;
            stopTimers();
            then.run();
        }
    }

    private void stopTimers() {
        timers.forEach(EventLoop.Timer::cancel);
        timers.clear();
    }

    /** Whether there are some, and the connection is complete without any. */
    boolean optional() {
        return !all.isEmpty() && all.stream().noneMatch(tap -> tap.point.mustBe());
    }

    /** Those that are there, as mirrors of a pump. */
    List<Mirror> join(Directions direction) {
        return all.isEmpty()
                ? List.of()
                : all.stream()
                        .filter(tap -> tap.direction == direction)
                        .map(Tap::join)
                        .filter(Objects::nonNull)
                        .toList();
    }

    /** A direction has ended. */
    void ended(Directions direction, JoinResult.Direction what, boolean whole) {
        int i = 0;
        for (Tap tap : all) {
            if (tap.direction == direction && tap.flowed()) {
                tap.ended(what.result().mirrors().get(i++), whole);
            }
        }
    }

    /** The end of a direction turned out to be none. */
    void deny(Directions direction) {
        all.stream().filter(tap -> tap.direction == direction).forEach(Tap::abandon);
    }

    /** The connection comes to nothing. */
    void abandon() {
        onSettled = null;
        stopTimers();
        all.forEach(Tap::abandon);
    }

    /**
     * Both directions have ended, and the connection is closed.
     *
     * @param then run when nothing is left of the copies, or they have taken too long
     */
    void part(Runnable then) {
        if (all.isEmpty()) {
            then.run();
            return;
        }
        onGone = then;
        timers.add(loop.schedule(PARTING_NANOS, this::hurry));
        all.forEach(Tap::part);
        changed();
    }

    /** Does not wait any longer. */
    void hurry() {
        all.forEach(Tap::hurry);
    }

    /** What became of the copies of a direction. */
    List<MirrorResult> results(Directions direction) {
        return all.stream()
                .filter(tap -> tap.direction == direction)
                .map(Tap::result)
                .toList();
    }

    /** Adds them up, at the end. */
    void count() {
        for (Tap tap : all) {
            if (tap.flowed()) {
                tap.point.ended(tap.result());
            }
        }
    }
}
