package dev.sluice.cli.blackbox;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What systemd expects of a service. */
@BlackBox
class ServiceManagerTest {
    /** Prints each message of sd_notify(3) in one line, and the time that it came at. */
    private static final String MANAGER = """
            import socket, sys, time
            name = sys.argv[1]
            manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            manager.bind('\\0' + name[1:] if name[0] == '@' else name)
            print('bound', flush=True)
            while True:
                message = manager.recv(4096).decode()
                print(message.replace('\\n', ' '), time.monotonic_ns() // 1000, flush=True)
            """;

    @TempDir
    private Path directory;

    private ServerSocketChannel target;

    @BeforeEach
    void serve() throws IOException {
        target = Stage.listen(new InetSocketAddress(Stage.loopback(), 0));
        Echo.serve(target);
    }

    @AfterEach
    void close() throws IOException {
        target.close();
    }

    @ParameterizedTest
    @ValueSource(strings = {"path", "abstract"})
    void isToldHowThingsStand(String kind) throws Exception {
        String python = Programs.assumeFound("python3");
        String name = kind.equals("path")
                ? directory.resolve("notify").toString()
                : "@sluice-test-" + ProcessHandle.current().pid();
        Path config = Files.writeString(
                directory.resolve("relay.toml"),
                "[service.one]\nlisten = '127.0.0.1:0'\ntargets = '" + targetAddress() + "'\n");
        Process manager = new ProcessBuilder(python, "-c", MANAGER, name)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try (BufferedReader messages = manager.inputReader()) {
            assertThat(messages.readLine()).isEqualTo("bound");
            try (RelayProcess relay = RelayProcess.configured(List.of("env", "NOTIFY_SOCKET=" + name), config)) {
                assertThat(messages.readLine()).startsWith("READY=1 STATUS=1 service, 1 listener, 1 target ");
                relay.signal("HUP");
                String[] reloading = messages.readLine().split(" ");
                assertThat(reloading[0]).isEqualTo("RELOADING=1");
                long sent = Long.parseLong(reloading[1].substring("MONOTONIC_USEC=".length()));
                long received = Long.parseLong(reloading[reloading.length - 1]);
                assertThat(sent).isBetween(received - TimeUnit.MINUTES.toMicros(1), received);
                assertThat(messages.readLine()).startsWith("READY=1 ");
                relay.drain();
                assertThat(messages.readLine()).startsWith("STOPPING=1 STATUS=draining ");
                assertThat(relay.exitCode()).isZero();
            }
        } finally {
            manager.destroyForcibly();
        }
    }

    @Test
    void aManagerThatIsGoneStopsNobody() throws Exception {
        Path nobody = directory.resolve("nobody");
        try (RelayProcess relay =
                RelayProcess.start(List.of("env", "NOTIFY_SOCKET=" + nobody), "127.0.0.1:0", targetAddress())) {
            relay.awaitErr("the service manager can't be told: unix:" + nobody + ": ENOENT");
            relay.drain();
            assertThat(relay.exitCode()).isZero();
        }
    }

    /** The socket is the manager's: the first client starts the relay, which ends when nobody is left. */
    @ParameterizedTest
    @ValueSource(strings = {"systemd", "fd:3", "fd:web"})
    void aSocketStartsItsRelayWhichEndsWhenIdle(String listen) throws Exception {
        String activate = Programs.assumeFound("systemd-socket-activate");
        int port = Ports.free();
        List<String> command = new ArrayList<>(List.of(activate, "-l", "127.0.0.1:" + port, "--fdname=web"));
        command.addAll(RelayProcess.relay());
        command.addAll(List.of(listen, targetAddress(), "--print-address", "--exit-idle-time", "500ms"));
        Path err = directory.resolve("err");
        Process process =
                new ProcessBuilder(command).redirectError(err.toFile()).start();
        try (BufferedReader out = process.inputReader();
                SocketChannel client = connectSoon(port, process)) {
            assertThat(out.readLine()).as(Files.readString(err)).isEqualTo("listening tcp:127.0.0.1:" + port);
            Echo.use(client, 100_000);
            assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
            assertThat(process.exitValue()).isZero();
            assertThat(Files.readString(err)).contains("no connection for 0.5 s");
        } finally {
            process.destroyForcibly();
        }
    }

    private static SocketChannel connectSoon(int port, Process process) throws Exception {
        while (true) {
            try {
                return Stage.connect(new InetSocketAddress(Stage.loopback(), port));
            } catch (IOException e) {
                assertThat(process.isAlive()).isTrue();
                Thread.sleep(10);
            }
        }
    }

    @Test
    void idleIsWhoHasNoConnection() throws Exception {
        try (RelayProcess relay = RelayProcess.start("127.0.0.1:0", targetAddress(), "--exit-idle-time", "1s")) {
            try (SocketChannel client = Stage.connect(new InetSocketAddress(Stage.loopback(), relay.port()))) {
                Thread.sleep(2500);
                assertThat(relay.isAlive()).isTrue();
                Echo.use(client, 1000);
            }
            assertThat(relay.exitCode()).isZero();
        }
    }

    @Test
    void saysWhichSocketIsMissingOrWrong() throws Exception {
        assertThat(relay("systemd", targetAddress()).output()).contains("systemd has passed no socket on");
        assertThat(relay("fd:web", targetAddress()).code()).isEqualTo(2);
        Programs.Run file = relay("fd:0", targetAddress());
        assertThat(file.output()).contains("fd:0: not a stream socket");
        assertThat(file.code()).isEqualTo(69);
        assertThat(relay("fd:999", targetAddress()).output()).contains("fd:999: the descriptor is not open");
    }

    private static Programs.Run relay(String... arguments) throws Exception {
        List<String> command = new ArrayList<>(RelayProcess.relay());
        command.addAll(List.of(arguments));
        return Programs.run(command);
    }

    @Test
    void itsUnitsAreGood() throws Exception {
        String analyze = Programs.assumeFound("systemd-analyze");
        List<String> command = new ArrayList<>(List.of(analyze, "verify", "--man=no"));
        try (Stream<Path> units = Files.list(Path.of("..", "packaging", "systemd"))) {
            for (Path unit : units.toList()) {
                // It wants the program to be there.
                String text = Files.readString(unit).replace("/opt/sluice/sluice", "/bin/true");
                command.add(
                        Files.writeString(directory.resolve(unit.getFileName().toString()), text)
                                .toString());
            }
        }
        assertThat(Programs.run(command)).isEqualTo(new Programs.Run(0, ""));
    }

    private String targetAddress() throws IOException {
        return "127.0.0.1:" + target.socket().getLocalPort();
    }
}
