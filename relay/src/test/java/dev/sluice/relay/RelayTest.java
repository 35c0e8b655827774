package dev.sluice.relay;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.io.Endpoint;
import dev.sluice.io.Route;
import dev.sluice.io.SluiceException;
import dev.sluice.relay.SessionRecord.End;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@Timeout(60)
class RelayTest {

    @ParameterizedTest
    @EnumSource(names = {"SPLICE", "COPY"})
    void clientEndsFirstAndStillGetsTheReply(Route route) throws Exception {
        try (RelayFixture fixture = new RelayFixture(service -> service.route(route));
                Socket client = fixture.client();
                Socket server = fixture.server.accept()) {
            client.getOutputStream().write("request".getBytes(US_ASCII));
            client.shutdownOutput();
            assertThat(server.getInputStream().readAllBytes()).asString().isEqualTo("request");
            server.getOutputStream().write("reply".getBytes(US_ASCII));
            server.shutdownOutput();
            assertThat(client.getInputStream().readAllBytes()).asString().isEqualTo("reply");

            SessionRecord record = fixture.record();
            assertThat(record.error()).isEmpty();
            assertThat(record.toTarget().bytes()).isEqualTo(7);
            assertThat(record.toTarget().route()).isEqualTo(route);
            assertThat(record.toTarget().end()).isEqualTo(End.FIN);
            assertThat(record.toClient().bytes()).isEqualTo(5);
            assertThat(record.toClient().end()).isEqualTo(End.FIN);
            assertThat(record.listener()).isEqualTo(fixture.relay.endpoints().getFirst());
            assertThat(record.target()).isEqualTo(RelayFixture.address(fixture.server));
            assertThat(record.service()).isEqualTo("test");
            assertThat(record.tries()).isEqualTo(1);
            assertThat(record.connectTime()).isPositive().isLessThan(record.duration());
            assertThat(record.client()).isEqualTo(new Endpoint.Tcp("127.0.0.1", client.getLocalPort()));
        }
    }

    @Test
    void serverEndsFirstAndStillGetsTheRequest() throws Exception {
        try (RelayFixture fixture = new RelayFixture();
                Socket client = fixture.client();
                Socket server = fixture.server.accept()) {
            server.getOutputStream().write("greeting".getBytes(US_ASCII));
            server.shutdownOutput();
            assertThat(client.getInputStream().readAllBytes()).asString().isEqualTo("greeting");
            client.getOutputStream().write("late request".getBytes(US_ASCII));
            client.shutdownOutput();
            assertThat(server.getInputStream().readAllBytes()).asString().isEqualTo("late request");
            assertThat(fixture.record().error()).isEmpty();
        }
    }

    @Test
    void manyConnectionsAtOnceDoNotMix() throws Exception {
        int connections = 200;
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
                RelayFixture fixture = new RelayFixture()) {
            threads.submit(() -> echoAll(fixture.server, threads));
            List<Future<Void>> clients = new ArrayList<>();
            for (int i = 0; i < connections; i++) {
                int seed = i;
                clients.add(threads.submit(() -> sendAndCompare(fixture, seed)));
            }
            for (Future<Void> client : clients) {
                client.get();
            }
            for (int i = 0; i < connections; i++) {
                assertThat(fixture.record().error()).isEmpty();
            }
            assertThat(fixture.relay.drain(Duration.ofSeconds(20))).isZero();
            assertThat(fixture.relay.sessions()).isZero();
        }
    }

    private static Void echoAll(ServerSocket server, ExecutorService threads) throws IOException {
        while (true) {
            Socket accepted;
            try {
                accepted = server.accept();
            } catch (SocketException e) {
                return null;
            }
            threads.submit(() -> {
                try (accepted) {
                    accepted.getInputStream().transferTo(accepted.getOutputStream());
                }
                return null;
            });
        }
    }

    private static Void sendAndCompare(RelayFixture fixture, int seed) throws Exception {
        byte[] bytes = new byte[100_000 + seed];
        new Random(seed).nextBytes(bytes);
        try (Socket client = fixture.client()) {
            Thread writer = Thread.ofVirtual().start(() -> {
                try {
                    client.getOutputStream().write(bytes);
                    client.shutdownOutput();
                } catch (IOException e) {
                    // The reader misses the bytes.
                }
            });
            assertThat(client.getInputStream().readAllBytes()).isEqualTo(bytes);
            writer.join();
            return null;
        }
    }

    @Test
    void bigReplyArrivesWholeThoughNobodyReadsTheRequest() throws Exception {
        byte[] reply = new byte[3_000_000];
        new Random(1).nextBytes(reply);
        try (RelayFixture fixture = new RelayFixture();
                Socket client = fixture.client()) {
            CompletableFuture<byte[]> got = CompletableFuture.supplyAsync(() -> {
                try {
                    client.getOutputStream().write(new byte[200_000]);
                    return client.getInputStream().readNBytes(reply.length);
                } catch (IOException e) {
                    throw new AssertionError(e);
                }
            });
            try (Socket server = fixture.server.accept()) {
                // An early answer: the request stays unread, so this close resets the connection behind the answer.
                server.getOutputStream().write(reply);
                assertThat(got.get()).isEqualTo(reply);
            }
        }
    }

    @Test
    void targetsTakeTurnsAndDeadOnesArePassedOver() throws Exception {
        ServerSocket dead = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
        Endpoint nobody = RelayFixture.address(dead);
        dead.close();
        try (ServerSocket one = new ServerSocket(0, 10, InetAddress.getLoopbackAddress());
                ServerSocket two = new ServerSocket(0, 10, InetAddress.getLoopbackAddress());
                Relay relay = RelayFixture.relay(RelayFixture.address(one), nobody, RelayFixture.address(two))) {
            int port = RelayFixture.port(relay);
            try (Socket _ = new Socket(InetAddress.getLoopbackAddress(), port);
                    Socket atOne = one.accept();
                    Socket _ = new Socket(InetAddress.getLoopbackAddress(), port);
                    Socket atTwo = two.accept()) {
                assertThat(atOne.isConnected() && atTwo.isConnected()).isTrue();
            }
        }
    }

    @Test
    void unreachableTargetResetsTheClientAndIsRecorded() throws Exception {
        try (RelayFixture fixture = new RelayFixture()) {
            fixture.server.close();
            try (Socket client = fixture.client()) {
                assertThatThrownBy(() -> client.getInputStream().read()).isInstanceOf(SocketException.class);
            }
            SessionRecord record = fixture.record();
            assertThat(record.error()).contains("ECONNREFUSED");
            assertThat(record.toClient().end()).isEqualTo(End.ERROR);
        }
    }

    @Test
    void addressInUseIsOneClearError() throws Exception {
        try (RelayFixture fixture = new RelayFixture()) {
            Endpoint taken = fixture.relay.endpoints().getFirst();
            assertThatThrownBy(() -> Relay.start(RelayConfig.of(Service.of("again", taken, taken))))
                    .isInstanceOf(SluiceException.class)
                    .hasMessageContaining("EADDRINUSE");
        }
    }

    @Test
    void unixSocketsWorkOnBothSides(@TempDir Path directory) throws Exception {
        Endpoint inner = new Endpoint.Unix(directory.resolve("inner").toString());
        try (RelayFixture fixture = new RelayFixture();
                Relay near = Relay.start(RelayConfig.of(
                        Service.of("near", inner, fixture.relay.endpoints().getFirst())));
                Relay outer = RelayFixture.relay(inner);
                Socket client = new Socket(InetAddress.getLoopbackAddress(), RelayFixture.port(outer));
                Socket server = fixture.server.accept()) {
            client.getOutputStream().write("over unix".getBytes(US_ASCII));
            client.shutdownOutput();
            assertThat(server.getInputStream().readAllBytes()).asString().isEqualTo("over unix");
            server.shutdownOutput();
            assertThat(client.getInputStream().read()).isEqualTo(-1);
            assertThat(near.endpoints().getFirst()).isEqualTo(inner);
        }
    }
}
