package dev.sluice.contract;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.JoinResult;
import dev.sluice.io.Route;
import dev.sluice.io.TransferResult;
import dev.sluice.testkit.Account;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.LeakCheck;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.Timeout.ThreadMode;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The sub-cases of acln0/zerocopy's TestTransfer: every pair of socket kinds, every route. */
@ExtendWith(LeakCheck.class)
@Timeout(value = 120, threadMode = ThreadMode.SEPARATE_THREAD)
class TransferContractTest {
    private static final long SEED = 20_240_607;

    /** 64 MiB; {@code -Dsluice.test.big=1073741824} for the gibibyte of the original. */
    private static final long BIG = Long.getLong("sluice.test.big", 64L << 20);

    private static final ByteBuffer BYE = ByteBuffer.wrap("bye".getBytes(US_ASCII));

    record Case(Wire.Plan plan, Way way) {
        void check(TransferResult result, long bytes) {
            switch (way) {
                case AUTO -> Account.splicedOrSmall(result, bytes);
                case SPLICE -> {
                    Account.wentBy(Route.SPLICE, result, bytes);
                    assertThat(result.reason()).isEqualTo(Account.PIPE);
                }
                case COPY -> {
                    Account.wentBy(Route.COPY, result, bytes);
                    assertThat(result.reason()).isEqualTo("copying was asked for");
                }
            }
            assertThat(result.mirrors()).isEmpty();
        }

        @Override
        public String toString() {
            return plan + " by " + way;
        }
    }

    static Stream<Case> cases() {
        return Stream.of(Wire.Plan.values())
                .flatMap(plan -> Stream.of(Way.values()).map(way -> new Case(plan, way)));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void simpleTransferArrivesWhole(Case test) throws Exception {
        TransferResult result = arrivesWhole(test, new SeededStream(SEED, 128), 128);

        assertThat(result.route()).isEqualTo(test.way == Way.SPLICE ? Route.SPLICE : Route.COPY);
    }

    @ParameterizedTest
    @MethodSource("cases")
    void multipleWritesArriveWhole(Case test) throws Exception {
        arrivesWhole(test, new SeededStream(SEED + 1, 1 << 20), 4096);
    }

    @ParameterizedTest
    @MethodSource("cases")
    void bigTransferArrivesWhole(Case test) throws Exception {
        TransferResult result = arrivesWhole(test, new SeededStream(SEED + 2, BIG), 5 << 20);

        assertThat(result.byRoute()).containsKey(test.way == Way.COPY ? Route.COPY : Route.SPLICE);
    }

    private static TransferResult arrivesWhole(Case test, SeededStream stream, int chunk) throws Exception {
        try (Wire wire = Wire.open(test.plan)) {
            CompletableFuture<Void> producing = Bytes.async(() -> {
                stream.writeTo(wire.producer(), chunk);
                wire.producer().shutdownOutput();
                return null;
            });
            CompletableFuture<Boolean> consuming = Bytes.async(() -> stream.arrivesAt(wire.consumer()));

            TransferResult result = test.way.from(wire.source()).to(wire.sink());
            wire.sink().shutdownOutput();

            producing.get();
            assertThat(consuming.get()).isTrue();
            test.check(result, stream.length());
            return result;
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void exactlyTheLimitIsTransferredAndTheRestStaysReadable(Case test) throws Exception {
        int limit = 1024;
        byte[] offered = Bytes.random(SEED + 3, 1 << 20);
        try (Wire wire = Wire.open(test.plan)) {
            CompletableFuture<Void> producing = Bytes.async(() -> {
                Bytes.write(wire.producer(), offered, 4096);
                return null;
            });

            TransferResult result = test.way.from(wire.source()).limit(limit).to(wire.sink());
            wire.sink().shutdownOutput();

            test.check(result, limit);
            assertThat(Bytes.readAll(wire.consumer())).isEqualTo(Arrays.copyOf(offered, limit));
            assertThat(Bytes.read(wire.source(), offered.length - limit))
                    .isEqualTo(Arrays.copyOfRange(offered, limit, offered.length));
            producing.get();
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void anEarlyEndLeavesTheDifferenceToTheLimit(Case test) throws Exception {
        int limit = 4196;
        byte[] sent = Bytes.random(SEED + 4, 4096);
        try (Wire wire = Wire.open(test.plan)) {
            Bytes.write(wire.producer(), sent, 4096);
            wire.producer().shutdownOutput();

            TransferResult result = test.way.from(wire.source()).limit(limit).to(wire.sink());

            test.check(result, sent.length);
            assertThat(limit - result.bytes()).as("remaining of the limit").isEqualTo(100);
            assertThat(Bytes.read(wire.consumer(), sent.length)).isEqualTo(sent);
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void aLimitReachedExactlyWaitsForNoEnd(Case test) throws Exception {
        byte[] sent = Bytes.random(SEED + 5, 128);
        try (Wire wire = Wire.open(test.plan)) {
            CompletableFuture<Void> producing = Bytes.async(() -> {
                Bytes.write(wire.producer(), sent, 32);
                return null;
            });

            TransferResult result = test.way.from(wire.source()).limit(128).to(wire.sink());

            producing.get();
            test.check(result, 128);
            assertThat(Bytes.read(wire.consumer(), 128)).isEqualTo(sent);
            wire.producer().write(BYE.duplicate());
            assertThat(Bytes.read(wire.source(), 3)).isEqualTo(BYE.array());
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void aSourceAtItsEndGivesNothingAndTheSinkStaysWritable(Case test) throws Exception {
        try (Wire wire = Wire.open(test.plan)) {
            wire.producer().close();

            TransferResult result = test.way.from(wire.source()).to(wire.sink());

            test.check(result, 0);
            wire.sink().write(BYE.duplicate());
            wire.sink().shutdownOutput();
            assertThat(Bytes.readAll(wire.consumer())).isEqualTo(BYE.array());
        }
    }

    /** golang/go#25985. */
    @ParameterizedTest
    @MethodSource("cases")
    void bothDirectionsEndWhenTheClientSaysFooAndCloses(Case test) throws Exception {
        byte[] foo = "foo".getBytes(US_ASCII);
        try (Wire wire = Wire.open(test.plan)) {
            CompletableFuture<byte[]> serving = Bytes.async(() -> {
                byte[] request = Bytes.readAll(wire.consumer());
                wire.consumer().close();
                return request;
            });
            Bytes.write(wire.producer(), foo, foo.length);
            wire.producer().close();

            JoinResult result = test.way.join(wire.source(), wire.sink());

            assertThat(serving.get()).isEqualTo(foo);
            assertThat(result.complete()).as("%s", result).isTrue();
            test.check(result.forward().result(), 3);
            test.check(result.backward().result(), 0);
        }
    }
}
