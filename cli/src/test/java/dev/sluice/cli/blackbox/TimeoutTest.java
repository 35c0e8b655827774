package dev.sluice.cli.blackbox;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sluice.cli.blackbox.Peer.Ending;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Time-outs of sessions: each ends what it is for, and nothing else. Whoever is cut off by one is reset, since what it
 * has got so far must not look like the whole.
 */
@BlackBox
class TimeoutTest {
    private static final long BIG = 50L << 20;

    /** Between two messages, far less than the time-outs of the sessions that are kept alive by them. */
    private static final int BEAT_MILLIS = 50;

    private static final long KEPT_ALIVE_MILLIS = 1000;

    @Test
    void idle() throws Exception {
        RelayProcess.assumeOption("--idle-timeout");
        try (Stage stage = Stage.tcp("--idle-timeout", "300ms");
                Session silent = stage.open();
                Session spoken = stage.open()) {
            spoken.exchange(1000);
            for (Session session : new Session[] {silent, spoken}) {
                assertThat(session.client().drain()).isEqualTo(Ending.RESET);
                assertThat(session.server().drain()).isEqualTo(Ending.RESET);
                assertTimeout(stage.relay().record());
            }
        }
    }

    /** Both peers have stopped reading: no byte moves, though there are plenty. */
    @ParameterizedTest
    @EnumSource
    void idleWithBytesOutstanding(Way way) throws Exception {
        RelayProcess.assumeOption("--idle-timeout");
        try (Stage stage = Stage.tcp("--idle-timeout", "500ms");
                Session session = stage.open()) {
            CompletableFuture<Void> sending = Parallel.start(() -> {
                session.sender(way).send(BIG);
                return null;
            });
            Ended record = stage.relay().record();
            assertTimeout(record);
            assertThat(sending).failsWithin(Duration.ofSeconds(20));
            assertThat(session.receiver(way).drain()).isEqualTo(Ending.RESET);
            assertThat(way.of(record).bytes()).isLessThan(BIG);
            assertThat(session.receiver(way).received()).isLessThan(BIG);
        }
    }

    /** Bytes in one direction are enough. */
    @ParameterizedTest
    @EnumSource
    void idleIsNoneWhoSends(Way way) throws Exception {
        RelayProcess.assumeOption("--idle-timeout");
        try (Stage stage = Stage.tcp("--idle-timeout", "500ms");
                Session session = stage.open()) {
            keepSending(session, way, 500);
            session.finish();
            assertFin(stage.relay().record());
        }
    }

    /** The other direction has ended, and nothing comes in the one that is left. */
    @ParameterizedTest
    @EnumSource
    void halfClosed(Way way) throws Exception {
        RelayProcess.assumeOption("--half-close-timeout");
        try (Stage stage = Stage.tcp("--half-close-timeout", "300ms");
                Session open = stage.open();
                Session session = stage.open()) {
            session.exchange(10);
            open.exchange(10);
            session.receiver(way).send(1000);
            session.receiver(way).fin();
            assertThat(session.sender(way).drain()).isEqualTo(Ending.FIN);
            Ended record = stage.relay().record();
            assertThat(way.of(record).end()).isEqualTo("timeout");
            assertThat(way.opposite().of(record).end()).isEqualTo("fin");
            assertThat(session.receiver(way).drain()).isEqualTo(Ending.RESET);
            // It is not for sessions that are open in both directions.
            Thread.sleep(400);
            open.exchange(10);
        }
    }

    @ParameterizedTest
    @EnumSource
    void halfClosedIsNoneWhoSends(Way way) throws Exception {
        RelayProcess.assumeOption("--half-close-timeout");
        try (Stage stage = Stage.tcp("--half-close-timeout", "500ms");
                Session session = stage.open()) {
            session.receiver(way).send(1000);
            session.receiver(way).fin();
            assertThat(session.sender(way).drain()).isEqualTo(Ending.FIN);
            keepSending(session, way, 500);
            session.sender(way).fin();
            assertThat(session.receiver(way).drain()).isEqualTo(Ending.FIN);
            session.assertComplete();
            assertFin(stage.relay().record());
        }
    }

    /** However busy. */
    @Test
    void lifetime() throws Exception {
        RelayProcess.assumeOption("--max-lifetime");
        try (Stage stage = Stage.tcp("--max-lifetime", "700ms");
                Session idle = stage.open();
                Session busy = stage.open()) {
            CompletableFuture<Void> sending = Parallel.start(() -> {
                while (true) {
                    busy.client().send(1000);
                    Thread.sleep(1);
                }
            });
            assertThat(busy.server().drain()).isEqualTo(Ending.RESET);
            assertThat(sending).failsWithin(Duration.ofSeconds(20));
            assertThat(idle.client().drain()).isEqualTo(Ending.RESET);
            assertTimeout(stage.relay().record());
            assertTimeout(stage.relay().record());
        }
    }

    /** Sends a little all the time, for longer than the time-out. */
    private static void keepSending(Session session, Way way, int timeoutMillis) throws Exception {
        long longest = 0;
        long start = System.nanoTime();
        long last = start;
        while (last - start < KEPT_ALIVE_MILLIS * 1_000_000) {
            session.sender(way).send(10);
            session.receiver(way).receive(10);
            Thread.sleep(BEAT_MILLIS);
            long now = System.nanoTime();
            longest = Math.max(longest, (now - last) / 1_000_000);
            last = now;
        }
        assumeTrue(longest < timeoutMillis / 2, "this machine stood still for " + longest + " ms");
    }

    private static void assertTimeout(Ended record) {
        assertThat(record.fromClient().end()).isEqualTo("timeout");
        assertThat(record.fromTarget().end()).isEqualTo("timeout");
    }

    private static void assertFin(Ended record) {
        assertThat(record.fromClient().end()).isEqualTo("fin");
        assertThat(record.fromTarget().end()).isEqualTo("fin");
    }
}
