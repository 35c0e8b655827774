package dev.sluice.traps;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.JoinResult;
import dev.sluice.Sluice;
import dev.sluice.io.Route;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Pair;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Messages that are not followed by others leave at once: nothing is corked. */
@ExtendWith(LeakCheck.class)
@Timeout(120)
class SmallMessagesTest {
    private static final int ROUND_TRIPS = Integer.getInteger("sluice.test.roundTrips", 20_000);

    @Test
    @DisplayName("S3, S4 (golang/go#10948): random round trips of at most 256 bytes through a join")
    void roundTrips() throws Exception {
        long seed = System.nanoTime();
        System.out.println("round trips seed " + seed);
        RandomGenerator random = Bytes.generator(seed);
        long[] nanos = new long[ROUND_TRIPS];
        try (Pair client = Pair.open(Pair.Kind.TCP);
                Pair server = Pair.open(Pair.Kind.TCP)) {
            client.near().noDelay(true);
            server.near().noDelay(true);
            server.far().noDelay(true);
            CompletableFuture<JoinResult> join = Bytes.async(() -> Sluice.join(client.far(), server.near()));
            CompletableFuture<Long> echo = Bytes.platform(
                    () -> Sluice.transfer(server.far(), server.far()).bytes());
            long total = 0;
            for (int i = 0; i < ROUND_TRIPS; i++) {
                byte[] message = new byte[1 + random.nextInt(256)];
                random.nextBytes(message);
                total += message.length;
                long start = System.nanoTime();
                Bytes.write(client.near(), message, message.length);
                byte[] reply = Bytes.read(client.near(), message.length);
                nanos[i] = System.nanoTime() - start;
                assertThat(reply).isEqualTo(message);
            }
            client.near().shutdownOutput();
            assertThat(Stage.get(echo)).isEqualTo(total);
            server.far().shutdownOutput();
            assertThat(Stage.get(join).complete()).isTrue();
        }
        Arrays.sort(nanos);
        System.out.printf(
                "%d round trips: median %d us, p99 %d us, p99.9 %d us, max %d us%n",
                ROUND_TRIPS,
                nanos[ROUND_TRIPS / 2] / 1000,
                nanos[(int) (ROUND_TRIPS * 0.99)] / 1000,
                nanos[(int) (ROUND_TRIPS * 0.999)] / 1000,
                nanos[ROUND_TRIPS - 1] / 1000);
    }

    @ParameterizedTest
    @EnumSource(
            value = Route.class,
            names = {"SPLICE", "COPY"})
    @DisplayName(
            "S3 (daeuniverse/dae#1115): a greeting by the server, then successive short replies, come without more input")
    void serverSpeaksFirst(Route route) throws Exception {
        try (Pair client = Pair.open(Pair.Kind.TCP);
                Pair server = Pair.open(Pair.Kind.TCP)) {
            CompletableFuture<JoinResult> join = Bytes.async(() -> Sluice.join(client.far(), server.near(), route));
            byte[] greeting = "220 ready\r\n".getBytes();
            Bytes.write(server.far(), greeting, greeting.length);
            assertThat(Stage.get(Bytes.async(() -> Bytes.read(client.near(), greeting.length))))
                    .isEqualTo(greeting);
            for (int i = 0; i < 50; i++) {
                byte[] reply = ("250-" + i + "\r\n").getBytes();
                Bytes.write(server.far(), reply, reply.length);
                assertThat(Stage.get(Bytes.async(() -> Bytes.read(client.near(), reply.length))))
                        .isEqualTo(reply);
            }
            client.near().shutdownOutput();
            server.far().shutdownOutput();
            assertThat(Stage.get(join).complete()).isTrue();
        }
    }

    @Test
    @DisplayName("S4, #2: bursts of exactly 16, 32, ... segments arrive whole while the stream pauses after them")
    void burstsOfSixteen() throws Exception {
        try (Pair client = Pair.open(Pair.Kind.TCP);
                Pair server = Pair.open(Pair.Kind.TCP)) {
            client.near().noDelay(true);
            server.near().noDelay(true);
            CompletableFuture<JoinResult> join = Bytes.async(() -> Sluice.join(client.far(), server.near()));
            long slowest = 0;
            for (int segments = 1; segments <= 64; segments++) {
                byte[] burst = Bytes.random(segments, segments * 1000);
                long start = System.nanoTime();
                Bytes.write(client.near(), burst, 1000);
                assertThat(Stage.get(Bytes.async(() -> Bytes.read(server.far(), burst.length))))
                        .isEqualTo(burst);
                slowest = Math.max(slowest, System.nanoTime() - start);
            }
            System.out.println("slowest burst " + slowest / 1000 + " us");
            client.near().shutdownOutput();
            server.far().shutdownOutput();
            assertThat(Stage.get(join).complete()).isTrue();
        }
    }
}
