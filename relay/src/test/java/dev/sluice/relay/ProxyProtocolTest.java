package dev.sluice.relay;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.io.Endpoint;
import dev.sluice.net.StreamListener;
import dev.sluice.net.StreamSocket;
import dev.sluice.relay.Peeked.Found;
import dev.sluice.relay.SessionRecord.End;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Headers of the PROXY protocol that come in, and those that go out. */
@Timeout(60)
class ProxyProtocolTest {
    private static final Endpoint CLIENT = new Endpoint.Tcp("192.0.2.1", 56324);
    private static final ProxyHeader HEADER = new ProxyHeader(CLIENT, new Endpoint.Tcp("198.51.100.2", 443));
    private static final Duration LONG = Duration.ofSeconds(50);
    private static final Duration SHORT = Duration.ofMillis(200);

    private static RelayFixture accepting(UnaryOperator<Service> change) throws IOException {
        return new RelayFixture(service ->
                change.apply(service.acceptProxy(AcceptProxy.of("127.0.0.1").timeout(LONG))));
    }

    private static RelayFixture accepting() throws IOException {
        return accepting(service -> service);
    }

    private static RelayFixture telling(ProxyProtocol version) throws IOException {
        return new RelayFixture(service -> service.targets(service.targets().proxyProtocol(version)));
    }

    private static byte[] bytes(ProxyProtocol version) {
        return version == ProxyProtocol.V1 ? HEADER.version1() : HEADER.version2();
    }

    private static String read(Socket socket, int count) throws IOException {
        return new String(socket.getInputStream().readNBytes(count), US_ASCII);
    }

    private static Endpoint local(Socket socket) {
        return Endpoint.of(socket.getLocalSocketAddress());
    }

    private static void send(Socket socket, byte[] bytes) throws IOException {
        socket.getOutputStream().write(bytes);
    }

    private static byte[] joined(byte[] header, String payload) {
        return Fuzz.joined(header, payload.getBytes(US_ASCII));
    }

    @ParameterizedTest
    @EnumSource(names = {"V1", "V2"})
    @DisplayName("A header that comes byte by byte is taken away, and nothing behind it")
    void byteByByte(ProxyProtocol version) throws Exception {
        try (RelayFixture fixture = accepting();
                Socket client = fixture.client()) {
            client.setTcpNoDelay(true);
            for (byte b : bytes(version)) {
                send(client, new byte[] {b});
                Thread.sleep(1);
            }
            try (Socket server = fixture.server.accept()) {
                send(client, "hello".getBytes(US_ASCII));
                assertThat(read(server, 5)).isEqualTo("hello");
                assertThat(fixture.relay.live())
                        .singleElement()
                        .extracting(LiveSession::client)
                        .isEqualTo(CLIENT);
                client.shutdownOutput();
                assertThat(server.getInputStream().read()).isEqualTo(-1);
            }
            SessionRecord record = fixture.record();
            assertThat(record.error()).isEmpty();
            assertThat(record.client()).isEqualTo(CLIENT);
            assertThat(record.peer()).isEqualTo(local(client));
            assertThat(record.toTarget().bytes()).isEqualTo(5);
            assertThat(record.toTarget().bytesIn()).isEqualTo(5);
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"V1", "V2"})
    @DisplayName("A header with the stream in the same segment, and the end right behind it")
    void oneSegment(ProxyProtocol version) throws Exception {
        byte[] payload = new byte[100_000];
        new Random(1).nextBytes(payload);
        for (byte[] sent : List.of(joined(bytes(version), "x"), Fuzz.joined(bytes(version), payload), bytes(version))) {
            try (RelayFixture fixture = accepting();
                    Socket client = fixture.client()) {
                send(client, sent);
                client.shutdownOutput();
                try (Socket server = fixture.server.accept()) {
                    byte[] got = server.getInputStream().readAllBytes();
                    byte[] expected = Arrays.copyOfRange(sent, bytes(version).length, sent.length);
                    assertThat(Arrays.mismatch(got, expected)).isEqualTo(-1);
                    send(server, "reply".getBytes(US_ASCII));
                }
                assertThat(read(client, 5)).isEqualTo("reply");
                assertThat(fixture.record().toTarget().end()).isEqualTo(End.FIN);
            }
        }
    }

    @Test
    @DisplayName("A header that names nobody leaves the proxy as the client")
    void nobody() throws Exception {
        for (byte[] header : List.of(ProxyHeader.NONE.version1(), ProxyHeader.NONE.version2())) {
            try (RelayFixture fixture = accepting();
                    Socket client = fixture.client()) {
                Endpoint proxy = local(client);
                send(client, joined(header, "hello"));
                try (Socket server = fixture.server.accept()) {
                    assertThat(read(server, 5)).isEqualTo("hello");
                }
                client.close();
                SessionRecord record = fixture.record();
                assertThat(record.client()).isEqualTo(proxy).isEqualTo(record.peer());
            }
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "GET / HTTP/1.1\r\n\r\n",
                "PROXY TCP4 192.0.2.1 198.51.100.2 1 2 and something that goes on for longer than any header of version 1 may",
                "\r\n\r\n\0\r\nQUIT\n\u0031\u0011\0\f............",
            })
    @DisplayName("What is not a header, or too long, or of another version, is reset")
    void notAHeader(String text) throws Exception {
        try (RelayFixture fixture = accepting();
                Socket client = fixture.client()) {
            send(client, text.getBytes(US_ASCII));
            assertReset(client);
            SessionRecord record = fixture.record();
            assertThat(record.error()).startsWith("service test: bad PROXY header: ");
            assertThat(record.toTarget().end()).isEqualTo(End.REFUSED);
            assertThat(record.tries()).isZero();
        }
    }

    private static void assertReset(Socket client) throws IOException {
        client.setSoTimeout(20_000);
        assertThatThrownBy(() -> client.getInputStream().read()).isInstanceOf(SocketException.class);
    }

    @Test
    @DisplayName("Who is not trusted is reset, whatever he sends")
    void untrusted() throws Exception {
        try (RelayFixture fixture = new RelayFixture(
                        service -> service.acceptProxy(AcceptProxy.of("127.0.0.2/31", "::1", "unix:")));
                Socket client = fixture.client()) {
            assertReset(client);
            SessionRecord record = fixture.record();
            assertThat(record.error())
                    .isEqualTo("service test: " + local(client) + " is not trusted to send PROXY headers");
            assertThat(record.toTarget().end()).isEqualTo(End.REFUSED);
            assertThat(fixture.relay.stats().services().getFirst().refused()).isEqualTo(1);
            try (Socket trusted = new Socket(
                    InetAddress.getLoopbackAddress(),
                    RelayFixture.port(fixture.relay),
                    InetAddress.ofLiteral("127.0.0.2"),
                    0)) {
                send(trusted, joined(HEADER.version1(), "hello"));
                try (Socket server = fixture.server.accept()) {
                    assertThat(read(server, 5)).isEqualTo("hello");
                }
            }
        }
    }

    @Test
    @DisplayName("Who hides behind a reset is not believed, and is nobody whom an access list allows")
    void hidden() throws Exception {
        assertHiddenIsRefused(service -> service.acceptProxy(AcceptProxy.of("127.0.0.1")), "is not trusted");
        assertHiddenIsRefused(service -> service.access(AccessList.of("deny 127.0.0.2")), "is not allowed");
    }

    /** A client that is gone when it is accepted has no address any more, but its bytes are there. */
    private static void assertHiddenIsRefused(UnaryOperator<Service> change, String why) throws Exception {
        try (RelayFixture fixture = new RelayFixture(change, config -> config.maxConnections(1));
                Socket first = fixture.client()) {
            while (fixture.relay.sessions() == 0) {
                Thread.sleep(1);
            }
            try (Socket second = new Socket(
                    InetAddress.getLoopbackAddress(),
                    RelayFixture.port(fixture.relay),
                    InetAddress.ofLiteral("127.0.0.2"),
                    0)) {
                send(second, joined(HEADER.version1(), "hello"));
                second.setSoLinger(true, 0);
            }
            long before = fixture.relay.stats().services().getFirst().refused();
            first.setSoLinger(true, 0);
            first.close();
            fixture.record();
            assertThat(fixture.record().error()).contains(why);
            assertThat(fixture.relay.stats().services().getFirst().refused()).isEqualTo(before + 1);
        }
    }

    @Test
    @DisplayName("A header that is slow, or has no end, is cut by its own time-out")
    void slow() throws Exception {
        try (RelayFixture fixture = new RelayFixture(
                service -> service.acceptProxy(AcceptProxy.of("127.0.0.0/8").timeout(SHORT)))) {
            byte[] header = Arrays.copyOf(HEADER.version2(), 4000);
            header[14] = 0x0f;
            header[15] = (byte) 0x90;
            for (int count : new int[] {0, 1, 20, 3999}) {
                try (Socket client = fixture.client()) {
                    send(client, Arrays.copyOf(header, count));
                    assertReset(client);
                    assertTooSlow(fixture.record());
                }
            }
            try (Socket client = fixture.client()) {
                client.setTcpNoDelay(true);
                assertThatThrownBy(() -> {
                            for (byte b : header) {
                                send(client, new byte[] {b});
                                Thread.sleep(2);
                            }
                        })
                        .isInstanceOf(IOException.class);
                assertTooSlow(fixture.record());
            }
        }
    }

    private static void assertTooSlow(SessionRecord record) {
        assertThat(record.error()).isEqualTo("the PROXY header was not complete within 200 ms");
        assertThat(record.toTarget().end()).isEqualTo(End.TIMEOUT);
        assertThat(record.toClient().end()).isEqualTo(End.TIMEOUT);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    @DisplayName("A client that ends, or resets, within its header is noticed at once")
    void endsWithin(boolean reset) throws Exception {
        try (RelayFixture fixture = accepting()) {
            for (int count : new int[] {0, 1, 20}) {
                for (int pause : new int[] {0, 30}) {
                    try (Socket client = fixture.client()) {
                        send(client, Arrays.copyOf(HEADER.version1(), count));
                        Thread.sleep(pause);
                        client.setSoLinger(reset, 0);
                    }
                    SessionRecord record = fixture.record();
                    // A client that is gone before it is accepted has no address that could be trusted.
                    if (record.toTarget().end() != End.REFUSED) {
                        assertThat(record.error()).isEqualTo("the client ended before the PROXY header was complete");
                        assertThat(record.toTarget().end()).isEqualTo(reset ? End.RST : End.FIN);
                    }
                }
            }
        }
    }

    @Test
    @DisplayName("A thousand clients with slow headers hold up nobody, and are served when they are done")
    void manySlow() throws Exception {
        int slow = 1000;
        byte[] header = HEADER.version2();
        List<Socket> clients = new ArrayList<>();
        try (RelayFixture fixture = accepting()) {
            for (int i = 0; i < slow; i++) {
                clients.add(fixture.client());
                send(clients.getLast(), Arrays.copyOf(header, i % header.length));
            }
            for (int i = 0; i < 20; i++) {
                try (Socket client = fixture.client()) {
                    send(client, joined(header, "hello"));
                    try (Socket server = fixture.server.accept()) {
                        assertThat(read(server, 5)).isEqualTo("hello");
                    }
                }
            }
            for (int i = 0; i < slow; i++) {
                send(clients.get(i), Arrays.copyOfRange(header, i % header.length, header.length));
                send(clients.get(i), "hello".getBytes(US_ASCII));
                try (Socket server = fixture.server.accept()) {
                    assertThat(read(server, 5)).isEqualTo("hello");
                }
            }
        } finally {
            for (Socket client : clients) {
                client.close();
            }
        }
    }

    @Test
    @DisplayName("A relay that is drained cuts off who has not said enough")
    void drained() throws Exception {
        try (RelayFixture fixture = accepting();
                Socket client = fixture.client()) {
            send(client, "PROXY ".getBytes(US_ASCII));
            while (fixture.relay.sessions() == 0) {
                Thread.sleep(1);
            }
            assertThat(fixture.relay.drain(Duration.ofMillis(50))).isEqualTo(1);
            assertReset(client);
            assertThat(fixture.record().toTarget().end()).isEqualTo(End.DRAIN);
        }
    }

    @Test
    @DisplayName("Who has not said enough when the relay is configured anew goes where the new configuration says")
    void reloaded() throws Exception {
        try (RelayFixture fixture = accepting();
                ServerSocket other = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
                Socket client = fixture.client()) {
            send(client, Arrays.copyOf(HEADER.version1(), 10));
            while (fixture.relay.sessions() == 0) {
                Thread.sleep(1);
            }
            RelayConfig config = fixture.relay.config();
            Service service = config.services().getFirst();
            fixture.relay.apply(config.services(List.of(service.targets(TargetGroup.of(RelayFixture.address(other))))));
            byte[] header = HEADER.version1();
            send(client, Arrays.copyOfRange(header, 10, header.length));
            send(client, "hello".getBytes(US_ASCII));
            try (Socket server = other.accept()) {
                assertThat(read(server, 5)).isEqualTo("hello");
            }
        }
    }

    @Test
    @DisplayName("Access and balancing go by the client that the header names")
    void believed() throws Exception {
        try (ServerSocket first = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
                ServerSocket second = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
                RelayFixture fixture = accepting(service -> service.access(AccessList.of("deny 192.0.2.0/24"))
                        .targets(TargetGroup.of(RelayFixture.address(first), RelayFixture.address(second))
                                .balance(Balance.SOURCE_HASH)))) {
            try (Socket client = fixture.client()) {
                send(client, HEADER.version2());
                assertReset(client);
                assertThat(fixture.record().error()).isEqualTo("service test: this client's address is not allowed");
            }
            for (int i = 0; i < 40; i++) {
                try (Socket client = fixture.client()) {
                    Endpoint named = new Endpoint.Tcp("203.0.113." + i, i);
                    send(client, new ProxyHeader(named, named).version2());
                    client.shutdownOutput();
                    SessionRecord record = fixtureEnd(fixture, first, second);
                    assertThat(record.client()).isEqualTo(named);
                }
            }
            assertThat(fixture.relay.stats().targets())
                    .allSatisfy(target -> assertThat(target.connected()).isPositive());
        }
    }

    private static SessionRecord fixtureEnd(RelayFixture fixture, ServerSocket... servers) throws Exception {
        for (ServerSocket server : servers) {
            server.setSoTimeout(50);
        }
        for (int i = 0; ; i = 1 - i) {
            try {
                servers[i].accept().close();
                return fixture.record();
            } catch (SocketTimeoutException e) {
                // The other one, then.
            }
        }
    }

    private static ProxyHeader readHeader(Socket server, ProxyProtocol version) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(ProxyHeader.MAX_LENGTH);
        while (!(ProxyHeader.parse(bytes.duplicate().flip()) instanceof Found<ProxyHeader> found)) {
            int b = server.getInputStream().read();
            assertThat(b).as("a byte after %s", bytes).isNotNegative();
            bytes.put((byte) b);
        }
        assertThat(bytes.get(0)).isEqualTo((byte) (version == ProxyProtocol.V1 ? 'P' : '\r'));
        return found.value();
    }

    @ParameterizedTest
    @EnumSource(names = {"V1", "V2"})
    @DisplayName("A target that speaks first has its header before the client says anything, and it counts nowhere")
    void out(ProxyProtocol version) throws Exception {
        try (RelayFixture fixture = telling(version);
                Socket client = fixture.client();
                Socket server = fixture.server.accept()) {
            ProxyHeader header = readHeader(server, version);
            assertThat(header).isEqualTo(new ProxyHeader(local(client), Endpoint.of(client.getRemoteSocketAddress())));
            send(server, "greeting".getBytes(US_ASCII));
            assertThat(read(client, 8)).isEqualTo("greeting");
            send(client, "hello".getBytes(US_ASCII));
            client.shutdownOutput();
            assertThat(new String(server.getInputStream().readAllBytes(), US_ASCII))
                    .isEqualTo("hello");
            server.close();
            SessionRecord record = fixture.record();
            assertThat(record.toTarget().bytesIn()).isEqualTo(5);
            assertThat(record.toTarget().bytes()).isEqualTo(5);
            assertThat(record.client()).isEqualTo(record.peer());
        }
    }

    @Test
    @DisplayName("A target that is tried after another one has its header, too")
    void nextTarget() throws Exception {
        Endpoint gone;
        try (ServerSocket closed = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            gone = RelayFixture.address(closed);
        }
        try (RelayFixture fixture = new RelayFixture(service -> service.targets(TargetGroup.of(
                                gone, service.targets().targets().getFirst().endpoint())
                        .proxyProtocol(ProxyProtocol.V2)));
                Socket client = fixture.client();
                Socket server = fixture.server.accept()) {
            assertThat(readHeader(server, ProxyProtocol.V2).source()).isEqualTo(local(client));
        }
    }

    @Test
    @DisplayName("What a header says is passed on, over one relay after the other and in other versions")
    void chain() throws Exception {
        try (RelayFixture last =
                        accepting(service -> service.targets(service.targets().proxyProtocol(ProxyProtocol.V1)));
                Relay first = Relay.start(RelayConfig.of(Service.of(
                                "first",
                                List.of(RelayFixture.ANY_PORT),
                                TargetGroup.of(last.relay.endpoints().getFirst())
                                        .proxyProtocol(ProxyProtocol.V2))
                        .acceptProxy(AcceptProxy.of("127.0.0.0/8"))));
                Socket client = new Socket(InetAddress.getLoopbackAddress(), RelayFixture.port(first))) {
            send(client, joined(HEADER.version1(), "hello"));
            try (Socket server = last.server.accept()) {
                assertThat(readHeader(server, ProxyProtocol.V1)).isEqualTo(HEADER);
                assertThat(read(server, 5)).isEqualTo("hello");
            }
            Endpoint original = local(client);
            client.close();
            SessionRecord record = last.record();
            assertThat(record.client()).isEqualTo(CLIENT);
            assertThat(record.peer()).isNotEqualTo(original).isNotEqualTo(CLIENT);
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"V1", "V2"})
    @DisplayName("Of a client on a Unix socket there is nothing to tell, unless it is a proxy")
    void unix(ProxyProtocol version) throws Exception {
        Endpoint plain = new Endpoint.Abstract("sluice-proxy-" + System.nanoTime());
        Endpoint proxied = new Endpoint.Abstract("sluice-proxied-" + System.nanoTime());
        try (StreamListener target = StreamListener.listen(Endpoint.parse("127.0.0.1:0"))) {
            TargetGroup group = TargetGroup.of(target.endpoint()).proxyProtocol(version);
            try (Relay relay = Relay.start(RelayConfig.of(
                    Service.of("plain", List.of(plain), group),
                    Service.of("proxied", List.of(proxied), group)
                            .acceptProxy(AcceptProxy.of("10.0.0.0/8", "unix:"))))) {
                assertThat(relay.endpoints()).hasSize(2);
                byte[] nothing =
                        version == ProxyProtocol.V1 ? ProxyHeader.NONE.version1() : ProxyHeader.NONE.version2();
                assertSeen(plain, "hello".getBytes(US_ASCII), target, joined(nothing, "hello"));
                assertSeen(proxied, joined(HEADER.version2(), "hello"), target, joined(bytes(version), "hello"));
            }
        }
    }

    private static void assertSeen(Endpoint at, byte[] sent, StreamListener target, byte[] expected)
            throws IOException {
        try (StreamSocket client = StreamSocket.connect(at)) {
            client.write(ByteBuffer.wrap(sent));
            try (StreamSocket server = target.accept()) {
                byte[] got = Channels.newInputStream(server).readNBytes(expected.length);
                assertThat(got).isEqualTo(expected);
            }
        }
    }

    @Test
    @DisplayName("Nobody is trusted by accident")
    void configuration() {
        assertThatIllegalArgumentException().isThrownBy(AcceptProxy::of).withMessageContaining("nobody is trusted");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> AcceptProxy.of("proxy.example.com"))
                .withMessageContaining("bad address range 'proxy.example.com'");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> AcceptProxy.of("::1").timeout(Duration.ZERO))
                .withMessageContaining("not positive");
    }
}
