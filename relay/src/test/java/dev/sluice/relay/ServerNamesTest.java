package dev.sluice.relay;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sluice.io.Endpoint;
import dev.sluice.relay.SessionRecord.End;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SNIServerName;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.SSLSocketFactory;
import javax.net.ssl.TrustManagerFactory;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Targets by the name in a TLS greeting, with the JDK's own TLS on both ends. */
@Timeout(60)
class ServerNamesTest {
    private static final String PASSWORD = "changeit";
    private static final int PATIENCE_MILLIS = 20_000;

    private static SSLContext tls;

    @BeforeAll
    static void makeKeys(@TempDir Path directory) throws Exception {
        Path keytool = Path.of(System.getProperty("java.home"), "bin", "keytool");
        assumeTrue(Files.isExecutable(keytool), "this JDK has no keytool");
        Path file = directory.resolve("keys");
        Process process = new ProcessBuilder(
                        keytool.toString(),
                        "-genkeypair",
                        "-keyalg",
                        "EC",
                        "-alias",
                        "test",
                        "-dname",
                        "CN=test",
                        "-ext",
                        "san=dns:a.example.com,dns:*.b.example.com,dns:deep.c.example.com",
                        "-storepass",
                        PASSWORD,
                        "-keystore",
                        file.toString())
                .redirectErrorStream(true)
                .start();
        String said = new String(process.getInputStream().readAllBytes(), US_ASCII);
        assertThat(process.waitFor()).as(said).isZero();
        KeyStore keys = KeyStore.getInstance(file.toFile(), PASSWORD.toCharArray());
        KeyManagerFactory ours = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        ours.init(keys, PASSWORD.toCharArray());
        TrustManagerFactory trusted = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trusted.init(keys);
        tls = SSLContext.getInstance("TLS");
        tls.init(ours.getKeyManagers(), trusted.getTrustManagers(), null);
    }

    /** A relay in front of servers that say which one they are. */
    private static final class Fixture implements AutoCloseable {
        private final ServerSocket own = server();
        private final ServerSocket a = server();
        private final ServerSocket b = server();
        private final RelayFixture relay;

        Fixture(UnaryOperator<ServerNames> names, UnaryOperator<Service> change) throws IOException {
            relay = new RelayFixture(service -> change.apply(service.targets(group(own))
                    .serverNames(names.apply(ServerNames.of(Map.of(
                            "a.example.com", group(a), "*.B.Example.Com", group(b), "*.example.com", group(a)))))));
        }

        Fixture() throws IOException {
            this(names -> names, service -> service);
        }

        private static ServerSocket server() throws IOException {
            ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
            server.setSoTimeout(PATIENCE_MILLIS);
            return server;
        }

        private static TargetGroup group(ServerSocket server) {
            return TargetGroup.of(RelayFixture.address(server));
        }

        private ServerSocket server(String name) {
            return switch (name) {
                case "a" -> a;
                case "b" -> b;
                default -> own;
            };
        }

        /** Takes a TLS connection and answers one byte with the next one. */
        Thread serve(String name) {
            return Thread.ofVirtual().start(() -> {
                try (Socket plain = server(name).accept();
                        SSLSocket socket = (SSLSocket) tls.getSocketFactory().createSocket(plain, null, true)) {
                    plain.setSoTimeout(PATIENCE_MILLIS);
                    int b = socket.getInputStream().read();
                    socket.getOutputStream().write(b + 1);
                } catch (IOException e) {
                    System.out.println("server " + name + ": " + e);
                }
            });
        }

        @Override
        public void close() throws IOException {
            relay.close();
            own.close();
            a.close();
            b.close();
        }
    }

    private static SSLSocket secure(Socket plain, String name) throws IOException {
        SSLSocketFactory factory = tls.getSocketFactory();
        SSLSocket socket = (SSLSocket) factory.createSocket(plain, name, plain.getPort(), true);
        SSLParameters parameters = socket.getSSLParameters();
        List<SNIServerName> names = name.isEmpty() ? List.of() : List.of(new SNIHostName(name));
        parameters.setServerNames(names);
        if (name.endsWith("a.example.com")) {
            parameters.setEndpointIdentificationAlgorithm("HTTPS");
        }
        socket.setSSLParameters(parameters);
        return socket;
    }

    @ParameterizedTest
    @CsvSource({
        "a.example.com, a",
        "A.EXAMPLE.COM, a",
        "www.b.example.com, b",
        "deep.www.b.example.com, b",
        "b.example.com, a",
        "example.com, own",
        "a.example.org, own",
        "'', own",
    })
    @DisplayName("TLS from end to end goes where the name says")
    void endToEnd(String name, String server) throws Exception {
        try (Fixture fixture = new Fixture()) {
            Thread serving = fixture.serve(server);
            try (Socket plain = fixture.relay.client();
                    SSLSocket socket = secure(plain, name)) {
                plain.setSoTimeout(PATIENCE_MILLIS);
                socket.getOutputStream().write(41);
                assertThat(socket.getInputStream().read()).isEqualTo(42);
            }
            serving.join();
            assertThat(fixture.relay.record().target()).isEqualTo(RelayFixture.address(fixture.server(server)));
        }
    }

    @Test
    @DisplayName("A PROXY header comes before the greeting, and both do their work")
    void behindHeader() throws Exception {
        Endpoint client = new Endpoint.Tcp("192.0.2.1", 1);
        try (Fixture fixture =
                new Fixture(names -> names, service -> service.acceptProxy(AcceptProxy.of("127.0.0.1")))) {
            Thread serving = fixture.serve("b");
            try (Socket plain = fixture.relay.client()) {
                plain.getOutputStream().write(new ProxyHeader(client, client).version2());
                plain.setSoTimeout(PATIENCE_MILLIS);
                try (SSLSocket socket = secure(plain, "www.b.example.com")) {
                    socket.getOutputStream().write(41);
                    assertThat(socket.getInputStream().read()).isEqualTo(42);
                }
            }
            serving.join();
            assertThat(fixture.relay.record().client()).isEqualTo(client);
        }
    }

    @Test
    @DisplayName("A greeting that comes byte by byte reaches the target whole, and so does what is none")
    void untouched() throws Exception {
        byte[] hello = greeting();
        try (Fixture fixture = new Fixture()) {
            try (Socket client = fixture.relay.client()) {
                client.setTcpNoDelay(true);
                for (byte b : hello) {
                    client.getOutputStream().write(b);
                }
                try (Socket server = fixture.a.accept()) {
                    assertThat(server.getInputStream().readNBytes(hello.length)).isEqualTo(hello);
                }
            }
            try (Socket client = fixture.relay.client()) {
                client.getOutputStream().write("SSH-2.0-x\r\n".getBytes(US_ASCII));
                try (Socket server = fixture.own.accept()) {
                    assertThat(new String(server.getInputStream().readNBytes(11), US_ASCII))
                            .isEqualTo("SSH-2.0-x\r\n");
                }
            }
        }
    }

    /** What the JDK sends first, for a.example.com. */
    private static byte[] greeting() throws Exception {
        try (ServerSocket server = Fixture.server();
                Socket plain = new Socket(server.getInetAddress(), server.getLocalPort());
                Socket accepted = server.accept()) {
            SSLSocket socket = secure(plain, "a.example.com");
            Thread.ofVirtual().start(() -> {
                try {
                    socket.startHandshake();
                } catch (IOException e) {
                    // Nobody answers.
                }
            });
            InputStream in = accepted.getInputStream();
            byte[] header = in.readNBytes(5);
            return Fuzz.joined(header, in.readNBytes((header[3] & 0xff) << 8 | header[4] & 0xff));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "example.org"})
    @DisplayName("If only the names are served, others are reset, and the record says which")
    void onlyThese(String name) throws Exception {
        try (Fixture fixture = new Fixture(names -> names.onlyThese(true), service -> service)) {
            try (Socket plain = fixture.relay.client();
                    SSLSocket socket = secure(plain, name)) {
                assertThatThrownBy(socket::startHandshake).isInstanceOf(IOException.class);
            }
            assertRefused(
                    fixture,
                    "there is no target for " + (name.isEmpty() ? "no server name" : "server name example.org"));
            try (Socket client = fixture.relay.client()) {
                client.getOutputStream().write("GET / HTTP/1.0\r\n\r\n".getBytes(US_ASCII));
                client.setSoTimeout(PATIENCE_MILLIS);
                assertThatThrownBy(() -> client.getInputStream().read()).isInstanceOf(SocketException.class);
            }
            assertRefused(fixture, "bad TLS ClientHello: this is not a record of a TLS handshake");
        }
    }

    private static void assertRefused(Fixture fixture, String why) throws Exception {
        SessionRecord record = fixture.relay.record();
        assertThat(record.error()).isEqualTo("service test: " + why);
        assertThat(record.toTarget().end()).isEqualTo(End.REFUSED);
    }

    @Test
    @DisplayName("Who says too little is cut after a while; who ends within the greeting is gone at once")
    void incomplete() throws Exception {
        try (Fixture fixture = new Fixture(names -> names.timeout(Duration.ofMillis(200)), service -> service)) {
            for (int count : new int[] {0, 1, 100}) {
                try (Socket client = fixture.relay.client()) {
                    client.getOutputStream().write(greeting(), 0, count);
                    client.setSoTimeout(PATIENCE_MILLIS);
                    assertThatThrownBy(() -> client.getInputStream().read()).isInstanceOf(SocketException.class);
                }
                SessionRecord record = fixture.relay.record();
                assertThat(record.error()).isEqualTo("the TLS ClientHello was not complete within 200 ms");
                assertThat(record.toTarget().end()).isEqualTo(End.TIMEOUT);
            }
        }
        try (Fixture fixture = new Fixture()) {
            for (int count : new int[] {0, 1, 100}) {
                try (Socket client = fixture.relay.client()) {
                    client.getOutputStream().write(greeting(), 0, count);
                }
                SessionRecord record = fixture.relay.record();
                assertThat(record.error()).isEqualTo("the client ended before the TLS ClientHello was complete");
                assertThat(record.toTarget().end()).isEqualTo(End.FIN);
            }
        }
    }

    @Test
    @DisplayName("The whole name comes before its end, the longer end before the shorter")
    void find() {
        Map<String, Integer> by = Map.of("a.b.c", 1, "*.b.c", 2, "*.c", 3);
        assertThat(ServerNames.find(by, "a.b.c")).isEqualTo(1);
        assertThat(ServerNames.find(by, "x.b.c")).isEqualTo(2);
        assertThat(ServerNames.find(by, "y.x.b.c")).isEqualTo(2);
        assertThat(ServerNames.find(by, "b.c")).isEqualTo(3);
        assertThat(ServerNames.find(by, "c")).isNull();
        assertThat(ServerNames.find(by, "xb.d")).isNull();
        assertThat(ServerNames.find(by, "")).isNull();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "*",
                "*.",
                "*.*.com",
                "a*.com",
                "example.com.",
                "www..com",
                "bücher.example",
                "127.0.0.1",
                "a b"
            })
    @DisplayName("A name that no client can ask for is an error")
    void badNames(String name) {
        TargetGroup group = TargetGroup.of(Endpoint.parse("127.0.0.1:1"));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> ServerNames.of(Map.of(name, group)))
                .withMessageStartingWith("bad server name '");
    }

    @Test
    @DisplayName("A name is there once, and the targets of one service are removed in one way")
    void contradictions() {
        TargetGroup group = TargetGroup.of(Endpoint.parse("127.0.0.1:1"));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> ServerNames.of(Map.of("a.com", group, "A.com", group)))
                .withMessageContaining("a.com is there twice");
        Service service = Service.of("web", List.of(RelayFixture.ANY_PORT), group);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> service.serverNames(ServerNames.of(Map.of("a.com", group.onRemove(OnRemove.CLOSE)))))
                .withMessageContaining("a.com");
    }
}
