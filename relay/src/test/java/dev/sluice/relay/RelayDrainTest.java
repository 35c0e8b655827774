package dev.sluice.relay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.relay.SessionRecord.End;
import java.net.ConnectException;
import java.net.Socket;
import java.net.SocketException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class RelayDrainTest {
    private static final Duration LONG = Duration.ofSeconds(30);

    @Test
    void sessionsMayFinish() throws Exception {
        try (RelayFixture fixture = new RelayFixture();
                Socket client = fixture.client();
                Socket server = fixture.server.accept()) {
            CompletableFuture<Integer> cut = drain(fixture.relay, LONG);
            client.getOutputStream().write(42);
            client.shutdownOutput();
            assertThat(server.getInputStream().readAllBytes()).containsExactly(42);
            assertThat(cut).isNotDone();
            server.shutdownOutput();
            assertThat(client.getInputStream().read()).isEqualTo(-1);
            assertThat(cut.get()).isZero();
            assertThat(fixture.record().toTarget().end()).isEqualTo(End.FIN);
            assertThatThrownBy(fixture::client).isInstanceOf(ConnectException.class);
        }
    }

    @Test
    void whoHasConnectedIsServed() throws Exception {
        try (RelayFixture fixture = new RelayFixture()) {
            Socket[] clients = new Socket[100];
            for (int i = 0; i < clients.length; i++) {
                clients[i] = fixture.client();
                clients[i].shutdownOutput();
            }
            CompletableFuture<Integer> cut = drain(fixture.relay, LONG);
            for (int i = 0; i < clients.length; i++) {
                fixture.server.accept().close();
            }
            for (Socket client : clients) {
                assertThat(client.getInputStream().read()).isEqualTo(-1);
                client.close();
            }
            assertThat(cut.get()).isZero();
        }
    }

    @Test
    void theRestIsCutOffAndCounted() throws Exception {
        try (RelayFixture fixture = new RelayFixture();
                Socket client = fixture.client();
                Socket server = fixture.server.accept()) {
            client.getOutputStream().write(1);
            assertThat(server.getInputStream().read()).isEqualTo(1);
            assertThat(fixture.relay.drain(Duration.ofMillis(50))).isEqualTo(1);
            assertThat(fixture.relay.sessions()).isZero();
            // Not an end of the stream: neither side must take its part for the whole.
            assertThatThrownBy(() -> client.getInputStream().read()).isInstanceOf(SocketException.class);
            assertThatThrownBy(() -> server.getInputStream().read()).isInstanceOf(SocketException.class);
            SessionRecord record = fixture.record();
            assertThat(record.toTarget().end()).isEqualTo(End.DRAIN);
            assertThat(record.toClient().end()).isEqualTo(End.DRAIN);
        }
    }

    @Test
    void closeCutsAtOnce() throws Exception {
        try (RelayFixture fixture = new RelayFixture();
                Socket client = fixture.client();
                Socket _ = fixture.server.accept()) {
            fixture.relay.close();
            assertThatThrownBy(() -> client.getInputStream().read()).isInstanceOf(SocketException.class);
            assertThat(fixture.record().toTarget().end()).isEqualTo(End.DRAIN);
        }
    }

    private static CompletableFuture<Integer> drain(Relay relay, Duration timeout) {
        CompletableFuture<Integer> cut = new CompletableFuture<>();
        Thread.ofVirtual().start(() -> {
            try {
                cut.complete(relay.drain(timeout));
            } catch (InterruptedException e) {
                cut.completeExceptionally(e);
            }
        });
        return cut;
    }
}
