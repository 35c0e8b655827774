package dev.sluice.relay;

import static dev.sluice.relay.RelayFixture.ANY_PORT;
import static dev.sluice.relay.RelayFixture.address;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.io.Endpoint;
import dev.sluice.io.SluiceException;
import java.io.IOException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A running relay takes another configuration. */
@Timeout(60)
class ReloadTest {
    private final ServerSocket one = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    private final ServerSocket two = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());

    ReloadTest() throws IOException {}

    @AfterEach
    void close() throws IOException {
        one.close();
        two.close();
    }

    private static Socket connect(Endpoint to) throws IOException {
        return new Socket(InetAddress.getLoopbackAddress(), ((Endpoint.Tcp) to).port());
    }

    /** A free port that stays the same in both configurations. */
    private static Endpoint port() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return address(socket);
        }
    }

    private static void assertTalking(Socket client, Socket server) throws IOException {
        client.getOutputStream().write(42);
        assertThat(server.getInputStream().read()).isEqualTo(42);
        server.getOutputStream().write(43);
        assertThat(client.getInputStream().read()).isEqualTo(43);
    }

    @Test
    @DisplayName("New connections go to the new target; the old one keeps those that it has")
    void targetsChange() throws Exception {
        Service service = Service.of("web", ANY_PORT, address(one));
        try (Relay relay = Relay.start(RelayConfig.of(service))) {
            Endpoint at = relay.endpoints().getFirst();
            try (Socket before = connect(at);
                    Socket atOne = one.accept()) {
                RelayConfig next = RelayConfig.of(service.targets(TargetGroup.of(address(two))));
                Changes changes = relay.apply(next);
                assertThat(changes).hasToString("services changed web");
                assertThat(relay.config()).isEqualTo(next);
                assertThat(relay.endpoints()).containsExactly(at);
                assertTalking(before, atOne);
                try (Socket after = connect(at);
                        Socket atTwo = two.accept()) {
                    assertTalking(after, atTwo);
                }
            }
        }
    }

    @Test
    @DisplayName("Connections of removed targets are cut off if the group says so, and no others")
    void removedTargetsClose() throws Exception {
        Service service = Service.of("web", ANY_PORT, address(one), address(two));
        service = service.targets(service.targets().onRemove(OnRemove.CLOSE));
        try (Relay relay = Relay.start(RelayConfig.of(service));
                Socket first = connect(relay.endpoints().getFirst());
                Socket atOne = one.accept();
                Socket second = connect(relay.endpoints().getFirst());
                Socket atTwo = two.accept()) {
            assertTalking(first, atOne);
            assertTalking(second, atTwo);
            TargetGroup left = TargetGroup.of(address(two)).onRemove(OnRemove.CLOSE);
            Changes changes = relay.apply(RelayConfig.of(service.targets(left)));
            assertThat(changes.cut()).isEqualTo(1);
            assertThatThrownBy(() -> first.getInputStream().read()).isInstanceOf(SocketException.class);
            assertTalking(second, atTwo);
        }
    }

    @Test
    @DisplayName("A listener that moves to another service keeps its socket, and so who waits in its backlog")
    void listenerMoves() throws Exception {
        Endpoint moving = port();
        Service web = Service.of("web", List.of(ANY_PORT, moving), TargetGroup.of(address(one)));
        // One connection at a time: the second one waits in the backlog.
        try (Relay relay = Relay.start(RelayConfig.of(web).maxConnections(1));
                Socket first = connect(moving);
                Socket atOne = one.accept();
                Socket waiting = connect(moving)) {
            Service other = Service.of("other", moving, address(two));
            Changes changes = relay.apply(
                    RelayConfig.of(web.listen(List.of(ANY_PORT)), other).maxConnections(1));
            assertThat(changes.opened()).isEmpty();
            assertThat(changes.closed()).isEmpty();
            assertThat(changes).hasToString("services added other; services changed web");
            assertTalking(first, atOne);
            first.close();
            atOne.close();
            try (Socket atTwo = two.accept()) {
                assertTalking(waiting, atTwo);
            }
            assertThat(relay.stats().listeners()).extracting("service").containsExactly("web", "other");
        }
    }

    @Test
    @DisplayName("Listeners come and go; connections of those that went go on")
    void listenersComeAndGo() throws Exception {
        Endpoint first = port();
        Endpoint second = port();
        Service a = Service.of("a", first, address(one));
        Service b = Service.of("b", second, address(two));
        try (Relay relay = Relay.start(RelayConfig.of(a));
                Socket old = connect(first);
                Socket atOne = one.accept()) {
            Changes changes = relay.apply(RelayConfig.of(b));
            assertThat(changes.opened()).containsExactly(second);
            assertThat(changes.closed()).containsExactly(first);
            assertThat(changes.added()).containsExactly("b");
            assertThat(changes.removed()).containsExactly("a");
            assertTalking(old, atOne);
            assertThatThrownBy(() -> connect(first)).isInstanceOf(ConnectException.class);
            try (Socket client = connect(second);
                    Socket atTwo = two.accept()) {
                assertTalking(client, atTwo);
                assertThat(relay.live()).extracting("service").containsExactlyInAnyOrder("a", "b");
            }
        }
    }

    @Test
    @DisplayName("If a new address can't be bound, the exception says which, and nothing has changed")
    void nothingChangesOnFailure() throws Exception {
        Endpoint free = port();
        Service service = Service.of("web", ANY_PORT, address(one));
        RelayConfig before = RelayConfig.of(service);
        try (Relay relay = Relay.start(before)) {
            List<Endpoint> endpoints = relay.endpoints();
            Service more = service.listen(List.of(free, address(two))).targets(TargetGroup.of(address(two)));
            assertThatThrownBy(() -> relay.apply(RelayConfig.of(more)))
                    .isInstanceOf(SluiceException.class)
                    .hasMessageContaining(address(two).toString())
                    .hasMessageContaining("EADDRINUSE");
            assertThat(relay.config()).isSameAs(before);
            assertThat(relay.endpoints()).isEqualTo(endpoints);
            assertThatThrownBy(() -> connect(free)).isInstanceOf(ConnectException.class);
            try (Socket client = connect(endpoints.getFirst());
                    Socket server = one.accept()) {
                assertTalking(client, server);
            }
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> relay.apply(before.threads(3)))
                    .withMessageContaining("threads");
        }
    }

    @Test
    @DisplayName("An ending relay takes no other configuration")
    void tooLate() throws Exception {
        RelayConfig config = RelayConfig.of(Service.of("web", ANY_PORT, address(one)));
        try (Relay relay = Relay.start(config)) {
            relay.drain(Duration.ZERO);
            assertThatThrownBy(() -> relay.apply(config)).isInstanceOf(IllegalStateException.class);
        }
    }

    @Test
    @DisplayName("A configuration that contradicts itself is refused when it is made")
    void contradictions() {
        Service a = Service.of("a", Endpoint.parse(":8080"), Endpoint.parse("host:1"));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> RelayConfig.of(a, a.listen(List.of(ANY_PORT))))
                .withMessage("there are two services called a");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> RelayConfig.of(a, Service.of("b", Endpoint.parse(":8080"), Endpoint.parse("host:1"))))
                .withMessage("tcp::8080 is listened on twice, by service a and service b");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> a.listen(List.of()))
                .withMessage("service a listens nowhere");
        assertThatIllegalArgumentException().isThrownBy(RelayConfig::of).withMessageContaining("at least one service");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> TargetGroup.of(Endpoint.parse("a:1"), Endpoint.parse("a:1")))
                .withMessageContaining("tcp:a:1 is a target twice");
        assertThatIllegalArgumentException().isThrownBy(() -> new Target(Endpoint.parse("a:1"), 0, 0));
    }
}
