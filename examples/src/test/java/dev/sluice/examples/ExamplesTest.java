package dev.sluice.examples;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.io.Endpoint;
import dev.sluice.io.Route;
import dev.sluice.io.TransferResult;
import dev.sluice.net.StreamListener;
import dev.sluice.net.StreamSocket;
import dev.sluice.send.BufferPool;
import dev.sluice.send.ZeroCopySender;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ExamplesTest {
    private static final Endpoint ANY_PORT = Endpoint.parse("127.0.0.1:0");

    /** Not the common pool: its few threads would all be waiting for connections. */
    private static final Executor THREADS = Thread::startVirtualThread;

    @TempDir
    Path directory;

    @Test
    void theCameraRecipeForwardsAndRecords() throws Exception {
        byte[] film = new byte[20_000_000];
        new Random(4).nextBytes(film);
        Path recording = directory.resolve("recording");
        try (StreamListener cameras = StreamListener.listen(ANY_PORT);
                StreamListener viewers = StreamListener.listen(ANY_PORT)) {
            CompletableFuture<byte[]> seen = CompletableFuture.supplyAsync(() -> readAll(viewers), THREADS);
            CompletableFuture<Void> shot = CompletableFuture.runAsync(() -> send(cameras.endpoint(), film), THREADS);

            TransferResult result = CameraRecipe.serve(cameras, viewers.endpoint(), recording);

            shot.get();
            assertThat(result.bytes()).isEqualTo(film.length);
            assertThat(result.route()).isEqualTo(Route.SPLICE);
            assertThat(seen.get()).isEqualTo(film);
            assertThat(Files.readAllBytes(recording)).isEqualTo(film);
        }
    }

    @Test
    void theProxyCarriesTheEndOfTheRequestOver() throws Exception {
        try (StreamListener target = StreamListener.listen(ANY_PORT);
                StreamListener proxy = StreamListener.listen(ANY_PORT)) {
            CompletableFuture<Void> serving = run(() -> Proxy.serve(proxy, target.endpoint()));
            CompletableFuture<Void> upstream = run(() -> {
                try (StreamSocket socket = target.accept()) {
                    byte[] request = readAll(socket);
                    socket.write(ByteBuffer.wrap(("you said " + new String(request)).getBytes()));
                }
            });
            try (StreamSocket client = StreamSocket.connect(proxy.endpoint())) {
                client.write(ByteBuffer.wrap("hello".getBytes()));
                client.shutdownOutput();
                assertThat(new String(readAll(client))).isEqualTo("you said hello");
            }
            upstream.get();
            proxy.close();
            serving.get();
        }
    }

    @Test
    void aFailedTransferIsResumedWithoutLoss() throws Exception {
        byte[] data = new byte[300_000];
        new Random(5).nextBytes(data);
        ReadableByteChannel source = Channels.newChannel(new ByteArrayInputStream(data));
        ByteArrayOutputStream first = new ByteArrayOutputStream();
        ByteArrayOutputStream second = new ByteArrayOutputStream();

        Resume.transfer(source, failingAfter(100_000, first), Channels.newChannel(second));

        assertThat(first.size()).isEqualTo(100_000);
        assertThat(first.toByteArray()).isEqualTo(Arrays.copyOf(data, 100_000));
        assertThat(second.toByteArray()).isEqualTo(Arrays.copyOfRange(data, 100_000, data.length));
    }

    @Test
    void framesArriveInEveryWayOfSendingThem() throws Exception {
        byte[] film = new byte[5_000_000];
        new Random(6).nextBytes(film);
        try (StreamListener listener = StreamListener.listen(ANY_PORT)) {
            CompletableFuture<byte[]> seen = CompletableFuture.supplyAsync(() -> readAll(listener), THREADS);
            Frames.stream(
                    Channels.newChannel(new ByteArrayInputStream(film)), StreamSocket.connect(listener.endpoint()));
            assertThat(Arrays.mismatch(seen.get(), film)).isEqualTo(-1);

            CompletableFuture<byte[]> one = CompletableFuture.supplyAsync(() -> readAll(listener), THREADS);
            try (BufferPool pool = BufferPool.open(100_000, 1)) {
                assertThat(Frames.sendByRing(
                                StreamSocket.connect(listener.endpoint()),
                                pool.lease().put(Arrays.copyOf(film, 100_000)),
                                Duration.ofSeconds(10)))
                        .isTrue();
            }
            assertThat(Arrays.mismatch(one.get(), Arrays.copyOf(film, 100_000))).isEqualTo(-1);

            try (BufferPool pool = BufferPool.open(100_000, 2);
                    StreamSocket socket = StreamSocket.connect(listener.endpoint());
                    StreamSocket peer = listener.accept();
                    ZeroCopySender sender = ZeroCopySender.open(socket)) {
                CompletableFuture<Void> answering = run(() -> {
                    ByteBuffer all = ByteBuffer.allocate(100_000 + 8 + 100_000 + 4);
                    while (all.hasRemaining()) {
                        peer.read(all);
                    }
                    assertThat(all.getLong(100_000)).isEqualTo(42);
                    peer.write(ByteBuffer.wrap("250 OK".getBytes()));
                });
                assertThat(Frames.sendAndWait(sender, pool.lease().length(100_000), Duration.ofSeconds(10)))
                        .isTrue();
                assertThat(Frames.deliver(sender, 42, pool.lease().length(100_000)))
                        .isTrue();
                Frames.mail(sender, pool.lease().put("mail".getBytes()), socket);
                answering.get();
            }
        }
    }

    @Test
    void aBroadcastReachesEverybody() throws Exception {
        try (StreamListener listener = StreamListener.listen(ANY_PORT)) {
            List<StreamSocket> far = new ArrayList<>();
            List<StreamSocket> near = new ArrayList<>();
            for (int i = 0; i < 5; i++) {
                far.add(StreamSocket.connect(listener.endpoint()));
                near.add(listener.accept());
            }
            near.getLast().close();

            List<StreamSocket> left = Broadcast.send(ByteBuffer.wrap(new byte[] {1, 2, 3}), near);

            assertThat(left).containsExactlyElementsOf(near.subList(0, 4));
            for (int i = 0; i < 4; i++) {
                ByteBuffer in = ByteBuffer.allocate(3);
                assertThat(far.get(i).read(in)).isEqualTo(3);
                assertThat(in.array()).containsExactly(1, 2, 3);
            }
            far.forEach(StreamSocket::close);
            near.forEach(StreamSocket::close);
        }
    }

    @Test
    void aFileIsReadByManyThreadsAtOnce() throws Exception {
        byte[] data = new byte[1_000_001];
        new Random(5).nextBytes(data);
        long sum = 0;
        for (byte b : data) {
            sum += Byte.toUnsignedInt(b);
        }

        assertThat(ParallelSum.of(Files.write(directory.resolve("data"), data))).isEqualTo(sum);
    }

    /** What the documents show is what is compiled and tested here. */
    @ParameterizedTest
    @ValueSource(strings = {"README.md", "docs/guide.md", "docs/zero-copy-send.md", "docs/ring.md"})
    void theDocumentsShowCodeOfTheExamples(String document) throws IOException {
        Path root = Path.of("..").toAbsolutePath().normalize();
        StringBuilder sources = new StringBuilder();
        try (Stream<Path> files = Files.walk(root.resolve("examples/src/main/java"))) {
            for (Path file :
                    files.filter(path -> path.toString().endsWith(".java")).toList()) {
                sources.append(squeeze(Files.readString(file))).append('\n');
            }
        }
        Matcher blocks =
                Pattern.compile("```java\n(.*?)```", Pattern.DOTALL).matcher(Files.readString(root.resolve(document)));
        int found = 0;
        while (blocks.find()) {
            found++;
            assertThat(sources.toString()).contains(squeeze(blocks.group(1)));
        }
        assertThat(found).as("code blocks in %s", document).isPositive();
    }

    /** Without the white space, and without the closing brackets that a block in a document may add. */
    private static String squeeze(String code) {
        return code.replaceAll("\\s+", "").replaceAll("}+$", "");
    }

    private static WritableByteChannel failingAfter(int limit, ByteArrayOutputStream out) {
        return new WritableByteChannel() {
            @Override
            public int write(ByteBuffer buffer) throws IOException {
                int count = Math.min(buffer.remaining(), limit - out.size());
                if (count == 0) {
                    throw new IOException("full");
                }
                byte[] bytes = new byte[count];
                buffer.get(bytes);
                out.writeBytes(bytes);
                return count;
            }

            @Override
            public boolean isOpen() {
                return true;
            }

            @Override
            public void close() {}
        };
    }

    private interface Action {
        void run() throws IOException;
    }

    private static CompletableFuture<Void> run(Action action) {
        return CompletableFuture.runAsync(
                () -> {
                    try {
                        action.run();
                    } catch (IOException e) {
                        throw new UncheckedIOException(e);
                    }
                },
                THREADS);
    }

    private static void send(Endpoint to, byte[] bytes) {
        try (StreamSocket socket = StreamSocket.connect(to)) {
            socket.write(ByteBuffer.wrap(bytes));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static byte[] readAll(StreamListener listener) {
        try (StreamSocket socket = listener.accept()) {
            return readAll(socket);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static byte[] readAll(StreamSocket socket) throws IOException {
        return Channels.newInputStream(socket).readAllBytes();
    }
}
