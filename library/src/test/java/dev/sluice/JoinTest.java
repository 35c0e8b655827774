package dev.sluice;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.io.Route;
import dev.sluice.net.StreamSocket;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Pair.Kind;
import java.nio.ByteBuffer;
import java.util.concurrent.CompletableFuture;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.Timeout.ThreadMode;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Both directions between two sockets of the library: a client, the join, a server. */
@ExtendWith(LeakCheck.class)
@Timeout(value = 30, threadMode = ThreadMode.SEPARATE_THREAD)
class JoinTest {
    private static final long SEED = 2_718_281;
    private static final byte[] REQUEST = "request".getBytes(US_ASCII);
    private static final byte[] REPLY = Bytes.random(SEED, 300_001);

    /** moby's TestTCP4ProxyHalfClose. */
    @ParameterizedTest
    @CsvSource({"TCP,TCP,SPLICE", "TCP,TCP,COPY", "UNIX,TCP,SPLICE", "TCP,UNIX,SPLICE", "UNIX,UNIX,COPY"})
    void aClientThatHasSaidAllGetsTheWholeReply(Kind front, Kind back, Route route) throws Exception {
        try (Proxy proxy = Proxy.open(front, back)) {
            CompletableFuture<byte[]> serving = Bytes.async(() -> {
                byte[] request = Bytes.readAll(proxy.server());
                Bytes.write(proxy.server(), REPLY, REPLY.length);
                proxy.server().shutdownOutput();
                return request;
            });
            CompletableFuture<JoinResult> joining = Bytes.async(() -> proxy.join(route));
            Bytes.write(proxy.client(), REQUEST, REQUEST.length);
            proxy.client().shutdownOutput();

            assertThat(Bytes.readAll(proxy.client())).isEqualTo(REPLY);
            assertThat(serving.get()).isEqualTo(REQUEST);
            JoinResult result = joining.get();
            assertThat(result.complete()).as("%s", result).isTrue();
            assertThat(result.forward().result().bytes()).isEqualTo(REQUEST.length);
            assertThat(result.backward().result().bytes()).isEqualTo(REPLY.length);
            assertThat(result.forward().result().route()).isEqualTo(route);
            assertThat(result.backward().result().route()).isEqualTo(route);
        }
    }

    @Test
    void aServerThatHasSaidAllStillGetsWhatTheClientSays() throws Exception {
        try (Proxy proxy = Proxy.open(Kind.TCP, Kind.TCP)) {
            CompletableFuture<JoinResult> joining = Bytes.async(proxy::join);
            proxy.server().shutdownOutput();
            assertThat(proxy.client().read(ByteBuffer.allocate(1))).isEqualTo(-1);

            Bytes.write(proxy.client(), REPLY, 10_000);
            proxy.client().shutdownOutput();
            assertThat(Bytes.readAll(proxy.server())).isEqualTo(REPLY);
            assertThat(joining.get().complete()).isTrue();
        }
    }

    @Test
    void theServerMaySpeakFirst() throws Exception {
        try (Proxy proxy = Proxy.open(Kind.TCP, Kind.UNIX)) {
            CompletableFuture<JoinResult> joining = Bytes.async(proxy::join);
            Bytes.write(proxy.server(), REQUEST, REQUEST.length);
            assertThat(Bytes.read(proxy.client(), REQUEST.length)).isEqualTo(REQUEST);

            Bytes.write(proxy.client(), REPLY, REPLY.length);
            assertThat(Bytes.read(proxy.server(), REPLY.length)).isEqualTo(REPLY);
            proxy.server().close();
            assertThat(proxy.client().read(ByteBuffer.allocate(1))).isEqualTo(-1);
            proxy.client().close();
            assertThat(joining.get().complete()).isTrue();
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = Route.class,
            names = {"SPLICE", "COPY"})
    void bothMaySpeakAtOnceAndALot(Route route) throws Exception {
        byte[] there = Bytes.random(SEED + 1, 16 << 20);
        byte[] back = Bytes.random(SEED + 2, 16 << 20);
        try (Proxy proxy = Proxy.open(Kind.TCP, Kind.TCP)) {
            CompletableFuture<JoinResult> joining = Bytes.async(() -> proxy.join(route));
            CompletableFuture<?> client = speak(proxy.client(), there);
            CompletableFuture<?> server = speak(proxy.server(), back);
            CompletableFuture<byte[]> heard = Bytes.async(() -> Bytes.readAll(proxy.server()));

            assertThat(Bytes.readAll(proxy.client())).isEqualTo(back);
            assertThat(heard.get()).isEqualTo(there);
            client.get();
            server.get();
            JoinResult result = joining.get();
            assertThat(result.complete()).isTrue();
            assertThat(result.forward().result().bytes()).isEqualTo(there.length);
            assertThat(result.backward().result().bytes()).isEqualTo(back.length);
        }
    }

    private static CompletableFuture<?> speak(StreamSocket socket, byte[] bytes) {
        return Bytes.async(() -> {
            Bytes.write(socket, bytes, 100_000);
            return socket.shutdownOutput();
        });
    }

    /** golang/go#10948, smaller. */
    @Test
    void smallMessagesGoToAndFroWithoutALoss() throws Exception {
        RandomGenerator random = Bytes.generator(SEED + 3);
        try (Proxy proxy = Proxy.open(Kind.TCP, Kind.TCP)) {
            CompletableFuture<JoinResult> joining = Bytes.async(proxy::join);
            CompletableFuture<Long> echoing = Bytes.async(() -> {
                long bytes = Sluice.transfer(proxy.server(), proxy.server()).bytes();
                proxy.server().shutdownOutput();
                return bytes;
            });
            long said = 0;
            for (int i = 0; i < 2000; i++) {
                byte[] message = new byte[1 + random.nextInt(256)];
                random.nextBytes(message);
                Bytes.write(proxy.client(), message, message.length);
                assertThat(Bytes.read(proxy.client(), message.length))
                        .as("message %s", i)
                        .isEqualTo(message);
                said += message.length;
            }
            proxy.client().shutdownOutput();
            assertThat(proxy.client().read(ByteBuffer.allocate(1))).isEqualTo(-1);
            assertThat(echoing.get()).isEqualTo(said);
            assertThat(joining.get().forward().result().bytes()).isEqualTo(said);
            assertThat(joining.get().backward().result().bytes()).isEqualTo(said);
        }
    }
}
