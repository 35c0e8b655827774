package dev.sluice.ring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.Sluice;
import dev.sluice.io.Endpoint;
import dev.sluice.io.SluiceException;
import dev.sluice.loop.SocketStream;
import dev.sluice.net.StreamListener;
import dev.sluice.net.StreamSocket;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Parked;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ReadPendingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The sockets of dev.sluice.net with a ring beneath; also run without a ring, see {@link WithoutRingTest}. */
@Timeout(60)
@ExtendWith(LeakCheck.class)
class RingSocketTest {
    private static final Endpoint TCP = Endpoint.parse("127.0.0.1:0");

    @TempDir
    Path directory;

    private record Two(StreamSocket near, StreamSocket far) implements AutoCloseable {
        @Override
        public void close() {
            near.close();
            far.close();
        }
    }

    private static SocketStream.Factory means() throws IOException {
        return SharedRing.shared().sockets();
    }

    private Two pair(Endpoint endpoint) throws IOException {
        try (StreamListener listener = StreamListener.listen(endpoint, means())) {
            StreamSocket near = StreamSocket.connect(listener.endpoint(), Duration.ofSeconds(20), means());
            return new Two(near, listener.accept());
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    @DisplayName("U31, U32: every byte arrives in order, TCP and Unix, heap and direct, until the half-close, and back")
    void streams(boolean direct) throws Exception {
        byte[] sent = Bytes.random(1, 1_000_000);
        for (Endpoint endpoint :
                List.of(TCP, new Endpoint.Unix(directory.resolve("s").toString()))) {
            try (Two two = pair(endpoint)) {
                CompletableFuture<Object> echo = Bytes.async(() -> {
                    ByteBuffer buffer = direct ? ByteBuffer.allocateDirect(50_000) : ByteBuffer.allocate(50_000);
                    while (two.far.read(buffer.clear()) >= 0) {
                        two.far.write(buffer.flip());
                    }
                    return two.far.shutdownOutput();
                });
                CompletableFuture<Object> writing = Bytes.async(() -> {
                    Bytes.write(two.near, sent, 30_000);
                    return two.near.shutdownOutput();
                });
                byte[] received = Bytes.readAll(two.near);
                assertThat(Arrays.mismatch(received, sent)).isEqualTo(-1);
                writing.get();
                echo.get();
                assertThat(two.near.read(ByteBuffer.allocate(0))).isZero();
            }
        }
    }

    @Test
    @DisplayName("U32: read and write deadlines fire, and the socket works on")
    void deadlines() throws Exception {
        try (Two two = pair(TCP)) {
            two.near.readTimeout(Duration.ofMillis(10)).writeTimeout(Duration.ofMillis(50));
            assertThatThrownBy(() -> two.near.read(ByteBuffer.allocate(1)))
                    .isInstanceOf(SocketTimeoutException.class)
                    .hasMessageContaining("timed out");
            assertThatThrownBy(() -> two.near.read(ByteBuffer.allocateDirect(1)))
                    .isInstanceOf(SocketTimeoutException.class);
            ByteBuffer much = ByteBuffer.allocateDirect(64 << 20);
            assertThatThrownBy(() -> two.near.write(much)).isInstanceOf(SocketTimeoutException.class);
            int accepted = much.position();
            two.near.shutdownOutput();
            assertThat(Bytes.readAll(two.far)).hasSize(accepted);
            two.far.write(ByteBuffer.wrap(new byte[] {7}));
            ByteBuffer in = ByteBuffer.allocate(5);
            assertThat(two.near.readTimeout(Duration.ZERO).read(in)).isEqualTo(1);
            assertThat(in.get(0)).isEqualTo((byte) 7);
        }
        try (StreamListener listener = StreamListener.listen(TCP, means())) {
            assertThatThrownBy(() -> listener.accept(Duration.ofMillis(10))).isInstanceOf(SocketTimeoutException.class);
            assertThat(listener.isOpen()).isTrue();
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    @DisplayName("U31, R20: a close wakes who reads, writes or accepts; an interrupt does, too, and leaves it open")
    void closeAndInterrupt(boolean direct) throws Exception {
        for (boolean interrupt : new boolean[] {false, true}) {
            Class<? extends Throwable> expected =
                    interrupt ? InterruptedIOException.class : AsynchronousCloseException.class;
            try (Two two = pair(TCP);
                    StreamListener listener = StreamListener.listen(TCP, means())) {
                ByteBuffer in = direct ? ByteBuffer.allocateDirect(10) : ByteBuffer.allocate(10);
                ByteBuffer out = direct ? ByteBuffer.allocateDirect(64 << 20) : ByteBuffer.allocate(64 << 20);
                Parked<Integer> reader = Parked.virtual(() -> two.near.read(in));
                Parked<Integer> writer = Parked.platform(() -> two.near.write(out));
                Parked<StreamSocket> acceptor = Parked.virtual(listener::accept);
                assertThatThrownBy(() -> two.near.read(ByteBuffer.allocate(1)))
                        .isInstanceOf(ReadPendingException.class);
                if (interrupt) {
                    reader.thread().interrupt();
                    writer.thread().interrupt();
                    acceptor.thread().interrupt();
                } else {
                    two.near.close();
                    listener.close();
                }
                assertThat(reader.failure()).isInstanceOf(expected);
                assertThat(writer.failure()).isInstanceOf(expected);
                assertThat(acceptor.failure()).isInstanceOf(expected);
                assertThat(two.near.isOpen()).isEqualTo(interrupt);
                if (!interrupt) {
                    assertThatThrownBy(() -> two.near.read(in)).isInstanceOf(ClosedChannelException.class);
                    assertThatThrownBy(listener::accept).isInstanceOf(ClosedChannelException.class);
                }
            }
        }
    }

    @Test
    @DisplayName("one request accepts many connections; what nobody takes is reset when the listener closes")
    void manyConnections() throws Exception {
        List<StreamSocket> clients = new ArrayList<>();
        List<StreamSocket> accepted = new ArrayList<>();
        try (StreamListener listener = StreamListener.listen(TCP, means())) {
            for (int i = 0; i < 150; i++) {
                clients.add(StreamSocket.connect(listener.endpoint()));
            }
            for (int i = 0; i < 100; i++) {
                accepted.add(listener.accept());
            }
            for (StreamSocket socket : accepted) {
                socket.write(ByteBuffer.wrap(new byte[] {1}));
            }
        }
        int greeted = 0;
        int reset = 0;
        for (StreamSocket client : clients) {
            try {
                greeted += Math.max(0, client.read(ByteBuffer.allocate(1)));
            } catch (SluiceException e) {
                reset++;
            }
        }
        assertThat(greeted).isEqualTo(100);
        assertThat(reset).isEqualTo(50);
        clients.forEach(StreamSocket::close);
        accepted.forEach(StreamSocket::close);
    }

    @Test
    @DisplayName("more readers than there are provided buffers")
    void manyReaders() throws Exception {
        List<Two> pairs = new ArrayList<>();
        List<CompletableFuture<byte[]>> readers = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            Two two = pair(TCP);
            pairs.add(two);
            readers.add(Bytes.async(() -> Bytes.read(two.far, 20_000)));
        }
        for (int i = 0; i < 100; i++) {
            pairs.get(i).near.write(ByteBuffer.wrap(Bytes.random(i, 20_000)));
        }
        for (int i = 0; i < 100; i++) {
            assertThat(Arrays.mismatch(readers.get(i).get(), Bytes.random(i, 20_000)))
                    .isEqualTo(-1);
            pairs.get(i).close();
        }
    }

    @Test
    @DisplayName("a transfer takes over where a read stopped: nothing was received that nobody asked for")
    void transfer() throws Exception {
        byte[] sent = Bytes.random(5, 200_000);
        Path file = directory.resolve("rest");
        try (Two two = pair(TCP);
                RingFile recorded = RingFile.open(
                        file,
                        java.nio.file.StandardOpenOption.CREATE,
                        java.nio.file.StandardOpenOption.WRITE,
                        java.nio.file.StandardOpenOption.READ)) {
            CompletableFuture<Object> writing = Bytes.async(() -> {
                Bytes.write(two.near, sent, 30_000);
                return two.near.shutdownOutput();
            });
            byte[] first = Bytes.read(two.far, 1000);
            Sluice.transfer(two.far, recorded.channel());
            writing.get();
            byte[] rest = Files.readAllBytes(file);
            assertThat(Arrays.mismatch(first, 0, 1000, sent, 0, 1000)).isEqualTo(-1);
            assertThat(Arrays.mismatch(rest, 0, rest.length, sent, 1000, sent.length))
                    .isEqualTo(-1);
        }
    }

    @Test
    @DisplayName("a reset is an error of the read, and nobody listening one of the connect")
    void errors() throws Exception {
        Endpoint gone;
        try (Two two = pair(TCP)) {
            Parked<Integer> reader = Parked.virtual(() -> two.near.read(ByteBuffer.allocate(1)));
            two.far.abort();
            assertThat(reader.failure()).isInstanceOf(SluiceException.class).hasMessageContaining("recv: ECONNRESET");
            gone = two.near.localEndpoint();
        }
        assertThatThrownBy(() -> StreamSocket.connect(gone, Duration.ofSeconds(20), means()))
                .isInstanceOf(SluiceException.class)
                .hasMessageContaining("connect: ECONNREFUSED");
    }
}
