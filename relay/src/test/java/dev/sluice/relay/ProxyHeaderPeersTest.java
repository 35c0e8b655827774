package dev.sluice.relay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sluice.io.Endpoint;
import dev.sluice.relay.Peeked.Found;
import dev.sluice.relay.Peeked.More;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Headers of the PROXY protocol between us and programs that know nothing of us: curl, HAProxy on either side, nginx. */
@Timeout(60)
class ProxyHeaderPeersTest {
    private static final int PATIENCE_MILLIS = 20_000;

    @TempDir
    Path directory;

    private static ServerSocket server(String address) throws IOException {
        ServerSocket server = new ServerSocket();
        try {
            server.bind(new InetSocketAddress(InetAddress.ofLiteral(address), 0));
        } catch (IOException e) {
            server.close();
            assumeTrue(false, "no " + address + " on this machine: " + e.getMessage());
        }
        server.setSoTimeout(PATIENCE_MILLIS);
        return server;
    }

    private static Socket accept(ServerSocket server) throws IOException {
        Socket socket = server.accept();
        socket.setSoTimeout(PATIENCE_MILLIS);
        return socket;
    }

    /** Reads as many bytes as are said to be missing, so that the next byte is the first one of the payload. */
    private static ProxyHeader header(InputStream in) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(ProxyHeader.MAX_LENGTH);
        Peeked<ProxyHeader> answer;
        while ((answer = ProxyHeader.parse(bytes.duplicate().flip())) instanceof More<ProxyHeader> more) {
            byte[] read = in.readNBytes(more.bytes());
            assertThat(read).as("bytes after %s", bytes).hasSize(more.bytes());
            bytes.put(read);
        }
        assertThat(answer).isInstanceOf(Found.class);
        assertThat(((Found<ProxyHeader>) answer).length()).isEqualTo(bytes.position());
        return ((Found<ProxyHeader>) answer).value();
    }

    @ParameterizedTest
    @ValueSource(strings = {"127.0.0.1", "::1"})
    @DisplayName("curl --haproxy-protocol tells its own addresses")
    void curl(String address) throws Exception {
        assumeTrue(isInstalled("curl"), "curl is not installed");
        try (ServerSocket server = server(address)) {
            String url = "http://" + (address.equals("::1") ? "[::1]" : address) + ":" + server.getLocalPort() + "/";
            Process curl = new ProcessBuilder(
                            "curl", "--silent", "--noproxy", "*", "--haproxy-protocol", "--max-time", "20", url)
                    .redirectErrorStream(true)
                    .start();
            try (Socket socket = accept(server)) {
                assertThat(header(socket.getInputStream()))
                        .isEqualTo(new ProxyHeader(
                                Endpoint.of(socket.getRemoteSocketAddress()),
                                Endpoint.of(socket.getLocalSocketAddress())));
                assertThat(text(socket.getInputStream().readNBytes(5))).isEqualTo("GET /");
                socket.getOutputStream().write("HTTP/1.0 204 No Content\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
            } finally {
                end(curl);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({
        "127.0.0.1, send-proxy",
        "127.0.0.1, send-proxy-v2",
        "127.0.0.1, 'send-proxy-v2 proxy-v2-options crc32c,ssl,authority'",
        "::1, send-proxy",
        "::1, send-proxy-v2",
        "::1, 'send-proxy-v2 proxy-v2-options crc32c'",
    })
    @DisplayName("HAProxy tells the addresses of its client, in both versions")
    void fromHaproxy(String address, String option) throws Exception {
        int port;
        try (ServerSocket free = server(address)) {
            port = free.getLocalPort();
        }
        try (ServerSocket server = server("127.0.0.1");
                Program haproxy = haproxy("mode tcp", bind(address, port), server(server, option));
                Socket client = new Socket(InetAddress.ofLiteral(address), port);
                Socket accepted = accept(server)) {
            client.getOutputStream().write("hello".getBytes(StandardCharsets.US_ASCII));
            assertThat(header(accepted.getInputStream()))
                    .isEqualTo(new ProxyHeader(
                            Endpoint.of(client.getLocalSocketAddress()), Endpoint.of(client.getRemoteSocketAddress())));
            assertThat(text(accepted.getInputStream().readNBytes(5))).isEqualTo("hello");
        }
    }

    private static String bind(String address, int port) {
        return "bind " + (address.equals("::1") ? "ipv6@::1" : address) + ":" + port;
    }

    private static String server(ServerSocket server, String options) {
        return "server s 127.0.0.1:" + server.getLocalPort() + " " + options;
    }

    @Test
    @DisplayName("HAProxy's client on a Unix socket has no name, or none in version 1")
    void fromHaproxyAndUnix() throws Exception {
        for (String option : List.of("send-proxy", "send-proxy-v2")) {
            Path path = directory.resolve("in");
            try (ServerSocket server = server("127.0.0.1");
                    Program haproxy = haproxy("mode tcp", "bind unix@" + path, server(server, option));
                    SocketChannel client = SocketChannel.open(UnixDomainSocketAddress.of(path));
                    Socket accepted = accept(server)) {
                client.write(ByteBuffer.wrap("hello".getBytes(StandardCharsets.US_ASCII)));
                ProxyHeader header = header(accepted.getInputStream());
                System.out.println("HAProxy, " + option + ", Unix: " + header);
                assertThat(header.isNone() || header.source().equals(new Endpoint.Unix("")))
                        .as("%s", header)
                        .isTrue();
                assertThat(text(accepted.getInputStream().readNBytes(5))).isEqualTo("hello");
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"send-proxy", "send-proxy-v2"})
    @DisplayName("HAProxy's health checks have a header that is taken too")
    void healthCheck(String option) throws Exception {
        try (ServerSocket server = server("127.0.0.1");
                Program haproxy = haproxy(
                        "mode http",
                        "option httpchk",
                        "bind unix@" + directory.resolve("in"),
                        server(server, option + " check"));
                Socket accepted = accept(server)) {
            ProxyHeader header = header(accepted.getInputStream());
            System.out.println("HAProxy, " + option + ", health check: " + header);
            assertThat(header.isNone() || header.source().equals(Endpoint.of(accepted.getRemoteSocketAddress())))
                    .as("%s", header)
                    .isTrue();
            assertThat(text(accepted.getInputStream().readNBytes(9))).isEqualTo("OPTIONS /");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"haproxy", "nginx"})
    @DisplayName("HAProxy and nginx believe our headers of both versions and families")
    void toOthers(String name) throws Exception {
        Endpoint v4 = new Endpoint.Tcp("192.0.2.1", 56324);
        Endpoint other4 = new Endpoint.Tcp("198.51.100.255", 1);
        Endpoint v6 = new Endpoint.Tcp("2001:db8:0:0:0:0:0:1", 65535);
        ProxyHeader unix = new ProxyHeader(new Endpoint.Unix("/a"), new Endpoint.Abstract("b"));
        try (Program program = name.equals("nginx") ? nginx() : haproxy()) {
            for (boolean first : new boolean[] {true, false}) {
                assertThat(program.sees(bytes(new ProxyHeader(v4, other4), first)))
                        .isEqualTo("192.0.2.1 56324 198.51.100.255 1");
                assertThat(canonical(program.sees(bytes(new ProxyHeader(v6, v6), first))))
                        .isEqualTo("2001:db8:0:0:0:0:0:1 65535 2001:db8:0:0:0:0:0:1 65535");
                assertThat(canonical(program.sees(bytes(new ProxyHeader(v4, v6), first))))
                        .isEqualTo("192.0.2.1 56324 2001:db8:0:0:0:0:0:1 65535");
                assertThat(program.sees(bytes(ProxyHeader.NONE, first))).isBlank();
            }
            assertThat(program.sees(unix.version1())).isBlank();
            if (name.equals("nginx")) {
                // The specification has Unix sockets in version 2, but HAProxy 2.6 resets the connection.
                assertThat(program.sees(unix.version2())).isBlank();
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"haproxy, V1", "haproxy, V2", "nginx, V1", "nginx, V2"})
    @DisplayName("What curl tells of itself goes through a relay to HAProxy and nginx")
    void curlThroughRelay(String name, ProxyProtocol version) throws Exception {
        assumeTrue(isInstalled("curl"), "curl is not installed");
        try (Relay relay = relay(version);
                Program program = name.equals("nginx") ? nginx() : haproxy()) {
            int port = RelayFixture.port(relay);
            Process curl = new ProcessBuilder(
                            "curl",
                            "--silent",
                            "--noproxy",
                            "*",
                            "--haproxy-protocol",
                            "--max-time",
                            "20",
                            "--write-out",
                            "/%{local_port}",
                            "http://127.0.0.1:" + port + "/")
                    .redirectErrorStream(true)
                    .start();
            String[] said = text(curl.getInputStream().readAllBytes()).split("/");
            end(curl);
            assertThat(said).as(String.join("/", said)).hasSize(2);
            assertThat(said[0].strip()).isEqualTo("127.0.0.1 " + said[1] + " 127.0.0.1 " + port);
            assertThat(program.process.isAlive()).isTrue();
        }
    }

    /** From proxies to whatever program is asked what it takes from a header. */
    private Relay relay(ProxyProtocol version) throws IOException {
        TargetGroup group =
                TargetGroup.of(new Endpoint.Unix(directory.resolve("accept").toString()));
        return Relay.start(
                RelayConfig.of(Service.of("test", List.of(RelayFixture.ANY_PORT), group.proxyProtocol(version))
                        .acceptProxy(AcceptProxy.of("127.0.0.0/8"))));
    }

    @ParameterizedTest
    @CsvSource({"send-proxy, V2", "send-proxy-v2, V1", "nginx, V1", "nginx, V2"})
    @DisplayName("What HAProxy and nginx tell of their client goes through a relay and back to them")
    void othersThroughRelay(String option, ProxyProtocol version) throws Exception {
        int port;
        try (ServerSocket free = server("127.0.0.1")) {
            port = free.getLocalPort();
        }
        try (Relay relay = relay(version);
                Program program = option.equals("nginx")
                        ? nginx(port, RelayFixture.port(relay))
                        : haproxy(
                                "mode tcp",
                                bind("127.0.0.1", port),
                                "server s 127.0.0.1:" + RelayFixture.port(relay) + " " + option);
                Socket client = new Socket(InetAddress.ofLiteral("127.0.0.1"), port)) {
            client.setSoTimeout(PATIENCE_MILLIS);
            client.getOutputStream().write("GET / HTTP/1.0\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
            assertThat(text(client.getInputStream().readAllBytes()).strip())
                    .startsWith("HTTP/1.1 200 OK")
                    .endsWith("127.0.0.1 " + client.getLocalPort() + " 127.0.0.1 " + port);
            assertThat(program.process.isAlive()).isTrue();
        }
    }

    /** Programs differ in how they print an IPv6 address. */
    private static String canonical(String seen) {
        String[] fields = seen.split(" ");
        return IpAddress.parse(fields[0]) + " " + fields[1] + " " + IpAddress.parse(fields[2]) + " " + fields[3];
    }

    private static byte[] bytes(ProxyHeader header, boolean first) {
        return first ? header.version1() : header.version2();
    }

    private static boolean isInstalled(String program) {
        return List.of(System.getenv("PATH").split(":")).stream()
                .anyMatch(path -> Files.isExecutable(Path.of(path, program)));
    }

    private static String text(byte[] bytes) {
        return new String(bytes, StandardCharsets.ISO_8859_1);
    }

    private static void end(Process process) throws InterruptedException {
        if (!process.waitFor(5, TimeUnit.SECONDS)) {
            process.destroyForcibly().waitFor();
        }
    }

    /** HAProxy with a section of its own, and one that tells which addresses it took from a header. */
    private Program haproxy(String... section) throws Exception {
        Path config = directory.resolve("haproxy.cfg");
        Path acceptor = directory.resolve("accept");
        Files.writeString(
                config,
                """
                global
                    maxconn 100
                defaults
                    timeout connect 10s
                    timeout client 30s
                    timeout server 30s
                listen accept
                    mode http
                    bind unix@%s accept-proxy
                    http-request return status 200 content-type text/plain lf-string "%%[src] %%[src_port] %%[dst] %%[dst_port]"
                """.formatted(acceptor)
                        + (section.length == 0 ? "" : "listen s\n    " + String.join("\n    ", section) + "\n"));
        return new Program(acceptor, "haproxy", "-db", "-f", config.toString());
    }

    /** nginx, that tells which addresses it took from a header. */
    private Program nginx() throws Exception {
        return nginx("");
    }

    /** The same, with a listener that tells its target by a header who its client is. */
    private Program nginx(int from, int to) throws Exception {
        Path module = Path.of("/usr/lib/nginx/modules/ngx_stream_module.so");
        assumeTrue(Files.exists(module), "nginx has no stream module");
        return nginx("""
                load_module %s;
                stream { server { listen 127.0.0.1:%d; proxy_pass 127.0.0.1:%d; proxy_protocol on; } }
                """.formatted(module, from, to));
    }

    private Program nginx(String more) throws Exception {
        Path config = directory.resolve("nginx.conf");
        Path acceptor = directory.resolve("accept");
        Files.writeString(config, more + """
                daemon off;
                master_process off;
                pid nginx.pid;
                events { }
                http {
                    access_log off;
                    client_body_temp_path body;
                    proxy_temp_path proxy;
                    fastcgi_temp_path fastcgi;
                    uwsgi_temp_path uwsgi;
                    scgi_temp_path scgi;
                    server {
                        listen unix:%s proxy_protocol;
                        location / {
                            return 200 "$proxy_protocol_addr $proxy_protocol_port $proxy_protocol_server_addr $proxy_protocol_server_port";
                        }
                    }
                }
                """.formatted(acceptor));
        return new Program(acceptor, "nginx", "-e", "stderr", "-p", directory.toString(), "-c", config.toString());
    }

    /** A program that listens on a Unix socket for a header and a request, and answers with what it took from the header. */
    private final class Program implements AutoCloseable {
        private final Path acceptor;
        private final Process process;

        /** Waits until it listens. */
        Program(Path acceptor, String... command) throws Exception {
            Path sbin = Path.of("/usr/sbin", command[0]);
            assumeTrue(isInstalled(command[0]) || Files.isExecutable(sbin), command[0] + " is not installed");
            command[0] = isInstalled(command[0]) ? command[0] : sbin.toString();
            this.acceptor = acceptor;
            Files.deleteIfExists(acceptor);
            Path log = directory.resolve("log");
            process = new ProcessBuilder(command)
                    .redirectErrorStream(true)
                    .redirectOutput(log.toFile())
                    .start();
            boolean ready = false;
            try {
                long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(PATIENCE_MILLIS);
                while (!(ready = isReady()) && process.isAlive() && System.nanoTime() - deadline < 0) {
                    Thread.sleep(20);
                }
                assertThat(ready)
                        .as("%s starts: %s", command[0], Files.readString(log))
                        .isTrue();
            } finally {
                if (!ready) {
                    close();
                }
            }
        }

        private boolean isReady() {
            try {
                return sees(ProxyHeader.NONE.version2()) != null;
            } catch (IOException e) {
                return false;
            }
        }

        /** The addresses as it understood the header. */
        String sees(byte[] header) throws IOException {
            try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(acceptor))) {
                byte[] request = "GET / HTTP/1.0\r\n\r\n".getBytes(StandardCharsets.US_ASCII);
                ByteBuffer bytes = ByteBuffer.wrap(Fuzz.joined(header, request));
                while (bytes.hasRemaining()) {
                    channel.write(bytes);
                }
                String response = text(Channels.newInputStream(channel).readAllBytes());
                if (!response.startsWith("HTTP/1.1 200 OK")) {
                    throw new IOException("the answer is " + response);
                }
                return response.substring(response.indexOf("\r\n\r\n") + 4);
            }
        }

        @Override
        public void close() throws InterruptedException {
            process.destroy();
            end(process);
        }
    }
}
