package dev.sluice.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The first SIGTERM or SIGINT drains, the second stops at once. */
@Timeout(120)
class SignalTest {

    @ParameterizedTest
    @ValueSource(strings = {"TERM", "INT"})
    void relayDrains(String signal) throws Exception {
        assumeHeard(signal.equals("INT") ? 2 : 15, signal);
        try (ServerSocket target = listen();
                Sluice sluice = relay(target, "60s");
                Socket client = connect(sluice.port());
                Socket server = target.accept()) {
            sluice.signal(signal);
            sluice.awaitErr("draining");
            client.getOutputStream().write(7);
            client.shutdownOutput();
            assertThat(server.getInputStream().readAllBytes()).containsExactly(7);
            server.shutdownOutput();
            assertThat(client.getInputStream().read()).isEqualTo(-1);
            assertThat(sluice.end().code()).isZero();
        }
    }

    @Test
    void relayCutsOffWhoDoesNotFinish() throws Exception {
        try (ServerSocket target = listen();
                Sluice sluice = relay(target, "100ms");
                Socket client = connect(sluice.port());
                Socket _ = target.accept()) {
            sluice.signal("TERM");
            Sluice.End end = sluice.end();
            assertThat(end.code()).isZero();
            assertThat(end.err()).contains("1 connection was cut off");
            assertThat(ParsedJson.object(end.out()).get("directions"))
                    .asString()
                    .contains("drain");
            assertThatThrownBy(() -> client.getInputStream().read()).isInstanceOf(SocketException.class);
        }
    }

    @ParameterizedTest
    @CsvSource({"TERM, 143", "INT, 130"})
    void secondSignalStopsAtOnce(String signal, int code) throws Exception {
        assumeHeard(code - 128, signal);
        try (ServerSocket target = listen();
                Sluice sluice = relay(target, "60s");
                Socket _ = connect(sluice.port());
                Socket _ = target.accept()) {
            sluice.signal("TERM");
            sluice.awaitErr("draining");
            sluice.signal(signal);
            assertThat(sluice.end().code()).isEqualTo(code);
        }
    }

    @Test
    void receiveThatWaitsEnds(@TempDir Path directory) throws Exception {
        try (Sluice sluice = Sluice.start("receive", "127.0.0.1:0", directory + "/file", "--print-address")) {
            sluice.port();
            sluice.signal("TERM");
            assertThat(sluice.end().code()).isZero();
        }
    }

    @Test
    void receiveMayFinish(@TempDir Path directory) throws Exception {
        Path file = directory.resolve("file");
        try (Sluice sluice = Sluice.start("receive", "127.0.0.1:0", file.toString(), "--print-address");
                Socket sender = connect(sluice.port())) {
            sender.getOutputStream().write(1);
            sluice.signal("TERM");
            sluice.awaitErr("draining");
            sender.getOutputStream().write(2);
            sender.close();
            assertThat(sluice.end().code()).isZero();
            assertThat(file).hasBinaryContent(new byte[] {1, 2});
        }
    }

    @Test
    void receiveIsCutOff(@TempDir Path directory) throws Exception {
        Path file = directory.resolve("file");
        try (Sluice sluice = Sluice.start(
                        "receive", "127.0.0.1:0", file.toString(), "--print-address", "--drain-timeout", "100ms");
                Socket sender = connect(sluice.port())) {
            sender.getOutputStream().write(1);
            sluice.signal("TERM");
            Sluice.End end = sluice.end();
            assertThat(end.code()).as(end.err()).isZero();
            assertThat(end.err()).contains("cut off");
        }
    }

    private static ServerSocket listen() throws Exception {
        return new ServerSocket(0, 10, InetAddress.getLoopbackAddress());
    }

    private static Socket connect(int port) throws Exception {
        return new Socket(InetAddress.getLoopbackAddress(), port);
    }

    private static Sluice relay(ServerSocket target, String drainTimeout) throws Exception {
        return Sluice.start(
                "relay",
                "127.0.0.1:0",
                "127.0.0.1:" + target.getLocalPort(),
                "--print-address",
                "--json",
                "--drain-timeout",
                drainTimeout);
    }

    /** A shell without job control starts its background jobs with SIGINT ignored, and a JVM leaves that as it is. */
    private static void assumeHeard(int number, String signal) throws IOException {
        String row = Files.readAllLines(Path.of("/proc/self/status")).stream()
                .filter(line -> line.startsWith("SigIgn:"))
                .findFirst()
                .orElse("SigIgn: 0");
        long ignored = Long.parseUnsignedLong(row.substring("SigIgn:".length()).strip(), 16);
        assumeTrue((ignored >> number - 1 & 1) == 0, "SIG" + signal + " is ignored by whoever started the tests");
    }
}
