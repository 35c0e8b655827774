package dev.sluice.cli.blackbox;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.channels.SocketChannel;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** More clients than descriptors. */
@BlackBox
class DescriptorLimitTest {
    private static final int LIMIT = 64;
    private static final int CLIENTS = 200;

    @Test
    void survivesAndServesAgain() throws Exception {
        List<String> limited = List.of("bash", "-c", "ulimit -n " + LIMIT + " && exec \"$@\"", "relay");
        try (Stage stage = Stage.tcp(limited)) {
            Echo.serve(stage.target());
            List<SocketChannel> clients = new ArrayList<>();
            for (int i = 0; i < CLIENTS; i++) {
                clients.add(stage.connect());
            }
            stage.relay().awaitErr("ulimit -n");
            long before = Vitals.cpuMillis(stage.relay().pid());
            Thread.sleep(500);
            System.out.println((Vitals.cpuMillis(stage.relay().pid()) - before)
                    + " ms of processor time in half a second without descriptors");
            for (SocketChannel client : clients) {
                client.close();
            }
            awaitService(stage);
            for (int i = 1; i <= 50; i++) {
                Echo.use(stage.connect(), i * 10_000);
            }
        }
    }

    /** Who comes while the flood has not run off yet may be turned away. */
    private static void awaitService(Stage stage) throws Exception {
        boolean served = false;
        while (!served) {
            try {
                Echo.use(stage.connect(), 100);
                served = true;
            } catch (IOException | AssertionError e) {
                assertThat(stage.relay().isAlive()).isTrue();
                Thread.sleep(50);
            }
        }
    }
}
