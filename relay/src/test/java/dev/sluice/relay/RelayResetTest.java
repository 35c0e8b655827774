package dev.sluice.relay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.net.StreamSocket;
import dev.sluice.relay.SessionRecord.End;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.net.SocketException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Random;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** S36: a reset is passed on, but not before everything that came ahead of it. */
@Timeout(60)
class RelayResetTest {
    private static final int SIZE = 1 << 20;

    @RepeatedTest(5)
    void resetByTheClientFollowsItsBytes() throws Exception {
        byte[] bytes = new byte[SIZE];
        new Random(36).nextBytes(bytes);
        try (RelayFixture fixture = new RelayFixture()) {
            Thread client = Thread.ofVirtual().start(() -> sendAndReset(fixture, bytes));
            try (Socket server = fixture.server.accept()) {
                ByteArrayOutputStream got = new ByteArrayOutputStream();
                assertThatThrownBy(() -> readSlowly(server.getInputStream(), got))
                        .isInstanceOf(SocketException.class);
                assertThat(got.toByteArray()).isEqualTo(bytes);
            }
            client.join();
            SessionRecord record = fixture.record();
            assertThat(record.toTarget().end()).isEqualTo(End.RST);
            assertThat(record.toTarget().bytes()).isEqualTo(SIZE);
            assertThat(record.error()).contains("ECONNRESET");
        }
    }

    private static void sendAndReset(RelayFixture fixture, byte[] bytes) {
        try (StreamSocket socket =
                StreamSocket.connect(fixture.relay.endpoints().getFirst())) {
            socket.write(ByteBuffer.wrap(bytes));
            // What the relay's kernel has not got yet would die with the socket, and be no business of the relay.
            assertThat(socket.awaitAcknowledged(Duration.ofSeconds(20))).isTrue();
            socket.abort();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static void readSlowly(InputStream in, ByteArrayOutputStream to) throws IOException {
        byte[] buffer = new byte[16 * 1024];
        for (int count = in.read(buffer); count >= 0; count = in.read(buffer)) {
            to.write(buffer, 0, count);
        }
    }

    @Test
    void resetByTheServerReachesTheClient() throws Exception {
        try (RelayFixture fixture = new RelayFixture();
                Socket client = fixture.client();
                Socket server = fixture.server.accept()) {
            client.getOutputStream().write(1);
            assertThat(server.getInputStream().read()).isEqualTo(1);
            server.setSoLinger(true, 0);
            server.close();
            assertThatThrownBy(() -> client.getInputStream().read()).isInstanceOf(SocketException.class);
            SessionRecord record = fixture.record();
            assertThat(record.toClient().end()).isEqualTo(End.RST);
        }
    }
}
