package dev.sluice.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** record, send and receive, with each other and with peers that know nothing of Sluice. */
@Timeout(120)
class StreamTest {
    private static final byte[] BYTES = new byte[5_000_000];

    static {
        new Random(5).nextBytes(BYTES);
    }

    @TempDir
    private Path directory;

    @ParameterizedTest
    @CsvSource({"auto, auto, SPLICE", "splice, splice, SPLICE", "copy, auto, COPY", "auto, off, COPY"})
    void sendToReceive(String route, String access, String expected) throws Exception {
        Path from = Files.write(directory.resolve("from"), BYTES);
        Path to = directory.resolve("to");
        List<String> jvm = access.equals("off") ? List.of("-Dsluice.native=off") : List.of();
        String[] options = {"--json", "--sha256", "--route", route};
        try (Sluice receive =
                        Sluice.start(jvm, with(options, "receive", "127.0.0.1:0", to.toString(), "--print-address"));
                Sluice send =
                        Sluice.start(jvm, with(options, "send", from.toString(), "127.0.0.1:" + receive.port()))) {
            assertReport(send.end(), expected);
            assertReport(receive.end(), expected);
            assertThat(to).hasBinaryContent(BYTES);
        }
    }

    @Test
    void aRangeIsSent() throws Exception {
        Path from = Files.write(directory.resolve("from"), BYTES);
        Path to = directory.resolve("to");
        try (Sluice receive = Sluice.start("receive", "127.0.0.1:0", to.toString(), "--print-address");
                Sluice send = Sluice.start(
                        "send",
                        from.toString(),
                        "127.0.0.1:" + receive.port(),
                        "--offset=1m",
                        "--length=1234567",
                        "--json")) {
            Sluice.End end = send.end();
            assertThat(end.code()).as(end.err()).isZero();
            assertThat(ParsedJson.object(end.out()))
                    .containsEntry("offset", 1L << 20)
                    .containsEntry("bytes", 1_234_567L);
            assertThat(receive.end().code()).isZero();
            assertThat(to).hasBinaryContent(Arrays.copyOfRange(BYTES, 1 << 20, (1 << 20) + 1_234_567));
        }
    }

    @ParameterizedTest
    @CsvSource({"auto, SPLICE", "off, COPY"})
    void aStreamThatWasCutGoesOnWhereItStopped(String access, String route) throws Exception {
        List<String> jvm = access.equals("off") ? List.of("-Dsluice.native=off") : List.of();
        Path from = Files.write(directory.resolve("from"), BYTES);
        Path to = directory.resolve("to");
        try (Sluice receive = Sluice.start(jvm, "receive", "127.0.0.1:0", to.toString(), "--print-address");
                Socket sender = new Socket(InetAddress.getLoopbackAddress(), receive.port())) {
            sender.getOutputStream().write(BYTES, 0, 2_345_678);
            receive.awaitSize(to, 1_000_000);
            sender.setSoLinger(true, 0);
            sender.close();
            assertThat(receive.end().code()).isEqualTo(1);
        }
        long offset = Files.size(to);
        try (Sluice receive = Sluice.start(
                        jvm,
                        "receive",
                        "127.0.0.1:0",
                        to.toString(),
                        "--resume",
                        "--print-address",
                        "--json",
                        "--sha256");
                Sluice send = Sluice.start(
                        jvm, "send", from.toString(), "127.0.0.1:" + receive.port(), "--offset", "" + offset)) {
            assertThat(send.end().code()).isZero();
            Sluice.End end = receive.end();
            assertThat(end.code()).as(end.err()).isZero();
            assertThat(end.err()).contains(to + ": goes on at offset " + offset);
            assertThat(ParsedJson.object(end.out()))
                    .containsEntry("offset", offset)
                    .containsEntry("bytes", BYTES.length - offset)
                    .containsEntry("route", route)
                    .containsEntry("sha256", sha256());
            assertThat(to).hasBinaryContent(BYTES);
        }
    }

    private static String[] with(String[] options, String... command) {
        String[] all = List.of(command).toArray(new String[command.length + options.length]);
        System.arraycopy(options, 0, all, command.length, options.length);
        return all;
    }

    private static Map<String, Object> assertReport(Sluice.End end, String route) throws Exception {
        assertThat(end.code()).as(end.err()).isZero();
        Map<String, Object> report = ParsedJson.object(end.out());
        assertThat(report)
                .containsEntry("bytes", (long) BYTES.length)
                .containsEntry("route", route)
                .containsEntry("sha256", sha256())
                .containsKeys("reason", "seconds", "cpuSeconds")
                .doesNotContainKey("error");
        return report;
    }

    private static String sha256() throws Exception {
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(BYTES));
    }

    @ParameterizedTest
    @CsvSource({"auto, SPLICE", "copy, COPY"})
    void recordForwardsAndRecords(String route, String expected) throws Exception {
        Path file = directory.resolve("recording");
        Files.writeString(file, "what was there before");
        try (ServerSocket target = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
                Sluice sluice = Sluice.start(
                        "record",
                        "127.0.0.1:0",
                        "127.0.0.1:" + target.getLocalPort(),
                        file.toString(),
                        "--print-address",
                        "--json",
                        "--sha256",
                        "--route",
                        route);
                Socket camera = new Socket(InetAddress.getLoopbackAddress(), sluice.port());
                Socket client = target.accept()) {
            Thread sending = Thread.ofVirtual().start(() -> send(camera));
            client.getOutputStream().write("thanks".getBytes());
            assertThat(client.getInputStream().readAllBytes()).isEqualTo(BYTES);
            sending.join();
            Sluice.End end = sluice.end();
            Map<String, Object> report = assertReport(end, expected);
            assertThat(ParsedJson.list(report.get("mirrors")).getFirst())
                    .containsEntry("name", file.toString())
                    .containsEntry("bytes", (long) BYTES.length)
                    .containsEntry("route", expected);
            assertThat(file).hasBinaryContent(BYTES);
        }
    }

    @Test
    void recordInParts() throws Exception {
        Path file = directory.resolve("film");
        String[] command = {
            "record",
            "127.0.0.1:0",
            "",
            file.toString(),
            "--print-address",
            "--json",
            "--rotate-size",
            "2m",
            "--on-slow",
            "drop"
        };
        try (ServerSocket target = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            command[2] = "127.0.0.1:" + target.getLocalPort();
            try (Sluice sluice = Sluice.start(command);
                    Socket camera = new Socket(InetAddress.getLoopbackAddress(), sluice.port());
                    Socket client = target.accept()) {
                Thread sending = Thread.ofVirtual().start(() -> send(camera));
                assertThat(client.getInputStream().readAllBytes()).hasSize(BYTES.length);
                sending.join();
                Sluice.End end = sluice.end();
                assertThat(end.code()).as(end.err()).isZero();
                assertThat(ParsedJson.list(ParsedJson.object(end.out()).get("mirrors"))
                                .getFirst())
                        .containsEntry("bytes", (long) BYTES.length)
                        .containsEntry("gaps", 0L);
            }
            assertThat(directory.resolve("film.000001")).hasSize(2 << 20);
            assertThat(directory.resolve("film.000003")).hasSize(BYTES.length - (4 << 20));
            assertThat(Files.readAllLines(directory.resolve("film.index")))
                    .hasSize(4)
                    .last()
                    .asString()
                    .contains("\"end\":" + BYTES.length);
            try (Sluice again = Sluice.start(command)) {
                Sluice.End end = again.end();
                assertThat(end.code()).isEqualTo(1);
                assertThat(end.err()).contains("film.index").contains("EEXIST").hasLineCount(1);
            }
        }
    }

    private static void send(Socket camera) {
        try (camera) {
            camera.getOutputStream().write(BYTES);
        } catch (java.io.IOException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void replyOfSixMegabytesDoesNotBlockASend() throws Exception {
        Path from = Files.write(directory.resolve("from"), BYTES);
        try (ServerSocket target = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
                Sluice send = Sluice.start("send", from.toString(), "127.0.0.1:" + target.getLocalPort());
                Socket server = target.accept()) {
            server.getOutputStream().write(new byte[6 << 20]);
            assertThat(server.getInputStream().readAllBytes()).isEqualTo(BYTES);
            Sluice.End end = send.end();
            assertThat(end.code()).isZero();
            assertThat(end.err()).contains("discarded");
        }
    }

    @Test
    void dashesAreStdinAndStdout() throws Exception {
        Path from = Files.write(directory.resolve("from"), BYTES);
        Path to = directory.resolve("to");
        try (ServerSocket target = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
                Sluice send = Sluice.shell(
                        "cat " + from + " | sluice send - 127.0.0.1:" + target.getLocalPort() + " --json");
                Socket server = target.accept()) {
            InputStream in = server.getInputStream();
            assertThat(in.readAllBytes()).isEqualTo(BYTES);
            Sluice.End end = send.end();
            assertThat(end.code()).as(end.err()).isZero();
            assertThat(ParsedJson.object(end.out())).containsEntry("route", "SPLICE");
        }
        try (Sluice receive = Sluice.shell("sluice receive unix:" + directory + "/socket - | cat > " + to)) {
            receive.awaitErr("listening");
            try (Sluice send = Sluice.start("send", from.toString(), "unix:" + directory + "/socket")) {
                assertThat(send.end().code()).isZero();
            }
            assertThat(receive.end().code()).isZero();
            assertThat(to).hasBinaryContent(BYTES);
        }
    }

    @Test
    void redirectedFilesKeepTheirPosition() throws Exception {
        Path from = Files.writeString(directory.resolve("from"), "first line\nthe rest\n");
        Path to = Files.writeString(directory.resolve("to"), "before ");
        try (Sluice receive = Sluice.shell("sluice receive unix:" + directory + "/socket - >> " + to)) {
            receive.awaitErr("listening");
            String line = "{ read -r first; sluice send - unix:" + directory + "/socket; } < " + from;
            try (Sluice send = Sluice.shell(line)) {
                Sluice.End end = send.end();
                assertThat(end.code()).as(end.err()).isZero();
            }
            assertThat(receive.end().code()).isZero();
            assertThat(to).hasContent("before the rest\n");
        }
    }
}
