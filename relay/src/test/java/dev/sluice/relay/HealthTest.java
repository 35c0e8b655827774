package dev.sluice.relay;

import static dev.sluice.relay.RelayFixture.ANY_PORT;
import static dev.sluice.relay.RelayFixture.address;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.io.Endpoint;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Targets that fail are left and come back, seen from a client. */
@Timeout(60)
class HealthTest {
    private static final Health QUICK = Health.DEFAULT.backOff(Duration.ofMillis(50), Duration.ofMillis(200));
    private static final Health NEVER = Health.DEFAULT.backOff(Duration.ofHours(1), Duration.ofHours(1));

    private final BlockingQueue<SessionRecord> records = new LinkedBlockingQueue<>();

    private Relay relay(TargetGroup group) throws IOException {
        Service service = Service.of("test", ANY_PORT, ANY_PORT_AS_TARGET).targets(group);
        return Relay.start(RelayConfig.of(service).onEnd(records::add));
    }

    private static final Endpoint ANY_PORT_AS_TARGET = Endpoint.parse("127.0.0.1:1");

    private static ServerSocket server(Endpoint at) throws IOException {
        return new ServerSocket(((Endpoint.Tcp) at).port(), 50, InetAddress.getLoopbackAddress());
    }

    private static Endpoint refusing() throws IOException {
        try (ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return address(server);
        }
    }

    private SessionRecord record() throws InterruptedException {
        SessionRecord record = records.poll(20, TimeUnit.SECONDS);
        assertThat(record).as("the session has not ended").isNotNull();
        return record;
    }

    private static Socket connect(Relay relay) throws IOException {
        return new Socket(InetAddress.getLoopbackAddress(), RelayFixture.port(relay));
    }

    private SessionRecord session(Relay relay, ServerSocket at) throws Exception {
        try (Socket client = connect(relay);
                Socket server = at.accept()) {
            client.getOutputStream().write(1);
            assertThat(server.getInputStream().read()).isEqualTo(1);
        }
        return record();
    }

    private static void await(BooleanSupplier condition) throws InterruptedException {
        while (!condition.getAsBoolean()) {
            Thread.sleep(5);
        }
    }

    @Test
    @DisplayName("A target that refused is left: the connections after that do not try it")
    void left() throws Exception {
        Endpoint dead = refusing();
        try (ServerSocket good = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
                Relay relay = relay(TargetGroup.of(dead, address(good)).health(NEVER))) {
            SessionRecord first = session(relay, good);
            assertThat(first.tries()).isEqualTo(2);
            for (int i = 0; i < 10; i++) {
                assertThat(session(relay, good).tries()).isEqualTo(1);
            }
            RelayStats.OfTarget stats = relay.stats().targets().getFirst();
            assertThat(stats.failed()).isEqualTo(1);
            assertThat(stats.up()).isFalse();
        }
    }

    @Test
    @DisplayName("It is tried again after the back-off, and then takes its turns")
    void comesBack() throws Exception {
        Endpoint dead = refusing();
        try (ServerSocket good = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
                Relay relay = relay(TargetGroup.of(dead, address(good)).health(QUICK))) {
            session(relay, good);
            try (ServerSocket back = server(dead)) {
                Thread.ofVirtual().start(() -> acceptAll(good));
                Thread.ofVirtual().start(() -> acceptAll(back));
                RelayStats.OfTarget[] stats = new RelayStats.OfTarget[1];
                await(() -> {
                    try (Socket client = connect(relay)) {
                        client.getOutputStream().write(1);
                    } catch (IOException e) {
                        throw new AssertionError(e);
                    }
                    stats[0] = relay.stats().targets().getFirst();
                    return stats[0].connected() > 10;
                });
                assertThat(stats[0].up()).isTrue();
            }
        }
    }

    @Test
    @DisplayName("While it is down, it is tried once per back-off, however many clients come")
    void fewTries() throws Exception {
        Endpoint dead = refusing();
        int clients = 500;
        // A full queue drops what the relay sends, which comes again after pauses that double: room for all.
        try (ServerSocket good = new ServerSocket(0, clients, InetAddress.getLoopbackAddress());
                Relay relay = relay(TargetGroup.of(dead, address(good)).health(QUICK))) {
            long start = System.nanoTime();
            assertThat(session(relay, good).tries()).isEqualTo(2);
            Thread.ofVirtual().start(() -> acceptAll(good));
            for (int i = 0; i < clients; i++) {
                connect(relay).close();
            }
            int tries = 0;
            for (int i = 0; i < clients; i++) {
                tries += record().tries() - 1;
            }
            // No pause is shorter than 37 ms.
            long pauses = (System.nanoTime() - start) / 37_000_000;
            assertThat(tries)
                    .isBetween(1, (int) (pauses + 1 + Runtime.getRuntime().availableProcessors()));
        }
    }

    private static void acceptAll(ServerSocket server) {
        while (!server.isClosed()) {
            try (Socket accepted = server.accept()) {
                accepted.getInputStream().read();
            } catch (IOException e) {
                // Closed, or its peer was reset.
            }
        }
    }

    @Test
    @DisplayName("If all are left, they are tried all the same, but none twice for one connection")
    void allDown() throws Exception {
        Endpoint one = refusing();
        Endpoint two = refusing();
        try (Relay relay = relay(TargetGroup.of(one, two).health(NEVER).tries(5))) {
            for (int i = 0; i < 3; i++) {
                try (Socket client = connect(relay)) {
                    assertThatThrownBy(() -> client.getInputStream().read()).isInstanceOf(SocketException.class);
                }
                SessionRecord record = record();
                assertThat(record.tries()).isEqualTo(2);
                assertThat(record.error()).contains("ECONNREFUSED");
            }
            try (ServerSocket back = server(two)) {
                assertThat(session(relay, back).target()).isEqualTo(two);
                assertThat(relay.stats().targets().get(1).up()).isTrue();
            }
        }
    }

    @Test
    @DisplayName("Tries are bounded")
    void tries() throws Exception {
        Endpoint[] dead = {refusing(), refusing(), refusing(), refusing(), refusing()};
        try (Relay relay = relay(TargetGroup.of(dead).tries(2));
                Socket client = connect(relay)) {
            assertThatThrownBy(() -> client.getInputStream().read()).isInstanceOf(SocketException.class);
            assertThat(record().tries()).isEqualTo(2);
        }
    }

    @Test
    @DisplayName("Checks find out that a target is gone, and that it is back, without any client")
    void checks() throws Exception {
        Endpoint address = refusing();
        Health health = QUICK.check(Duration.ofMillis(20), 2, 2);
        try (ServerSocket other = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
                Relay relay = relay(TargetGroup.of(address, address(other)).health(health))) {
            Thread.ofVirtual().start(() -> acceptAll(other));
            await(() -> !relay.stats().targets().getFirst().up());
            try (ServerSocket back = server(address)) {
                Thread.ofVirtual().start(() -> acceptAll(back));
                await(() -> relay.stats().targets().getFirst().up());
            }
            await(() -> !relay.stats().targets().getFirst().up());
            RelayStats stats = relay.stats();
            assertThat(stats.accepted()).isZero();
            assertThat(stats.targets().getFirst().connected()).isZero();
            assertThat(stats.targets().get(1).up()).isTrue();
        }
    }
}
