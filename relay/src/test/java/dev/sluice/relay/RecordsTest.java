package dev.sluice.relay;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.io.Endpoint;
import java.io.IOException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(120)
class RecordsTest {
    /** As many as may wait, see {@link Records}. */
    private static final int FULL = 10_000;

    @Test
    void nobodyIsAcceptedWhileTooManyRecordsWaitAndAllAreLater() throws Exception {
        CountDownLatch unblocked = new CountDownLatch(1);
        AtomicInteger consumed = new AtomicInteger();
        Service toNobody = Service.of("test", RelayFixture.ANY_PORT, portOfNobody());
        try (Relay relay = Relay.start(RelayConfig.of(toNobody).onEnd(record -> {
            try {
                unblocked.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            consumed.incrementAndGet();
        }))) {
            for (int i = 0; i < FULL; i++) {
                connectUntilReset(relay);
            }
            long accepted = relay.stats().accepted();
            assertThat(accepted).isEqualTo(FULL);

            try (Socket waiting = connect(relay)) {
                waiting.setSoTimeout(300);
                assertThat(answer(waiting)).as("somebody in the backlog").isEqualTo("nothing yet");
                assertThat(relay.stats().accepted()).isEqualTo(accepted);

                unblocked.countDown();
                waiting.setSoTimeout(30_000);
                assertThat(answer(waiting)).isEqualTo("gone");
            }
            relay.drain(java.time.Duration.ofSeconds(30));
            assertThat(relay.stats().accepted()).isEqualTo(FULL + 1);
        }
        for (long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
                consumed.get() < FULL + 1 && System.nanoTime() < end; ) {
            Thread.sleep(10);
        }
        assertThat(consumed).hasValue(FULL + 1);
    }

    private static Endpoint portOfNobody() throws IOException {
        try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return RelayFixture.address(taken);
        }
    }

    private static Socket connect(Relay relay) throws IOException {
        return new Socket(InetAddress.getLoopbackAddress(), RelayFixture.port(relay));
    }

    private static void connectUntilReset(Relay relay) throws IOException {
        try (Socket socket = connect(relay)) {
            socket.setSoTimeout(30_000);
            assertThat(answer(socket)).isEqualTo("gone");
        } catch (ConnectException e) {
            throw e;
        } catch (SocketException e) {
            // Now and then the relay accepts and resets before the call that connects has returned.
            assertThat(e).hasMessageContaining("reset");
        }
    }

    private static String answer(Socket socket) {
        try {
            return socket.getInputStream().read() < 0 ? "gone" : "a byte";
        } catch (java.net.SocketTimeoutException e) {
            return "nothing yet";
        } catch (IOException e) {
            return "gone";
        }
    }
}
