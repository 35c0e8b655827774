package dev.sluice.relay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.relay.SessionRecord.End;
import java.io.InputStream;
import java.net.Socket;
import java.net.SocketException;
import java.time.Duration;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The times of a session: what ends it when nothing else does. */
@Timeout(60)
class RelayTimesTest {
    private static final Duration SHORT = Duration.ofMillis(150);

    private static void assertReset(Socket socket) {
        InputStream in;
        try {
            in = socket.getInputStream();
        } catch (java.io.IOException e) {
            throw new AssertionError(e);
        }
        assertThatThrownBy(() -> {
                    while (in.read() >= 0) {
                        // What was on the way before.
                    }
                })
                .isInstanceOf(SocketException.class);
    }

    @Test
    @DisplayName("A connection on which nothing moves is reset after the idle timeout, and recorded so")
    void idle() throws Exception {
        try (RelayFixture fixture = RelayFixture.timed(times -> times.idle(SHORT));
                Socket client = fixture.client();
                Socket server = fixture.server.accept()) {
            assertReset(client);
            assertReset(server);
            SessionRecord record = fixture.record();
            assertThat(record.toTarget().end()).isEqualTo(End.TIMEOUT);
            assertThat(record.toClient().end()).isEqualTo(End.TIMEOUT);
            assertThat(fixture.relay.stats().clientEnds().get(End.TIMEOUT)).isEqualTo(1);
        }
    }

    @Test
    @DisplayName("A connection on which something moves now and then is not idle, whichever direction it is")
    void notIdle() throws Exception {
        try (RelayFixture fixture = RelayFixture.timed(times -> times.idle(Duration.ofSeconds(2)));
                Socket client = fixture.client();
                Socket server = fixture.server.accept()) {
            for (int i = 0; i < 30; i++) {
                Thread.sleep(100);
                server.getOutputStream().write(i);
                assertThat(client.getInputStream().read()).isEqualTo(i);
            }
            client.close();
            server.close();
            assertThat(fixture.record().toTarget().end()).isNotEqualTo(End.TIMEOUT);
        }
    }

    @Test
    @DisplayName("Bytes that nobody takes are no activity: a reader that has stopped for too long is cut off, too")
    void idleWithDataOutstanding() throws Exception {
        try (RelayFixture fixture = RelayFixture.timed(times -> times.idle(SHORT));
                Socket client = fixture.client();
                Socket server = fixture.server.accept()) {
            Thread writing = Thread.ofVirtual().start(() -> {
                try {
                    while (true) {
                        server.getOutputStream().write(new byte[100_000]);
                    }
                } catch (java.io.IOException e) {
                    // As it has to end.
                }
            });
            writing.join();
            SessionRecord record = fixture.record();
            assertThat(record.toClient().end()).isEqualTo(End.TIMEOUT);
            assertThat(record.toClient().bytesIn())
                    .isGreaterThanOrEqualTo(record.toClient().bytes());
            assertReset(client);
        }
    }

    @Test
    @DisplayName("Once one direction has ended, the other has the half-close timeout")
    void halfClosed() throws Exception {
        try (RelayFixture fixture = RelayFixture.timed(times -> times.halfClose(SHORT));
                Socket client = fixture.client();
                Socket server = fixture.server.accept()) {
            client.getOutputStream().write(7);
            client.shutdownOutput();
            assertThat(server.getInputStream().readAllBytes()).containsExactly(7);
            SessionRecord record = fixture.record();
            assertThat(record.toTarget().end()).isEqualTo(End.FIN);
            assertThat(record.toClient().end()).isEqualTo(End.TIMEOUT);
            assertReset(client);
        }
    }

    @Test
    @DisplayName("A lifetime is over however busy the connection is")
    void lifetime() throws Exception {
        try (RelayFixture fixture = RelayFixture.timed(times -> times.lifetime(Duration.ofMillis(300)));
                Socket client = fixture.client();
                Socket server = fixture.server.accept()) {
            assertThatThrownBy(() -> {
                        while (true) {
                            client.getOutputStream().write(1);
                            server.getInputStream().read();
                        }
                    })
                    .isInstanceOf(SocketException.class);
            assertThat(fixture.record().toTarget().end()).isEqualTo(End.TIMEOUT);
        }
    }

    @Test
    @DisplayName("While a relay drains, the rest is cut off within the spread, and nobody later than the timeout")
    void spread() throws Exception {
        try (RelayFixture fixture = new RelayFixture()) {
            Socket[] clients = new Socket[20];
            Socket[] servers = new Socket[20];
            for (int i = 0; i < clients.length; i++) {
                clients[i] = fixture.client();
                servers[i] = fixture.server.accept();
            }
            assertThat(fixture.relay.live())
                    .hasSize(20)
                    .allMatch(session -> session.age().compareTo(Duration.ofMinutes(1)) < 0);
            int cut = fixture.relay.drain(Duration.ofMillis(500), Duration.ofMillis(400));
            assertThat(cut).isEqualTo(20);
            assertThat(fixture.relay.live()).isEmpty();
            for (int i = 0; i < clients.length; i++) {
                assertReset(clients[i]);
                clients[i].close();
                servers[i].close();
                assertThat(fixture.record().toTarget().end()).isEqualTo(End.DRAIN);
            }
        }
    }

    @Test
    @DisplayName("More connections than are to be served at a time wait, and are served when there is room")
    void maximum() throws Exception {
        try (RelayFixture fixture = new RelayFixture(service -> service, config -> config.maxConnections(2));
                Socket one = fixture.client();
                Socket atOne = fixture.server.accept();
                Socket two = fixture.client();
                Socket atTwo = fixture.server.accept();
                Socket three = fixture.client()) {
            three.getOutputStream().write(3);
            fixture.server.setSoTimeout(200);
            assertThatThrownBy(fixture.server::accept).isInstanceOf(java.net.SocketTimeoutException.class);
            assertThat(fixture.relay.stats().active()).isEqualTo(2);
            one.close();
            atOne.close();
            fixture.server.setSoTimeout(20_000);
            try (Socket atThree = fixture.server.accept()) {
                assertThat(atThree.getInputStream().read()).isEqualTo(3);
            }
            assertThat(two.isConnected() && atTwo.isConnected()).isTrue();
        }
    }

    @Test
    @DisplayName("Times that can't be are refused")
    void refused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Timeouts.DEFAULT.idle(Duration.ofSeconds(-1)))
                .withMessageContaining("idle timeout");
        assertThatIllegalArgumentException().isThrownBy(() -> Timeouts.DEFAULT.connect(Duration.ZERO));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> RelayConfig.of(Service.of("a", RelayFixture.ANY_PORT, RelayFixture.ANY_PORT))
                        .threads(-1));
    }
}
