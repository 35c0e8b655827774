package dev.sluice;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.io.Route;
import dev.sluice.net.StreamSocket;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Pair;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.Timeout.ThreadMode;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Joins in which the JDK's own sockets take part, and channels of somebody else. */
@ExtendWith(LeakCheck.class)
@Timeout(value = 60, threadMode = ThreadMode.SEPARATE_THREAD)
class JoinForeignTest {
    private static final long SEED = 1_414_213;

    /** The kinds of the two channels that are joined. */
    enum Mix {
        BLOCKING_BLOCKING,
        BLOCKING_OURS,
        NON_BLOCKING_BLOCKING,
        NON_BLOCKING_NON_BLOCKING,
        OURS_NON_BLOCKING;

        End front() throws IOException {
            return switch (this) {
                case BLOCKING_BLOCKING, BLOCKING_OURS -> End.jdk(true);
                case NON_BLOCKING_BLOCKING, NON_BLOCKING_NON_BLOCKING -> End.jdk(false);
                case OURS_NON_BLOCKING -> End.ours();
            };
        }

        End back() throws IOException {
            return switch (this) {
                case BLOCKING_BLOCKING, NON_BLOCKING_BLOCKING -> End.jdk(true);
                case NON_BLOCKING_NON_BLOCKING, OURS_NON_BLOCKING -> End.jdk(false);
                case BLOCKING_OURS -> End.ours();
            };
        }
    }

    private interface HalfClose {
        void run() throws IOException;
    }

    /** The channel that is joined, and the peer that speaks to it. */
    private record End(ByteChannel joined, ByteChannel peer, HalfClose shutdown) implements AutoCloseable {
        static End jdk(boolean blocking) throws IOException {
            try (ServerSocketChannel server = ServerSocketChannel.open()) {
                server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
                SocketChannel peer = SocketChannel.open(server.getLocalAddress());
                SocketChannel joined = server.accept();
                joined.configureBlocking(blocking);
                return new End(joined, peer, peer::shutdownOutput);
            }
        }

        static End ours() throws IOException {
            Pair pair = Pair.open(Pair.Kind.TCP);
            return new End(pair.near(), pair.far(), () -> pair.far().shutdownOutput());
        }

        @Override
        public void close() throws IOException {
            joined.close();
            peer.close();
        }
    }

    @ParameterizedTest
    @EnumSource
    void aClientThatHasSaidAllGetsTheWholeReply(Mix mix) throws Exception {
        byte[] request = Bytes.random(SEED, 100_001);
        byte[] reply = Bytes.random(SEED + 1, 3_000_003);
        try (End front = mix.front();
                End back = mix.back()) {
            boolean before = blocking(front.joined);
            CompletableFuture<byte[]> serving = Bytes.async(() -> {
                byte[] heard = Bytes.readAll(back.peer);
                Bytes.write(back.peer, reply, 65_536);
                back.shutdown.run();
                return heard;
            });
            CompletableFuture<JoinResult> joining =
                    Bytes.async(() -> Sluice.join(front.joined, back.joined, Route.SPLICE));
            Bytes.write(front.peer, request, 65_536);
            front.shutdown.run();

            assertThat(Bytes.readAll(front.peer)).isEqualTo(reply);
            assertThat(serving.get()).isEqualTo(request);
            JoinResult result = joining.get();
            assertThat(result.complete()).as("%s", result).isTrue();
            assertThat(result.forward().result().bytes()).isEqualTo(request.length);
            assertThat(result.backward().result().bytes()).isEqualTo(reply.length);
            assertThat(result.forward().result().route()).isEqualTo(Route.SPLICE);
            assertThat(result.backward().result().route()).isEqualTo(Route.SPLICE);
            assertThat(blocking(front.joined)).isEqualTo(before);
        }
    }

    private static boolean blocking(ByteChannel channel) {
        return !(channel instanceof SocketChannel socket) || socket.isBlocking();
    }

    @ParameterizedTest
    @EnumSource
    void bothMaySpeakAtOnceAndALot(Mix mix) throws Exception {
        byte[] there = Bytes.random(SEED + 2, 5 << 20);
        byte[] back = Bytes.random(SEED + 3, 5 << 20);
        try (End a = mix.front();
                End b = mix.back()) {
            CompletableFuture<JoinResult> joining = Bytes.async(() -> Sluice.join(a.joined, b.joined));
            CompletableFuture<?> client = speak(a, there);
            CompletableFuture<?> server = speak(b, back);
            CompletableFuture<byte[]> heard = Bytes.async(() -> Bytes.readAll(b.peer));

            assertThat(Bytes.readAll(a.peer)).isEqualTo(back);
            assertThat(heard.get()).isEqualTo(there);
            client.get();
            server.get();
            assertThat(joining.get().complete()).isTrue();
        }
    }

    private static CompletableFuture<?> speak(End end, byte[] bytes) {
        return Bytes.async(() -> {
            Bytes.write(end.peer, bytes, 100_000);
            end.shutdown.run();
            return null;
        });
    }

    /** A reset ends the other direction too, though it is blocked in a read of its own. */
    @ParameterizedTest
    @EnumSource
    void aPeerThatResetsDoesNotHangTheJoin(Mix mix) throws Exception {
        try (End front = mix.front();
                End back = mix.back()) {
            CompletableFuture<JoinResult> joining = Bytes.async(() -> Sluice.join(front.joined, back.joined));
            Bytes.write(front.peer, new byte[] {1}, 1);
            assertThat(Bytes.read(back.peer, 1)).containsExactly(1);
            reset(front.peer);

            JoinResult result = joining.get();
            assertThat(result.forward().failure()).isPresent();
            assertThat(result.backward().failure()).isPresent();
        }
    }

    /** A channel that is more than its socket, as one with TLS would be. */
    private record Wrapped(SocketChannel socket) implements ByteChannel {
        @Override
        public int read(ByteBuffer buffer) throws IOException {
            return socket.read(buffer);
        }

        @Override
        public int write(ByteBuffer buffer) throws IOException {
            return socket.write(buffer);
        }

        @Override
        public boolean isOpen() {
            return socket.isOpen();
        }

        @Override
        public void close() throws IOException {
            socket.close();
        }
    }

    @Test
    void aChannelOfSomebodyElseIsJoinedByCopying() throws Exception {
        byte[] there = Bytes.random(SEED + 4, 300_000);
        byte[] back = Bytes.random(SEED + 5, 200_000);
        try (End a = End.jdk(true);
                End b = End.ours()) {
            CompletableFuture<JoinResult> joining =
                    Bytes.async(() -> Sluice.join(new Wrapped((SocketChannel) a.joined), b.joined));
            CompletableFuture<?> client = speak(a, there);
            CompletableFuture<?> server = speak(b, back);

            assertThat(Bytes.readAll(b.peer)).isEqualTo(there);
            assertThat(Bytes.read(a.peer, back.length)).isEqualTo(back);
            client.get();
            server.get();
            JoinResult result = joining.get();
            assertThat(result.complete()).isTrue();
            assertThat(result.forward().result().reason()).contains("source").contains(Wrapped.class.getName());
            assertThat(result.backward().result().reason()).contains("sink").contains(Wrapped.class.getName());
            assertThat(result.forward().result().route()).isEqualTo(Route.COPY);
        }
    }

    private static void reset(ByteChannel channel) throws IOException {
        if (channel instanceof SocketChannel socket) {
            socket.setOption(StandardSocketOptions.SO_LINGER, 0);
            socket.close();
        } else {
            ((StreamSocket) channel).abort();
        }
    }
}
