package dev.sluice.cli.blackbox;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.cli.blackbox.Peer.Ending;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.AfterParameterizedClassInvocation;
import org.junit.jupiter.params.BeforeParameterizedClassInvocation;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Who speaks first, who ends first, who is slow: every byte arrives, and then the end. */
@BlackBox
@ParameterizedClass
@ValueSource(strings = {"auto", "copy"})
class ForwardingTest {
    private static final long MIB = 1 << 20;
    private static final long BIG = 50 * MIB;

    @Parameter
    String route;

    private static Stage stage;

    @BeforeParameterizedClassInvocation
    static void start(String route) throws Exception {
        stage = Stage.tcp("--route", route);
    }

    @AfterParameterizedClassInvocation
    static void stop() throws Exception {
        stage.close();
    }

    @Test
    void serverSpeaksFirst() throws Exception {
        try (Session session = stage.open()) {
            session.server().send(100);
            session.client().receive(100);
            session.exchange(1000);
            session.finish();
        }
        assertFin(stage.relay().record(), 1000, 1100);
    }

    /** A peer that sends and closes, while the other one has read nothing yet. */
    @ParameterizedTest
    @EnumSource
    void closeFollowsTheBytes(Way way) throws Exception {
        try (Session session = stage.open()) {
            session.sender(way).send(MIB);
            session.sender(way).close();
            Thread.sleep(50);
            assertThat(session.receiver(way).drain()).isEqualTo(Ending.FIN);
            assertThat(session.receiver(way).received()).isEqualTo(MIB);
        }
        assertThat(way.of(stage.relay().record()))
                .returns(MIB, Ended.Direction::bytes)
                .returns("fin", Ended.Direction::end);
    }

    @ParameterizedTest
    @EnumSource
    void halfCloseFollowsTheBytesToASlowReader(Way way) throws Exception {
        long size = 20 * MIB;
        try (Session session = stage.open()) {
            Parallel.run(
                    () -> {
                        session.sender(way).send(size);
                        session.sender(way).fin();
                    },
                    () -> {
                        Thread.sleep(100);
                        assertThat(session.receiver(way).drain(256 * 1024, 2)).isEqualTo(Ending.FIN);
                    });
            assertThat(session.receiver(way).received()).isEqualTo(size);
            // The other direction is as open as ever.
            session.receiver(way).send(3 * MIB);
            session.receiver(way).fin();
            assertThat(session.sender(way).drain()).isEqualTo(Ending.FIN);
            session.assertComplete();
        }
        Ended record = stage.relay().record();
        assertThat(way.of(record).bytes()).isEqualTo(size);
        assertThat(record.error()).isEmpty();
    }

    /** Both readers stop; everything fills up; both go on. */
    @Test
    void stoppedReadersGoOn() throws Exception {
        try (Session session = stage.open()) {
            Parallel.run(
                    () -> send(session.client()),
                    () -> send(session.server()),
                    () -> receiveLate(session.client()),
                    () -> receiveLate(session.server()));
            session.assertComplete();
        }
        assertFin(stage.relay().record(), BIG, BIG);
    }

    private static void send(Peer peer) throws Exception {
        peer.send(BIG);
        peer.fin();
    }

    private static void receiveLate(Peer peer) throws Exception {
        peer.receive(1);
        Thread.sleep(500);
        peer.receive(BIG / 2);
        Thread.sleep(200);
        assertThat(peer.drain()).isEqualTo(Ending.FIN);
    }

    @Test
    void manyAtOnceDoNotMix() throws Exception {
        int sessions = 300;
        List<Parallel.Action> actions = new ArrayList<>();
        List<Session> open = new ArrayList<>();
        for (int i = 0; i < sessions; i++) {
            Session session = stage.open();
            open.add(session);
            int size = 1 + i * 1000;
            actions.add(() -> {
                session.client().send(size);
                session.client().fin();
            });
            actions.add(() -> {
                session.server().send(size);
                session.server().fin();
            });
            actions.add(() -> assertThat(session.client().drain()).isEqualTo(Ending.FIN));
            actions.add(() -> assertThat(session.server().drain()).isEqualTo(Ending.FIN));
        }
        Parallel.run(actions);
        for (Session session : open) {
            session.assertComplete();
            session.close();
            Ended record = stage.relay().record();
            assertThat(record.error()).isEmpty();
            assertThat(record.fromClient().end()).isEqualTo("fin");
        }
    }

    private static void assertFin(Ended record, long fromClient, long fromTarget) {
        assertThat(record.error()).isEmpty();
        assertThat(record.fromClient().bytes()).isEqualTo(fromClient);
        assertThat(record.fromTarget().bytes()).isEqualTo(fromTarget);
        assertThat(record.fromClient().end()).isEqualTo("fin");
        assertThat(record.fromTarget().end()).isEqualTo("fin");
    }
}
