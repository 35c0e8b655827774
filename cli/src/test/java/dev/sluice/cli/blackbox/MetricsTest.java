package dev.sluice.cli.blackbox;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;

/** {@code --metrics}: what Prometheus sees of a relay, and what it can't do to it. */
@BlackBox
class MetricsTest {
    private static final String TO_TARGET = "sluice_bytes_total{direction=\"to_target\",service=\"relay\"}";
    private static final String TO_CLIENT = "sluice_bytes_total{direction=\"to_client\",service=\"relay\"}";
    private static final int SESSIONS = 20;
    private static final int REQUEST = 300_000;
    private static final int REPLY = 100_000;

    @Test
    void countsWhatWasSent() throws Exception {
        try (Stage stage = Stage.tcp("--metrics", "127.0.0.1:0")) {
            String address = Scrape.address(stage.relay());
            AtomicBoolean over = new AtomicBoolean();
            Session held = stage.open();
            Parallel.run(
                    () -> {
                        try {
                            exchange(held);
                            for (int i = 1; i < SESSIONS; i++) {
                                try (Session session = stage.open()) {
                                    exchange(session);
                                }
                            }
                        } finally {
                            over.set(true);
                        }
                    },
                    () -> {
                        double last = 0;
                        do {
                            double now = Scrape.of(address).value(TO_TARGET);
                            assertThat(now).isBetween(last, (double) SESSIONS * REQUEST);
                            last = now;
                        } while (!over.get());
                    });
            for (int i = 1; i < SESSIONS; i++) {
                stage.relay().record();
            }
            Scrape scrape = await(address, TO_CLIENT, SESSIONS * REPLY);
            String listener = "{listener=\"" + stage.relay().address() + "\",service=\"relay\"}";
            String target = "{target=\"tcp:127.0.0.1:" + stage.targetPort() + "\"}";
            assertThat(scrape.value(TO_TARGET)).isEqualTo(SESSIONS * REQUEST);
            assertThat(scrape.value("sluice_connections_total" + listener)).isEqualTo(SESSIONS);
            assertThat(scrape.value("sluice_connections_active" + listener)).isOne();
            assertThat(scrape.value("sluice_target_connections_total" + target)).isEqualTo(SESSIONS);
            assertThat(scrape.value("sluice_target_connections_active" + target))
                    .isOne();
            assertThat(scrape.value("sluice_target_up" + target)).isOne();
            assertThat(sum(scrape, "sluice_connection_ends_total{end=\"", ",side=\"client\"}"))
                    .isEqualTo(SESSIONS - 1);
            assertThat(sum(scrape, "sluice_ended_connection_bytes_total{route=\"", "\"}"))
                    .isEqualTo((SESSIONS - 1) * (REQUEST + REPLY));
            assertThat(scrape.value("sluice_queue_length{service=\"relay\"}")).isZero();
            held.close();
        }
    }

    private static void exchange(Session session) throws Exception {
        Parallel.run(
                () -> session.client().send(REQUEST), () -> session.server().receive(REQUEST));
        Parallel.run(() -> session.server().send(REPLY), () -> session.client().receive(REPLY));
    }

    /** A count may come a moment after the bytes. */
    private static Scrape await(String address, String series, double value) throws Exception {
        Scrape scrape = Scrape.of(address);
        while (scrape.value(series) != value) {
            Thread.sleep(10);
            scrape = Scrape.of(address);
        }
        return scrape;
    }

    private static double sum(Scrape scrape, String prefix, String suffix) {
        return scrape.values().entrySet().stream()
                .filter(sample ->
                        sample.getKey().startsWith(prefix) && sample.getKey().endsWith(suffix))
                .mapToDouble(sample -> sample.getValue())
                .sum();
    }

    @Test
    void speaksOpenMetricsToWhoeverAsks() throws Exception {
        try (Stage stage = Stage.tcp("--metrics", "127.0.0.1:0")) {
            String address = Scrape.address(stage.relay());
            HttpResponse<String> open = Scrape.get(address, "/metrics", "application/openmetrics-text; version=1.0.0");
            assertThat(Scrape.of(open).type()).startsWith("application/openmetrics-text");
            assertThat(open.body()).endsWith("# EOF\n");
            assertThat(Scrape.of(address).type()).startsWith("text/plain; version=0.0.4");
            assertThat(Scrape.of(open).values().keySet())
                    .isEqualTo(Scrape.of(address).values().keySet());
            assertThat(Scrape.get(address, "/", "*/*").statusCode()).isEqualTo(404);
        }
    }

    @Test
    void isReadyUntilADrainBegins() throws Exception {
        try (Stage stage = Stage.tcp("--metrics", "127.0.0.1:0")) {
            String address = Scrape.address(stage.relay());
            assertThat(Scrape.get(address, "/ready", "*/*").statusCode()).isEqualTo(200);
            try (Session held = stage.open()) {
                stage.relay().drain();
                assertThat(Scrape.get(address, "/ready", "*/*").statusCode()).isEqualTo(503);
                assertThat(Scrape.of(address).value("sluice_draining")).isOne();
                exchange(held);
            }
            assertThat(stage.relay().exitCode()).isZero();
        }
    }

    /** Some say half of a request, some more than anybody wants to hear, some do not take the answer. */
    @Test
    void clientsThatBehaveBadlyHurtNobody() throws Exception {
        try (Stage stage = Stage.tcp("--metrics", "127.0.0.1:0")) {
            String address = Scrape.address(stage.relay());
            int threads = stage.relay().vitals().threads();
            List<SocketChannel> bad = new ArrayList<>();
            try {
                for (int i = 0; i < 30; i++) {
                    SocketChannel client = connect(address);
                    bad.add(client);
                    String said = switch (i % 3) {
                        case 0 -> "GET /metrics HTTP/1.1\r\nHost: x\r\n";
                        case 1 ->
                            "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n"
                                    + "x".repeat(100_000);
                        default -> "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n".repeat(20);
                    };
                    client.configureBlocking(false);
                    client.write(ByteBuffer.wrap(said.getBytes(StandardCharsets.US_ASCII)));
                }
                try (Session session = stage.open()) {
                    exchange(session);
                }
                assertThat(Scrape.of(address).value("sluice_draining")).isZero();
                assertThat(stage.relay().vitals().threads()).isLessThan(threads + 20);
            } finally {
                for (SocketChannel client : bad) {
                    client.close();
                }
            }
            stage.relay().drain();
            assertThat(stage.relay().exitCode()).isZero();
        }
    }

    private static SocketChannel connect(String address) throws IOException {
        return Stage.connect(new InetSocketAddress(Stage.loopback(), Integer.parseInt(address.split(":")[1])));
    }

    @Test
    void anAddressInUseIsSaid() throws Exception {
        try (Stage stage = Stage.tcp("--metrics", "127.0.0.1:0")) {
            List<String> command = new ArrayList<>(RelayProcess.relay());
            command.addAll(List.of("127.0.0.1:0", ":1", "--metrics", Scrape.address(stage.relay())));
            Programs.Run other = Programs.run(command);
            assertThat(other.code()).isEqualTo(69);
            assertThat(other.output())
                    .contains(Scrape.address(stage.relay()) + ": bind: ", "in use")
                    .hasLineCount(1);
        }
    }
}
