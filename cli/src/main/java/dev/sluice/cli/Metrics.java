package dev.sluice.cli;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.sluice.io.Endpoint;
import io.prometheus.metrics.expositionformats.ExpositionFormatWriter;
import io.prometheus.metrics.expositionformats.OpenMetricsTextFormatWriter;
import io.prometheus.metrics.expositionformats.PrometheusTextFormatWriter;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * Tells Prometheus, by HTTP: {@code /metrics}, and {@code /ready}, which is 200 until a drain begins. Only what asks for it
 * loads this class, and with it the server and the library for the formats.
 */
final class Metrics implements AutoCloseable {
    private static final int BACKLOG = 64;

    /** What the server would allow otherwise has no end. Seconds, and connections. */
    private static final List<String[]> BOUNDS = List.of(
            new String[] {"sun.net.httpserver.maxReqTime", "5"},
            new String[] {"sun.net.httpserver.maxRspTime", "10"},
            new String[] {"jdk.httpserver.maxConnections", "64"});

    private final HttpServer server;
    private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
    private final RelayProgram program;
    private final Samples samples = new Samples();
    private final ExpositionFormatWriter text = PrometheusTextFormatWriter.create();
    private final ExpositionFormatWriter open = OpenMetricsTextFormatWriter.create();

    private Metrics(HttpServer server, RelayProgram program) {
        this.server = server;
        this.program = program;
    }

    /** Answers from now on, on threads of its own. */
    static Metrics serve(Endpoint.Tcp at, RelayProgram program) throws IOException {
        for (String[] bound : BOUNDS) {
            if (System.getProperty(bound[0]) == null) {
                System.setProperty(bound[0], bound[1]);
            }
        }
        Metrics metrics = new Metrics(bind(at), program);
        metrics.server.setExecutor(metrics.threads);
        metrics.server.createContext("/", metrics::answer);
        metrics.server.start();
        return metrics;
    }

    private static HttpServer bind(Endpoint.Tcp at) throws IOException {
        InetAddress host = at.host().isEmpty() ? null : InetAddress.getByName(at.host());
        try {
            return HttpServer.create(new InetSocketAddress(host, at.port()), BACKLOG);
        } catch (IOException e) {
            throw new IOException(at + ": bind: " + e.getMessage() + "; choose another address for metrics", e);
        }
    }

    /** With the port that the kernel chose. */
    Endpoint address() {
        InetSocketAddress bound = server.getAddress();
        return new Endpoint.Tcp(bound.getAddress().getHostAddress(), bound.getPort());
    }

    private void answer(HttpExchange exchange) throws IOException {
        try (exchange) {
            String method = exchange.getRequestMethod();
            if (!method.equals("GET") && !method.equals("HEAD")) {
                exchange.getResponseHeaders().set("Allow", "GET, HEAD");
                say(exchange, 405, "GET or HEAD\n");
                return;
            }
            switch (exchange.getRequestURI().getPath()) {
                case "/metrics" -> scrape(exchange);
                case "/ready" ->
                    say(exchange, program.draining() ? 503 : 200, program.draining() ? "draining\n" : "ready\n");
                default -> say(exchange, 404, "/metrics or /ready\n");
            }
        }
    }

    private void scrape(HttpExchange exchange) throws IOException {
        String accept = exchange.getRequestHeaders().getFirst("Accept");
        ExpositionFormatWriter writer = open.accepts(accept) ? open : text;
        ByteArrayOutputStream page = new ByteArrayOutputStream();
        writer.write(page, samples.of(program));
        send(exchange, 200, writer.getContentType(), page.toByteArray());
    }

    private static void say(HttpExchange exchange, int status, String words) throws IOException {
        send(exchange, status, "text/plain; charset=utf-8", words.getBytes(StandardCharsets.UTF_8));
    }

    private static void send(HttpExchange exchange, int status, String type, byte[] body) throws IOException {
        exchange.getResponseHeaders().set("Content-Type", type);
        if (exchange.getRequestMethod().equals("HEAD")) {
            exchange.sendResponseHeaders(status, -1);
            return;
        }
        exchange.sendResponseHeaders(status, body.length);
        exchange.getResponseBody().write(body);
    }

    @Override
    public void close() {
        server.stop(0);
        threads.shutdownNow();
    }
}
