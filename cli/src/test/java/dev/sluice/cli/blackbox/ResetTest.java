package dev.sluice.cli.blackbox;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.cli.blackbox.Peer.Ending;
import java.io.IOException;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** S36: a reset is passed on behind the bytes that came before it, and an end that came before it stays the end. */
@BlackBox
class ResetTest {
    /** More than a socket buffer holds, so that some of it is on its way when the reset comes. */
    private static final long BYTES = 3 << 20;

    private static final int ROUNDS = 50;

    private static Stage stage;

    @BeforeAll
    static void start() throws Exception {
        stage = Stage.tcp();
    }

    @AfterAll
    static void stop() throws Exception {
        stage.close();
    }

    @ParameterizedTest
    @EnumSource
    void followsTheBytes(Way way) throws Exception {
        try (Session session = stage.open()) {
            Peer sender = session.sender(way);
            sender.send(BYTES);
            sender.awaitAcknowledged();
            sender.reset();
            Thread.sleep(200);
            assertThat(session.receiver(way).drain(64 * 1024, 1)).isEqualTo(Ending.RESET);
            assertThat(session.receiver(way).received()).isEqualTo(BYTES);
        }
        assertThat(way.of(stage.relay().record()))
                .returns(BYTES, Ended.Direction::bytes)
                .returns("rst", Ended.Direction::end);
    }

    @ParameterizedTest
    @EnumSource
    void reachesAnIdlePeer(Way way) throws Exception {
        try (Session session = stage.open()) {
            session.exchange(10);
            session.sender(way).reset();
            assertThat(session.receiver(way).drain()).isEqualTo(Ending.RESET);
        }
        assertThat(way.of(stage.relay().record()).end()).isEqualTo("rst");
    }

    /** By a write, of which the kernel tells nobody else. */
    @ParameterizedTest
    @EnumSource
    void reachesAPeerThatSends(Way way) throws Exception {
        try (Session session = stage.open()) {
            session.exchange(10);
            Parallel.run(() -> sendUntilFailure(session.receiver(way)), () -> {
                session.sender(way).receive(BYTES);
                session.sender(way).reset();
            });
            assertThat(session.receiver(way).drain()).isEqualTo(Ending.RESET);
        }
        assertThat(way.of(stage.relay().record()).end()).isEqualTo("rst");
    }

    private static void sendUntilFailure(Peer peer) {
        try {
            while (true) {
                peer.send(BYTES);
            }
        } catch (IOException e) {
            // As wanted.
        }
    }

    /** What was complete stays complete: nobody who has got all of a stream learns of a reset behind it. */
    @ParameterizedTest
    @EnumSource
    void behindAnEndChangesNothing(Way way) throws Exception {
        try (Session session = stage.open()) {
            Peer sender = session.sender(way);
            sender.send(BYTES);
            sender.fin();
            sender.awaitAcknowledged();
            sender.reset();
            Thread.sleep(200);
            assertThat(session.receiver(way).drain(64 * 1024, 1)).isEqualTo(Ending.FIN);
            assertThat(session.receiver(way).received()).isEqualTo(BYTES);
        }
        assertThat(way.of(stage.relay().record()).bytes()).isEqualTo(BYTES);
    }

    /** A peer that ended its stream gets the rest of the other one, and the reset that ends it. */
    @ParameterizedTest
    @EnumSource
    void ofTheDirectionThatIsLeft(Way way) throws Exception {
        try (Session session = stage.open()) {
            Peer first = session.receiver(way);
            Peer last = session.sender(way);
            first.send(1000);
            first.fin();
            assertThat(last.drain()).isEqualTo(Ending.FIN);
            last.send(BYTES);
            last.awaitAcknowledged();
            last.reset();
            Thread.sleep(200);
            assertThat(first.drain(64 * 1024, 1)).isEqualTo(Ending.RESET);
            assertThat(first.received()).isEqualTo(BYTES);
        }
        Ended record = stage.relay().record();
        assertThat(way.of(record).end()).isEqualTo("rst");
        assertThat(way.opposite().of(record)).returns(1000L, Ended.Direction::bytes);
        assertThat(way.opposite().of(record)).returns("fin", Ended.Direction::end);
    }

    /**
     * The relay is in the middle of writing to whom resets, so that the write may be told of the reset, and a read of the
     * same socket of an end. Whoever believes the read passes on a FIN that nobody has sent.
     */
    @ParameterizedTest
    @EnumSource
    void isNeverTakenForAnEnd(Way way) throws Exception {
        int falseEnds = 0;
        for (int i = 0; i < ROUNDS; i++) {
            try (Session session = stage.open()) {
                Peer writer = session.receiver(way);
                session.exchange(10);
                CompletableFuture<Void> writing = Parallel.start(() -> {
                    sendUntilFailure(writer);
                    return null;
                });
                session.sender(way).receive(BYTES / 10);
                session.sender(way).reset();
                Ending seen = writer.drain();
                writing.get();
                falseEnds += seen == Ending.FIN && !writer.writeWasReset() ? 1 : 0;
            }
            assertThat(way.of(stage.relay().record()).end()).isEqualTo("rst");
        }
        assertThat(falseEnds).as("false ends in " + ROUNDS + " sessions").isZero();
    }
}
