package dev.sluice.cli.blackbox;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A relay that does what a file says: {@code --config}, {@code --check}, SIGHUP, the access log. */
@BlackBox
class ConfiguredTest {
    @TempDir
    private Path directory;

    private Path config;
    private ServerSocketChannel target;

    @BeforeEach
    void serve() throws IOException {
        config = directory.resolve("relay.toml");
        target = Stage.listen(new InetSocketAddress(Stage.loopback(), 0));
        Echo.serve(target);
    }

    @AfterEach
    void close() throws IOException {
        target.close();
    }

    @Test
    void reloadsWhileConnectionsGoOn() throws Exception {
        write("log = 'json'\n" + service("one", "127.0.0.1:0"));
        try (RelayProcess relay = RelayProcess.configured(List.of(), config);
                SocketChannel before = connect(relay.address())) {
            echoes(before);
            write("log = 'json'\n" + service("one", "127.0.0.1:0") + service("two", "127.0.0.1:0"));
            relay.signal("HUP");
            relay.awaitErr("SIGHUP: reloaded: services added two; listening on tcp:127.0.0.1:");
            try (SocketChannel other = connect(relay.nextAddress())) {
                echoes(other);
            }
            echoes(before);
            assertThat(relay.record().fromClient().bytes()).isEqualTo(1);

            write("log = 'json'\ndrain-timeout = '1s'\n" + service("two", "127.0.0.1:0"));
            relay.signal("HUP");
            relay.awaitErr("services removed one; no longer on " + relay.address() + "; other settings changed");
            echoes(before);
            relay.signal("TERM");
            relay.awaitErr("draining for at most 1.0 s");
            assertThat(relay.exitCode()).isZero();
        }
    }

    @Test
    void aBadFileChangesNothing() throws Exception {
        write("log = 'json'\n" + service("one", "127.0.0.1:0"));
        try (RelayProcess relay = RelayProcess.configured(List.of(), config)) {
            write("log = 'json'\n" + service("one", "127.0.0.1:0") + "tires = 3\n");
            relay.signal("HUP");
            relay.awaitErr("SIGHUP: " + config + ":5:1: unknown key 'tires'; did you mean tries?");
            relay.awaitErr("SIGHUP: all goes on as before");
            write("threads = 7\n" + service("other", "127.0.0.1:0"));
            relay.signal("HUP");
            relay.awaitErr("the number of threads can't change");
            try (ServerSocketChannel taken = Stage.listen(new InetSocketAddress(Stage.loopback(), 0))) {
                write(service("one", "127.0.0.1:0")
                        + service("two", "127.0.0.1:" + taken.socket().getLocalPort()));
                relay.signal("HUP");
                relay.awaitErr("EADDRINUSE");
            }
            try (SocketChannel client = connect(relay.address())) {
                echoes(client);
            }
            assertThat(relay.record().fromClient().end()).isEqualTo("fin");
        }
    }

    @Test
    void withoutAFileThereIsNothingToReload() throws Exception {
        String address = "127.0.0.1:" + target.socket().getLocalPort();
        try (RelayProcess relay = RelayProcess.start("127.0.0.1:0,127.0.0.1:0", address)) {
            relay.signal("HUP");
            relay.awaitErr("nothing to reload");
            for (String each : List.of(relay.address(), relay.nextAddress())) {
                try (SocketChannel client = connect(each)) {
                    echoes(client);
                }
            }
            relay.drain();
            assertThat(relay.exitCode()).isZero();
        }
    }

    @Test
    void theLogFileIsOpenedAnew() throws Exception {
        Path log = directory.resolve("access.log");
        write("log = 'text'\nlog-file = '" + log + "'\n" + service("one", "127.0.0.1:0"));
        try (RelayProcess relay = RelayProcess.configured(List.of(), config)) {
            try (SocketChannel client = connect(relay.address())) {
                echoes(client);
            }
            awaitLine(log);
            Path old = Files.move(log, directory.resolve("access.log.1"));
            relay.signal("HUP");
            relay.awaitErr("SIGHUP: reloaded: nothing changed");
            try (SocketChannel client = connect(relay.address())) {
                echoes(client);
            }
            awaitLine(log);
            for (Path each : List.of(old, log)) {
                assertThat(Files.readAllLines(each))
                        .singleElement()
                        .asString()
                        .contains(" service=one client=tcp:127.0.0.1:", " clientBytes=1 ", " targetEnd=fin");
            }
        }
    }

    @Test
    void checksWithoutBinding() throws Exception {
        String taken = "127.0.0.1:" + target.socket().getLocalPort();
        write(service("one", taken));
        assertThat(check("--config", config.toString()))
                .isEqualTo(new Programs.Run(0, "sluice: " + config + " is good: 1 service, 1 listener, 1 target\n"));
        assertThat(check(taken, taken).code()).isZero();
        assertThat(check("fd:web", taken).code()).isZero();
        write("a = 1\nb = 2\n" + service("one", taken));
        Programs.Run bad = check("--config", config.toString());
        assertThat(bad.code()).isEqualTo(78);
        assertThat(bad.output().lines())
                .hasSize(2)
                .first()
                .asString()
                .startsWith("sluice: " + config + ":1:1: unknown key 'a'");
        assertThat(check(taken, taken, taken).code()).isEqualTo(78);
        assertThat(check(taken, "nonsense").code()).isEqualTo(78);
        assertThat(check(taken, taken, "--tries", "0").code()).isEqualTo(78);
    }

    private static Programs.Run check(String... arguments) throws Exception {
        List<String> command = new ArrayList<>(RelayProcess.relay());
        command.add("--check");
        command.addAll(List.of(arguments));
        return Programs.run(command);
    }

    private void write(String text) throws IOException {
        Files.writeString(config, text);
    }

    private String service(String name, String listen) {
        return "[service." + name + "]\nlisten = '" + listen + "'\ntargets = '127.0.0.1:"
                + target.socket().getLocalPort() + "'\n";
    }

    private static SocketChannel connect(String address) throws IOException {
        int port = Integer.parseInt(address.substring(address.lastIndexOf(':') + 1));
        return Stage.connect(new InetSocketAddress(Stage.loopback(), port));
    }

    private static void echoes(SocketChannel client) throws IOException {
        client.write(ByteBuffer.wrap(new byte[] {42}));
        ByteBuffer back = ByteBuffer.allocate(9);
        assertThat(client.read(back)).isEqualTo(1);
        assertThat(back.get(0)).isEqualTo((byte) 42);
    }

    private static void awaitLine(Path log) throws Exception {
        while (Files.notExists(log) || Files.size(log) == 0) {
            Thread.sleep(10);
        }
    }
}
