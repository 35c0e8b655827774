package dev.sluice.relay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.io.Endpoint;
import dev.sluice.io.Route;
import dev.sluice.net.StreamListener;
import dev.sluice.net.StreamSocket;
import dev.sluice.relay.SessionRecord.End;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Targets by name, that are missing, that are busy, and bytes of odd kinds on the way to them. */
@Timeout(60)
class RelayTargetTest {

    @Test
    @DisplayName("A target may be a name; connections that come before it is looked up wait for the answer")
    void byName() throws Exception {
        try (ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
                Relay relay = RelayFixture.relay(new Endpoint.Tcp("localhost", server.getLocalPort()))) {
            List<Socket> sockets = new ArrayList<>();
            for (int i = 0; i < 10; i++) {
                sockets.add(connect(relay));
                sockets.getLast().getOutputStream().write(i);
            }
            for (int i = 0; i < 10; i++) {
                sockets.add(server.accept());
                assertThat(sockets.getLast().getInputStream().read()).isBetween(0, 9);
            }
            assertThat(relay.stats().targets().getFirst().active()).isEqualTo(10);
            for (Socket socket : sockets) {
                socket.close();
            }
        }
    }

    private static Socket connect(Relay relay) throws Exception {
        return new Socket(InetAddress.getLoopbackAddress(), RelayFixture.port(relay));
    }

    @Test
    @DisplayName("A name that nobody knows is a clear error in the record, and the next target is tried")
    void unknownName() throws Exception {
        BlockingQueue<SessionRecord> records = new LinkedBlockingQueue<>();
        Endpoint unknown = new Endpoint.Tcp("no-such-host.invalid", 1);
        try (ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
                Relay both = RelayFixture.relay(unknown, RelayFixture.address(server));
                Relay none = Relay.start(RelayConfig.of(Service.of("none", RelayFixture.ANY_PORT, unknown))
                        .onEnd(records::add))) {
            try (Socket client = connect(both);
                    Socket accepted = server.accept()) {
                client.getOutputStream().write(1);
                assertThat(accepted.getInputStream().read()).isEqualTo(1);
            }
            try (Socket client = connect(none)) {
                assertThatThrownBy(() -> client.getInputStream().read()).isInstanceOf(SocketException.class);
            }
            SessionRecord record = records.poll(20, TimeUnit.SECONDS);
            assertThat(record.error()).contains("no-such-host.invalid");
            assertThat(record.toTarget().end()).isEqualTo(End.ERROR);
        }
    }

    @Test
    @DisplayName("A target that does not answer is given up after the connect timeout, for the next one")
    void connectTimeout() throws Exception {
        // Nobody accepts: once the backlog is full, the kernel answers no more.
        try (ServerSocket deaf = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
                ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
                Socket _ = new Socket(InetAddress.getLoopbackAddress(), deaf.getLocalPort());
                Socket _ = new Socket(InetAddress.getLoopbackAddress(), deaf.getLocalPort());
                Relay relay = Relay.start(RelayConfig.of(Service.of(
                                "slow", RelayFixture.ANY_PORT, RelayFixture.address(deaf), RelayFixture.address(server))
                        .timeouts(Timeouts.DEFAULT.connect(Duration.ofMillis(200)))));
                Socket client = connect(relay);
                Socket accepted = server.accept()) {
            client.getOutputStream().write(9);
            assertThat(accepted.getInputStream().read()).isEqualTo(9);
            assertThat(relay.stats().targets().getFirst().failed()).isEqualTo(1);
        }
    }

    @Test
    @DisplayName("A Unix listener whose backlog is full is asked again until it has room")
    void unixBacklog() throws Exception {
        Endpoint name = new Endpoint.Abstract("sluice-relay-" + System.nanoTime());
        int connections = 40;
        try (StreamListener server = StreamListener.listen(name);
                Relay relay = RelayFixture.relay(name)) {
            List<Socket> clients = new ArrayList<>();
            for (int i = 0; i < connections; i++) {
                clients.add(connect(relay));
                clients.getLast().getOutputStream().write(i);
            }
            for (int i = 0; i < connections; i++) {
                try (StreamSocket accepted = server.accept()) {
                    assertThat(accepted.read(ByteBuffer.allocate(1))).isEqualTo(1);
                }
            }
            for (Socket client : clients) {
                client.close();
            }
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"SPLICE", "COPY"})
    @DisplayName("Urgent data does not stop what comes behind it; the urgent byte itself is not relayed")
    void urgentData(Route route) throws Exception {
        try (RelayFixture fixture = new RelayFixture(service -> service.route(route));
                Socket client = fixture.client();
                Socket server = fixture.server.accept()) {
            server.setSoTimeout(20_000);
            OutputStream out = client.getOutputStream();
            for (int i = 0; i < 200; i++) {
                out.write('a');
                client.sendUrgentData('!');
                out.write('b');
                InputStream in = server.getInputStream();
                ByteArrayOutputStream got = new ByteArrayOutputStream();
                while (got.size() < 2) {
                    int b = in.read();
                    if (b != '!') {
                        got.write(b);
                    }
                }
                assertThat(got.toString()).isEqualTo("ab");
            }
        }
    }

    @Test
    @DisplayName("What is one connection can't be a target")
    void inherited() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> RelayFixture.relay(Endpoint.parse("fd:7")))
                .withMessageContaining("fd:7");
    }
}
