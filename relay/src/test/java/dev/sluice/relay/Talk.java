package dev.sluice.relay;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.OutputStream;
import java.net.Socket;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** What two peers say to each other through a relay, checked byte by byte. */
record Talk(byte[] request, byte[] answer) {
    private static final int CHUNK = 100_000;

    static Talk of(int request, int answer) {
        byte[] there = new byte[request];
        byte[] back = new byte[answer];
        new Random(request).nextBytes(there);
        new Random(answer + 1).nextBytes(back);
        return new Talk(there, back);
    }

    /** Both at once, each side to its end. */
    void through(RelayFixture fixture) throws Exception {
        try (Socket client = fixture.client();
                Socket server = fixture.server.accept()) {
            between(client, server);
        }
    }

    /** The same, aside, over connections that exist when this returns. */
    CompletableFuture<Void> begin(RelayFixture fixture) throws IOException {
        Socket client = fixture.client();
        Socket server = fixture.server.accept();
        return async(() -> {
            try (client;
                    server) {
                between(client, server);
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
            return null;
        });
    }

    void between(Socket client, Socket server) throws Exception {
        CompletableFuture<Void> asking = send(client, request);
        CompletableFuture<Void> answering = send(server, answer);
        CompletableFuture<byte[]> heard = read(server);
        same(get(read(client)), answer);
        same(get(heard), request);
        get(asking);
        get(answering);
    }

    static CompletableFuture<Void> send(Socket socket, byte[] bytes) {
        return async(() -> {
            OutputStream out = socket.getOutputStream();
            for (int at = 0; at < bytes.length; at += CHUNK) {
                out.write(bytes, at, Math.min(CHUNK, bytes.length - at));
            }
            socket.shutdownOutput();
            return null;
        });
    }

    static CompletableFuture<byte[]> read(Socket socket) {
        return async(() -> socket.getInputStream().readAllBytes());
    }

    interface Work<T> {
        T run() throws IOException;
    }

    static <T> CompletableFuture<T> async(Work<T> work) {
        CompletableFuture<T> future = new CompletableFuture<>();
        Thread.ofVirtual().start(() -> {
            try {
                future.complete(work.run());
            } catch (IOException | RuntimeException e) {
                future.completeExceptionally(e);
            }
        });
        return future;
    }

    static <T> T get(CompletableFuture<T> future) throws InterruptedException, ExecutionException, TimeoutException {
        return future.get(20, TimeUnit.SECONDS);
    }

    static void same(byte[] actual, byte[] expected) {
        assertThat(actual.length).isEqualTo(expected.length);
        assertThat(Arrays.mismatch(actual, expected)).as("first wrong byte").isEqualTo(-1);
    }

    static void beginning(byte[] actual, byte[] whole) {
        assertThat(actual.length).isLessThanOrEqualTo(whole.length);
        same(actual, Arrays.copyOf(whole, actual.length));
    }
}
