package dev.sluice.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(120)
class MirrorOptionsTest {
    @Test
    void mirrorAndRecording(@TempDir Path directory) throws Exception {
        try (ServerSocket target = new ServerSocket(0, 10, InetAddress.getLoopbackAddress());
                ServerSocket mirror = new ServerSocket(0, 10, InetAddress.getLoopbackAddress());
                Sluice sluice = Sluice.start(
                        "relay",
                        "127.0.0.1:0",
                        "127.0.0.1:" + target.getLocalPort(),
                        "--print-address",
                        "--json",
                        "--mirror",
                        "127.0.0.1:" + mirror.getLocalPort(),
                        "--mirror-patience",
                        "20s",
                        "--mirror-connect-timeout",
                        "20s",
                        "--record",
                        directory.toString(),
                        "--record-name",
                        "{direction}.{session}",
                        "--record-patience",
                        "20s",
                        "--record-rotate-size",
                        "2")) {
            int port = sluice.port();
            try (Socket client = new Socket(InetAddress.getLoopbackAddress(), port);
                    Socket server = target.accept();
                    Socket copy = mirror.accept()) {
                client.getOutputStream().write("hello".getBytes());
                client.shutdownOutput();
                assertThat(server.getInputStream().readAllBytes()).hasSize(5);
                server.getOutputStream().write("bye".getBytes());
                server.close();
                assertThat(client.getInputStream().readAllBytes()).hasSize(3);
                assertThat(copy.getInputStream().readAllBytes()).isEqualTo("hello".getBytes());
            }
            Map<String, Object> record = ParsedJson.object(sluice.readLine());
            List<Map<String, Object>> directions = ParsedJson.list(record.get("directions"));
            List<Map<String, Object>> there =
                    ParsedJson.list(directions.getFirst().get("mirrors"));
            assertThat(there).hasSize(2);
            assertThat(there.getFirst())
                    .containsEntry("name", "tcp:127.0.0.1:" + mirror.getLocalPort())
                    .containsEntry("bytes", 5L)
                    .doesNotContainKey("error");
            List<Map<String, Object>> back =
                    ParsedJson.list(directions.getLast().get("mirrors"));
            assertThat(back).hasSize(1);
            String name = (String) back.getFirst().get("name");
            assertThat(name).startsWith(directory + "/to-client.");
            assertThat(Files.readString(Path.of(name + ".000001"))).isEqualTo("by");
            assertThat(Files.readString(Path.of(name + ".000002"))).isEqualTo("e");
        }
    }
}
