package dev.sluice.net;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sluice.internal.fd.Descriptors;
import dev.sluice.internal.linux.Errno;
import dev.sluice.internal.linux.Sockets;
import dev.sluice.io.SluiceException;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Means;
import dev.sluice.testkit.Pair;
import dev.sluice.testkit.Pair.Kind;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.Timeout.ThreadMode;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Reading, writing and the options of a connected socket. */
@ParameterizedClass
@EnumSource(Means.class)
@ExtendWith(LeakCheck.class)
@Timeout(value = 30, threadMode = ThreadMode.SEPARATE_THREAD)
class StreamSocketTest {
    private static final long SEED = 443;

    private final Means means;

    StreamSocketTest(Means means) throws IOException {
        this.means = means.orSkip();
    }

    static Stream<Arguments> sizes() {
        return Stream.of(Kind.values())
                .flatMap(kind -> Stream.of(1, 65535, 65536, 65537, 1 << 20).map(size -> Arguments.of(kind, size)));
    }

    @ParameterizedTest
    @MethodSource("sizes")
    void heapBuffersArriveWhole(Kind kind, int size) throws Exception {
        byte[] bytes = Bytes.random(SEED, size);
        arrives(kind, ByteBuffer.wrap(bytes), ByteBuffer.allocate(size), bytes);
        arrives(kind, ByteBuffer.wrap(bytes).asReadOnlyBuffer(), ByteBuffer.allocate(size), bytes);
    }

    @ParameterizedTest
    @MethodSource("sizes")
    void directBuffersArriveWhole(Kind kind, int size) throws Exception {
        byte[] bytes = Bytes.random(SEED, size);
        ByteBuffer direct = ByteBuffer.allocateDirect(size).put(bytes).flip();
        arrives(kind, direct.duplicate(), ByteBuffer.allocateDirect(size), bytes);
        arrives(kind, direct.asReadOnlyBuffer(), ByteBuffer.allocateDirect(size), bytes);
    }

    private void arrives(Kind kind, ByteBuffer out, ByteBuffer in, byte[] expected) throws Exception {
        try (Pair pair = Pair.open(kind, means)) {
            CompletableFuture<Integer> writing = Bytes.async(() -> pair.near().write(out));
            while (in.hasRemaining()) {
                int before = in.position();
                assertThat(pair.far().read(in)).isPositive().isEqualTo(in.position() - before);
            }
            assertThat(writing.get()).isEqualTo(expected.length);
            assertThat(out.hasRemaining()).isFalse();
            assertThat(in.flip()).isEqualTo(ByteBuffer.wrap(expected));
        }
    }

    @ParameterizedTest
    @EnumSource
    void buffersWithoutRoomOrContentMoveNothingAtOnce(Kind kind) throws Exception {
        try (Pair pair = Pair.open(kind, means)) {
            assertThat(pair.near().read(ByteBuffer.allocate(0))).isZero();
            assertThat(pair.near().read(ByteBuffer.allocateDirect(0))).isZero();
            assertThat(pair.near().write(ByteBuffer.allocate(0))).isZero();
            assertThat(pair.near().write(ByteBuffer.allocateDirect(0))).isZero();
            pair.near().close();
            assertThat(pair.far().read(ByteBuffer.allocate(1))).isEqualTo(-1);
        }
    }

    @ParameterizedTest
    @EnumSource
    void theEndOfTheStreamIsReadAgainAndAgainWhileTheOtherDirectionLives(Kind kind) throws Exception {
        try (Pair pair = Pair.open(kind, means)) {
            pair.near().shutdownOutput();
            assertThat(pair.far().read(ByteBuffer.allocate(1))).isEqualTo(-1);
            assertThat(pair.far().read(ByteBuffer.allocate(1))).isEqualTo(-1);
            pair.far().write(ByteBuffer.allocate(3));
            assertThat(Bytes.read(pair.near(), 3)).hasSize(3);
            assertThatExceptionOfType(SluiceException.class)
                    .isThrownBy(() -> pair.near().write(ByteBuffer.allocate(1)))
                    .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.EPIPE));
        }
    }

    @Test
    void shutdownInputReadsAsTheEnd() throws Exception {
        try (Pair pair = Pair.open(Kind.UNIX, means)) {
            pair.near().shutdownInput();
            assertThat(pair.near().read(ByteBuffer.allocate(1))).isEqualTo(-1);
        }
    }

    @Test
    void aReadOnlyBufferIsRefusedByReadAndNothingIsTaken() throws Exception {
        try (Pair pair = Pair.open(Kind.TCP, means)) {
            pair.far().write(ByteBuffer.wrap(new byte[] {7}));
            assertThatExceptionOfType(IllegalArgumentException.class)
                    .isThrownBy(
                            () -> pair.near().read(ByteBuffer.allocateDirect(1).asReadOnlyBuffer()));
            assertThat(Bytes.read(pair.near(), 1)).containsExactly(7);
        }
    }

    @Test
    void afterCloseEverythingThrowsClosedChannel() throws Exception {
        try (Pair pair = Pair.open(Kind.TCP, means)) {
            StreamSocket socket = pair.near();
            socket.close();
            socket.close();
            assertThat(socket.isOpen()).isFalse();
            assertThatExceptionOfType(ClosedChannelException.class)
                    .isThrownBy(() -> socket.read(ByteBuffer.allocate(1)));
            assertThatExceptionOfType(ClosedChannelException.class)
                    .isThrownBy(() -> socket.write(ByteBuffer.allocate(1)));
            assertThatExceptionOfType(ClosedChannelException.class).isThrownBy(socket::shutdownOutput);
            assertThatExceptionOfType(ClosedChannelException.class).isThrownBy(socket::unacknowledged);
            assertThatExceptionOfType(ClosedChannelException.class).isThrownBy(() -> socket.noDelay(true));
            socket.abort();
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"TCP", "TCP6"})
    void abortGivesThePeerAReset(Kind kind) throws Exception {
        try (Pair pair = Pair.open(kind, means)) {
            pair.near().abort();
            assertThat(pair.near().isOpen()).isFalse();
            assertThatExceptionOfType(SluiceException.class)
                    .isThrownBy(() -> pair.far().read(ByteBuffer.allocate(1)))
                    .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.ECONNRESET))
                    .satisfies(e -> assertThat(e.call()).isEqualTo("recv"))
                    .withMessageContaining("ECONNRESET")
                    .withMessageContaining("the peer has gone");
        }
    }

    @Test
    void whatThePeerHasAcknowledgedIsNotUnacknowledged() throws Exception {
        try (Pair pair = Pair.open(Kind.TCP, means)) {
            pair.near().write(ByteBuffer.allocate(10_000));
            assertThat(pair.near().awaitAcknowledged(Duration.ofSeconds(20))).isTrue();
            assertThat(pair.near().unacknowledged()).isZero();
        }
    }

    @Test
    void whatThePeerHasNoRoomForStaysUnacknowledged() throws Exception {
        try (Pair pair = Pair.open(Kind.TCP, means)) {
            pair.near().writeTimeout(Duration.ofMillis(100));
            ByteBuffer much = ByteBuffer.allocate(16 << 20);
            assertThatExceptionOfType(SocketTimeoutException.class)
                    .isThrownBy(() -> pair.near().write(much));

            assertThat(pair.near().unacknowledged()).isPositive();
            assertThat(pair.near().awaitAcknowledged(Duration.ofMillis(20))).isFalse();
            CompletableFuture<byte[]> reading = Bytes.async(() -> Bytes.read(pair.far(), much.position()));
            assertThat(pair.near().awaitAcknowledged(Duration.ofSeconds(20))).isTrue();
            assertThat(reading.get()).hasSize(much.position());
        }
    }

    @Test
    void optionsReachTheKernel() throws Exception {
        try (Pair pair = Pair.open(Kind.TCP, means)) {
            StreamSocket socket = pair.near();
            int before = option(socket, Sockets.SOL_SOCKET, Sockets.SO_SNDBUF);
            assertThat(socket.noDelay(true)).isSameAs(socket);
            assertThat(option(socket, Sockets.IPPROTO_TCP, Sockets.TCP_NODELAY)).isOne();
            socket.noDelay(false);
            assertThat(option(socket, Sockets.IPPROTO_TCP, Sockets.TCP_NODELAY)).isZero();
            socket.keepAlive(true);
            assertThat(option(socket, Sockets.SOL_SOCKET, Sockets.SO_KEEPALIVE)).isOne();
            socket.userTimeout(Duration.ofSeconds(17));
            assertThat(option(socket, Sockets.IPPROTO_TCP, Sockets.TCP_USER_TIMEOUT))
                    .isEqualTo(17_000);
            socket.sendBuffer(20_000).receiveBuffer(30_000);
            assertThat(option(socket, Sockets.SOL_SOCKET, Sockets.SO_SNDBUF))
                    .isEqualTo(40_000)
                    .isNotEqualTo(before);
            assertThat(option(socket, Sockets.SOL_SOCKET, Sockets.SO_RCVBUF)).isEqualTo(60_000);
        }
    }

    @Test
    void tcpOptionsDoNothingOnAUnixSocket() throws Exception {
        try (Pair pair = Pair.open(Kind.UNIX, means)) {
            pair.near().noDelay(true).userTimeout(Duration.ofSeconds(1)).keepAlive(true);
            assertThat(option(pair.near(), Sockets.SOL_SOCKET, Sockets.SO_KEEPALIVE))
                    .isOne();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"reno", "cubic"})
    void congestionControlIsChosenByName(String name) throws Exception {
        List<String> known = List.of(Files.readString(Path.of("/proc/sys/net/ipv4/tcp_available_congestion_control"))
                .split("\\s+"));
        assumeTrue(known.contains(name), name + " is not among " + known);
        try (Pair pair = Pair.open(Kind.TCP, means)) {
            pair.near().congestionControl(name);
            // Four letters of the name, as an int.
            assertThat(option(pair.near(), Sockets.IPPROTO_TCP, Sockets.TCP_CONGESTION))
                    .isEqualTo(name.charAt(0) | name.charAt(1) << 8 | name.charAt(2) << 16 | name.charAt(3) << 24);
            assertThatExceptionOfType(SluiceException.class)
                    .isThrownBy(() -> pair.near().congestionControl("nonesuch"))
                    .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.ENOENT));
        }
    }

    private static int option(StreamSocket socket, int level, int option) {
        return Sockets.option(Descriptors.source(socket).fd(), level, option);
    }

    @Test
    void memoryOfAClosedArenaIsNeitherWrittenNorSent() throws Exception {
        try (Pair pair = Pair.open(Kind.TCP, means)) {
            ByteBuffer gone;
            // So large that it is unmapped: a call that uses it anyway fails, instead of spoiling the heap.
            try (Arena arena = Arena.ofShared()) {
                gone = arena.allocate(64 << 20).asByteBuffer();
            }
            pair.far().write(ByteBuffer.allocate(1));
            assertThatExceptionOfType(IllegalStateException.class)
                    .isThrownBy(() -> pair.near().write(gone.duplicate()));
            assertThatExceptionOfType(IllegalStateException.class)
                    .isThrownBy(() -> pair.near().read(gone.duplicate()));
        }
    }
}
