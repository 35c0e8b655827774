package dev.sluice.cli.blackbox;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.cli.blackbox.Peer.Ending;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** SIGTERM while sessions are at work. */
@BlackBox
class DrainTest {
    private static final long BIG = 50L << 20;

    /** At 10 ms each, far more than come while a listener is being closed. */
    private static final int NEWCOMERS = 300;

    @Test
    void whatIsBeingFlushedArrivesWhole() throws Exception {
        try (Stage stage = Stage.tcp("--drain-timeout", "60s");
                Session session = stage.open()) {
            session.client().send(10);
            session.client().fin();
            CompletableFuture<?> sending = send(session.server());
            session.client().receive(1);
            stage.relay().drain();
            assertThat(session.server().drain()).isEqualTo(Ending.FIN);
            assertThat(session.client().drain()).isEqualTo(Ending.FIN);
            sending.get();
            session.assertComplete();
            assertThat(stage.relay().exitCode()).isZero();
            assertThat(stage.relay().record().fromTarget())
                    .returns(BIG, Ended.Direction::bytes)
                    .returns("fin", Ended.Direction::end);
        }
    }

    @Test
    void timeoutCutsOffWhatIsBeingFlushed() throws Exception {
        try (Stage stage = Stage.tcp("--drain-timeout", "300ms");
                Session session = stage.open()) {
            CompletableFuture<?> sending = send(session.server());
            session.client().receive(1);
            stage.relay().signal("TERM");
            assertThat(stage.relay().exitCode()).isZero();
            // Part of a stream must not look like the whole.
            assertThat(session.client().drain()).isEqualTo(Ending.RESET);
            assertThat(session.client().received()).isLessThan(BIG);
            assertThat(sending).failsWithin(Duration.ofSeconds(20));
            assertThat(stage.relay().record().fromTarget().end()).isEqualTo("drain");
        }
    }

    @Test
    void secondSignalDoesNotWait() throws Exception {
        try (Stage stage = Stage.tcp("--drain-timeout", "60s");
                Session session = stage.open()) {
            send(session.server());
            session.client().receive(1);
            stage.relay().drain();
            stage.relay().signal("TERM");
            assertThat(stage.relay().exitCode()).isEqualTo(143);
            assertThat(session.client().drain()).isEqualTo(Ending.RESET);
        }
    }

    private static CompletableFuture<?> send(Peer peer) {
        return Parallel.start(() -> {
            peer.send(BIG);
            peer.fin();
            return null;
        });
    }

    /** Clients that keep coming can't keep the relay from closing its listener. */
    @Test
    void nobodyElseGetsIn() throws Exception {
        try (Stage stage = Stage.tcp("--drain-timeout", "60s");
                Session session = stage.open()) {
            session.exchange(10);
            Parallel.start(() -> {
                while (true) {
                    stage.target().accept().close();
                }
            });
            stage.relay().drain();
            assertThat(newcomersUntilRefusal(stage)).isLessThan(NEWCOMERS);
            session.exchange(10);
            session.finish();
            assertThat(stage.relay().exitCode()).isZero();
        }
    }

    private static int newcomersUntilRefusal(Stage stage) throws Exception {
        int count = 0;
        try {
            while (count < NEWCOMERS) {
                stage.connect().close();
                count++;
                Thread.sleep(10);
            }
        } catch (IOException e) {
            System.out.println(count + " newcomers after the signal");
        }
        return count;
    }

    /** Those who don't finish are cut off one by one, so that not all clients come back at once. */
    @Test
    void spreadCutsTheRestOneByOne() throws Exception {
        RelayProcess.assumeOption("--drain-spread");
        int idle = 40;
        try (Stage stage = Stage.tcp("--drain-timeout", "1500ms", "--drain-spread", "1s")) {
            List<Session> sessions = new ArrayList<>();
            for (int i = 0; i < idle; i++) {
                Session session = stage.open();
                session.exchange(1);
                sessions.add(session);
            }
            stage.relay().drain();
            long start = System.nanoTime();
            List<Long> millis = new ArrayList<>();
            for (int i = 0; i < idle; i++) {
                assertThat(stage.relay().record().fromClient().end()).isEqualTo("drain");
                millis.add((System.nanoTime() - start) / 1_000_000);
            }
            System.out.println("--drain-timeout 1.5s --drain-spread 1s: cut off after " + millis + " ms");
            assertThat(stage.relay().exitCode()).isZero();
            for (Session session : sessions) {
                assertThat(session.client().drain()).isEqualTo(Ending.RESET);
                session.close();
            }
        }
    }
}
