package dev.sluice.cli.blackbox;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.sluice.cli.ParsedJson;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code --admin}: what the operator asks on a Unix socket, and {@code sluice top} on it. */
@BlackBox
class AdminTest {
    @TempDir
    private Path directory;

    private Path socket;
    private ServerSocketChannel target;

    @BeforeEach
    void serve() throws IOException {
        socket = directory.resolve("admin");
        target = Stage.listen(new InetSocketAddress(Stage.loopback(), 0));
        Echo.serve(target);
    }

    @AfterEach
    void close() throws IOException {
        target.close();
    }

    @Test
    void tellsOfConnections() throws Exception {
        try (RelayProcess relay = start()) {
            assertThat(Files.getPosixFilePermissions(socket)).isEqualTo(PosixFilePermissions.fromString("rw-------"));
            assertThat(ask("sessions")).isEmpty();
            try (SocketChannel client = connect(relay)) {
                echo(client, 5);
                Map<String, Object> session = ParsedJson.object(ask("sessions").strip());
                assertThat(session)
                        .containsEntry("service", "relay")
                        .containsEntry(
                                "client", "tcp:127.0.0.1:" + client.socket().getLocalPort())
                        .containsEntry("connected", true)
                        .containsEntry("bytesToTarget", 5L);
            }
            relay.record();
            Map<?, ?> stats = (Map<?, ?>) ParsedJson.object(ask("stats")).get("stats");
            assertEquals(1L, stats.get("accepted"));
            assertThat(ParsedJson.list(stats.get("services")))
                    .singleElement()
                    .extracting("bytesToTarget", "bytesToClient")
                    .containsExactly(5L, 5L);
            assertThat(ask("help")).contains("reload: ", "drain: ");
            assertThat(ask("nonsense\u001b[2J"))
                    .isEqualTo("error: unknown command 'nonsense?[2J'; help has them all\n");
            assertThat(ask("x".repeat(5000)))
                    .startsWith("error: more than 256 bytes")
                    .hasLineCount(1);
            assertThat(ask("drain")).startsWith("draining");
            assertThat(relay.exitCode()).isZero();
            assertThat(socket).doesNotExist();
        }
    }

    @Test
    void reloads() throws Exception {
        Path config = directory.resolve("relay.toml");
        Files.writeString(config, "log = 'json'\nadmin = 'unix:" + socket + "'\n" + service("one"));
        try (RelayProcess relay = RelayProcess.configured(List.of(), config)) {
            assertThat(ParsedJson.object(ask("config")))
                    .containsEntry("file", config.toString())
                    .hasEntrySatisfying(
                            "services",
                            services -> assertThat(ParsedJson.list(services))
                                    .extracting("service")
                                    .containsExactly("one"));
            String head = "log = 'json'\nadmin = 'unix:" + socket + "'\n";
            Files.writeString(config, head + service("one") + "tires = 3\n");
            assertThat(ask("reload"))
                    .startsWith("error: " + config + ":6:1: unknown key 'tires'; did you mean tries?")
                    .hasLineCount(1);
            Files.writeString(config, "log = 'json'\nadmin = 'unix:/elsewhere'\n" + service("one"));
            assertThat(ask("reload")).contains("error: admin can't change").hasLineCount(1);
            Files.writeString(config, head + service("one") + service("two"));
            assertThat(ask("reload")).startsWith("reloaded: services added two; listening on tcp:127.0.0.1:");
            relay.awaitErr("admin: reloaded: services added two");
            assertThat(ParsedJson.list(ParsedJson.object(ask("config")).get("services")))
                    .hasSize(2);
            try (SocketChannel client = Stage.connect(new InetSocketAddress(Stage.loopback(), relay.port()))) {
                echo(client, 1);
                assertThat(ask("drain")).startsWith("draining for at most 30.0 s");
                assertThat(ask("drain")).isEqualTo("error: draining already\n");
                assertThat(ask("reload")).isEqualTo("error: ending; nothing is reloaded\n");
                echo(client, 1);
            }
            assertThat(relay.exitCode()).isZero();
        }
    }

    @Test
    void takesOverAnAbandonedSocketOnly() throws Exception {
        try (RelayProcess relay = start()) {
            relay.signal("KILL");
            relay.exitCode();
            assertThat(socket).exists();
        }
        try (RelayProcess relay = start()) {
            assertThat(ask("help")).contains("stats");
            List<String> command = new ArrayList<>(RelayProcess.relay());
            command.addAll(List.of("127.0.0.1:0", ":1", "--admin", "unix:" + socket));
            Programs.Run other = Programs.run(command);
            assertThat(other.code()).isEqualTo(69);
            assertThat(other.output()).contains("EADDRINUSE").hasLineCount(1);
            assertThat(relay.isAlive()).isTrue();
            assertThat(ask("help")).contains("stats");
        }
    }

    /** Whoever says nothing, or takes no answer, keeps nobody else from asking for ever. */
    @Test
    void silentOperatorsAreLeft() throws Exception {
        try (RelayProcess relay = start()) {
            List<SocketChannel> silent = new ArrayList<>();
            for (int i = 0; i < 20; i++) {
                silent.add(Stage.connect(UnixDomainSocketAddress.of(socket)));
            }
            try (SocketChannel client = connect(relay)) {
                echo(client, 5);
            }
            assertThat(ask("help")).contains("stats");
            for (SocketChannel each : silent) {
                each.close();
            }
        }
    }

    @Test
    void topPrintsOnce() throws Exception {
        try (RelayProcess relay = start();
                SocketChannel client = connect(relay)) {
            echo(client, 5);
            String name = "tcp:127.0.0.1:" + client.socket().getLocalPort();
            String table = top("--once", "unix:" + socket).ok();
            assertThat(table.lines())
                    .anyMatch(line -> line.matches("relay +1 +0 +0 .*"))
                    .anyMatch(line ->
                            line.matches("tcp:127.0.0.1:" + target.socket().getLocalPort() + " +up +1 .*"))
                    .anyMatch(line -> line.startsWith(name) && line.contains("10 bytes"));
            Map<String, Object> json =
                    ParsedJson.object(top("--json", "unix:" + socket).ok());
            assertThat(ParsedJson.list(json.get("sessions")))
                    .singleElement()
                    .extracting("client", "bytes", "bytesToTargetPerSecond")
                    .containsExactly(name, 10L, 0L);
        }
        Programs.Run nobody = top("unix:" + directory.resolve("nobody"));
        assertThat(nobody.code()).isEqualTo(69);
        assertThat(nobody.output()).contains("ENOENT").hasLineCount(1);
    }

    /** The JDK would keep the first answer for half a minute. */
    @Test
    void namesAreLookedUpAsOftenAsConfigured() throws Exception {
        int port = target.socket().getLocalPort();
        Path hosts = Files.writeString(directory.resolve("hosts"), "127.0.0.1 backend\n");
        try (ServerSocketChannel other =
                        Stage.listen(new InetSocketAddress(java.net.InetAddress.ofLiteral("127.0.0.2"), port));
                RelayProcess relay = RelayProcess.start(
                        List.of("env", "JAVA_TOOL_OPTIONS=-Djdk.net.hosts.file=" + hosts),
                        "127.0.0.1:0",
                        "backend:" + port,
                        "--resolve-interval",
                        "10ms")) {
            try (SocketChannel client = connect(relay)) {
                echo(client, 1);
            }
            Files.writeString(hosts, "127.0.0.2 backend\n");
            other.configureBlocking(false);
            long deadline = System.nanoTime() + 20_000_000_000L;
            SocketChannel accepted = null;
            while (accepted == null && System.nanoTime() - deadline < 0) {
                connect(relay).close();
                Thread.sleep(50);
                accepted = other.accept();
            }
            assertThat(accepted).as("a connection to the new address").isNotNull();
            accepted.close();
        }
    }

    private RelayProcess start() throws IOException {
        return RelayProcess.start(
                "127.0.0.1:0", "127.0.0.1:" + target.socket().getLocalPort(), "--admin", "unix:" + socket);
    }

    private String service(String name) {
        return "[service." + name + "]\nlisten = '127.0.0.1:0'\ntargets = '127.0.0.1:"
                + target.socket().getLocalPort() + "'\n";
    }

    private String ask(String line) throws IOException {
        try (SocketChannel channel = Stage.connect(UnixDomainSocketAddress.of(socket))) {
            channel.write(ByteBuffer.wrap((line + "\n").getBytes(StandardCharsets.UTF_8)));
            return new String(Channels.newInputStream(channel).readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    private static Programs.Run top(String... arguments) throws Exception {
        List<String> command = new ArrayList<>(RelayProcess.relay());
        command.set(command.size() - 1, "top");
        command.addAll(List.of(arguments));
        return Programs.run(command);
    }

    private static SocketChannel connect(RelayProcess relay) throws IOException {
        return Stage.connect(new InetSocketAddress(Stage.loopback(), relay.port()));
    }

    private static void echo(SocketChannel client, int bytes) throws IOException {
        client.write(ByteBuffer.allocate(bytes));
        ByteBuffer back = ByteBuffer.allocate(bytes);
        while (back.hasRemaining() && client.read(back) >= 0) {
            // More is to come.
        }
        assertThat(back.position()).isEqualTo(bytes);
    }
}
