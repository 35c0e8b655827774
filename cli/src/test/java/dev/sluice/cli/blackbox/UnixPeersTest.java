package dev.sluice.cli.blackbox;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.cli.blackbox.Peer.Ending;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Unix sockets, on both sides: their hang-ups come at once and stay, which must not keep a processor busy. */
@BlackBox
class UnixPeersTest {
    private static final long BYTES = 5 << 20;

    /** In a second of standing still. */
    private static final long CPU_MILLIS = 500;

    @TempDir
    private Path directory;

    @Test
    void halfClose() throws Exception {
        try (Stage stage = Stage.unix(directory);
                Session session = stage.open()) {
            session.exchange(100_000);
            session.finish();
            assertThat(stage.relay().record().fromTarget().end()).isEqualTo("fin");
        }
    }

    /** A writer has died, and its last bytes can't be delivered yet: its hang-up is there all the while. */
    @Test
    void deathBeforeItsBytesAreRead() throws Exception {
        try (Stage stage = Stage.unix(directory);
                Session request = stage.open();
                Session reply = stage.open()) {
            dieWriting(request.client());
            dieWriting(reply.server());
            assertStill(stage.relay(), "after the death of the writer");
            assertThat(request.server().drain()).isEqualTo(Ending.FIN);
            assertThat(reply.client().drain()).isEqualTo(Ending.FIN);
            request.assertComplete();
            reply.assertComplete();
        }
    }

    /** Writes as much as there is room for, and is in the middle of it when it dies. */
    private static void dieWriting(Peer peer) throws Exception {
        CompletableFuture<Void> sending = Parallel.start(() -> {
            peer.send(BYTES);
            return null;
        });
        awaitStill(peer);
        peer.close();
        assertThat(sending).failsWithin(Duration.ofSeconds(20));
    }

    /** The writer is idle; what it reads has ended. */
    @Test
    void deathOfTheReader() throws Exception {
        try (Stage stage = Stage.unix(directory);
                Session withoutServer = stage.open();
                Session withoutClient = stage.open()) {
            withoutServer.exchange(100);
            withoutServer.server().close();
            withoutClient.exchange(100);
            withoutClient.client().close();
            assertStill(stage.relay(), "after the death of the reader");
            assertThat(withoutServer.client().drain()).isEqualTo(Ending.FIN);
            assertThat(withoutClient.server().drain()).isEqualTo(Ending.FIN);
            withoutServer.client().close();
            withoutClient.server().close();
            stage.relay().record();
            stage.relay().record();
        }
    }

    /** Nobody accepts any more; who is there is served, and who comes hears of it. */
    @Test
    void listenerDies() throws Exception {
        try (Stage stage = Stage.unix(directory);
                Session session = stage.open()) {
            stage.target().close();
            session.exchange(100);
            try (SocketChannel client = stage.connect()) {
                // AF_UNIX knows no reset: whatever it is, it is an end.
                new Peer(client, new Seeded(1), new Seeded(2)).drain();
            }
            assertThat(stage.relay().record().error()).contains("ECONNREFUSED");
            assertStill(stage.relay(), "after the death of the listener");
            session.exchange(100);
            session.finish();
        }
    }

    private static void awaitStill(Peer peer) throws Exception {
        long before;
        do {
            before = peer.sent();
            Thread.sleep(100);
        } while (peer.sent() != before);
    }

    private static void assertStill(RelayProcess relay, String when) throws Exception {
        // What is being compiled meanwhile is no spinning.
        Thread.sleep(200);
        long before = Vitals.cpuMillis(relay.pid());
        Thread.sleep(1000);
        long used = Vitals.cpuMillis(relay.pid()) - before;
        System.out.println(used + " ms of processor time in a second " + when);
        assertThat(used).isLessThan(CPU_MILLIS);
    }
}
