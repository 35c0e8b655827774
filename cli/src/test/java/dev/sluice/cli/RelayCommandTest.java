package dev.sluice.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(120)
class RelayCommandTest {

    @Test
    void oneJsonLinePerConnection() throws Exception {
        try (ServerSocket target = new ServerSocket(0, 10, InetAddress.getLoopbackAddress());
                Sluice sluice = Sluice.start(
                        "relay", "127.0.0.1:0", "127.0.0.1:" + target.getLocalPort(), "--print-address", "--json")) {
            int port = sluice.port();
            for (int i = 1; i <= 3; i++) {
                try (Socket client = new Socket(InetAddress.getLoopbackAddress(), port);
                        Socket server = target.accept()) {
                    client.getOutputStream().write(new byte[i]);
                    client.shutdownOutput();
                    assertThat(server.getInputStream().readAllBytes()).hasSize(i);
                    server.close();
                    assertThat(client.getInputStream().read()).isEqualTo(-1);
                }
                Map<String, Object> record = ParsedJson.object(sluice.readLine());
                assertThat(record)
                        .containsKeys("start", "seconds", "client")
                        .containsEntry("listener", "tcp:127.0.0.1:" + port)
                        .containsEntry("target", "tcp:127.0.0.1:" + target.getLocalPort())
                        .doesNotContainKey("error");
                List<Map<String, Object>> directions = ParsedJson.list(record.get("directions"));
                assertThat(directions.getFirst())
                        .containsEntry("from", "client")
                        .containsEntry("bytes", (long) i)
                        .containsEntry("end", "fin")
                        .containsKeys("route", "reason");
                assertThat(directions.getLast()).containsEntry("from", "target").containsEntry("bytes", 0L);
            }
        }
    }

    /** The relay stops short of the limit and says so; who waits is served when there is room. */
    @Test
    void outOfDescriptorsIsNoEnd(@TempDir Path directory) throws Exception {
        int clients = 100;
        Path jar = OneJar.ofClassPath(directory.resolve("sluice.jar"));
        try (ServerSocket target = new ServerSocket(0, clients, InetAddress.getLoopbackAddress());
                Sluice sluice = Sluice.shell(
                        jar,
                        "ulimit -n 80; exec 2>&1; sluice relay 127.0.0.1:0 127.0.0.1:" + target.getLocalPort()
                                + " --print-address")) {
            int port = sluice.port();
            Socket[] waiting = new Socket[clients];
            for (int i = 0; i < clients; i++) {
                waiting[i] = new Socket(InetAddress.getLoopbackAddress(), port);
            }
            assertThat(sluice.readLine()).contains("a limit of 80 descriptors").contains("ulimit -n");
            for (Socket client : waiting) {
                client.close();
            }
            try (Socket last = new Socket(InetAddress.getLoopbackAddress(), port)) {
                last.getOutputStream().write(77);
                assertThat(echoUntil(target, 77)).isTrue();
            }
        }
    }

    /** Serves whoever comes, until somebody sends the byte. */
    private static boolean echoUntil(ServerSocket target, int wanted) throws Exception {
        while (true) {
            try (Socket server = target.accept()) {
                if (server.getInputStream().read() == wanted) {
                    return true;
                }
            }
        }
    }
}
