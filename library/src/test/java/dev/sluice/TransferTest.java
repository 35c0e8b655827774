package dev.sluice;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.sluice.io.Route;
import dev.sluice.io.TransferException;
import dev.sluice.io.TransferException.Reason;
import dev.sluice.io.TransferResult;
import dev.sluice.pipe.KernelPipe;
import dev.sluice.testkit.Account;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Pair;
import dev.sluice.testkit.Pair.Kind;
import dev.sluice.testkit.Parked;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.Timeout.ThreadMode;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Transfers that were started, prefixed or slowed. */
@ExtendWith(LeakCheck.class)
@Timeout(value = 30, threadMode = ThreadMode.SEPARATE_THREAD)
class TransferTest {
    private static final long SEED = 1_618_033;

    @ParameterizedTest
    @EnumSource(names = {"SPLICE", "COPY"})
    void aStartedTransferEndsByItself(Route route) throws Exception {
        byte[] bytes = Bytes.random(SEED, 500_000);
        try (Pair pair = Pair.open(Kind.TCP);
                KernelPipe pipe = KernelPipe.open()) {
            Transfer transfer = Pipeline.from(pair.near()).route(route).start(pipe.sink());
            CompletableFuture<?> writing = Bytes.async(() -> {
                Bytes.write(pair.far(), bytes, 100_000);
                return pair.far().shutdownOutput();
            });
            assertThat(Bytes.read(pipe, bytes.length)).isEqualTo(bytes);
            Account.wentBy(route, transfer.await(), bytes.length);
            writing.get();
            assertThat(transfer.isDone()).isTrue();
            assertThat(transfer.bytes()).isEqualTo(bytes.length);
            assertThat(transfer.completion().toCompletableFuture().get()).isEqualTo(transfer.await());
        }
    }

    @Test
    void aStartedTransferIntoSomebodysChannelEndsByItself() throws Exception {
        byte[] bytes = Bytes.random(SEED + 1, 100_000);
        ByteArrayOutputStream sink = new ByteArrayOutputStream();
        try (Pair pair = Pair.open(Kind.UNIX)) {
            Transfer transfer = Pipeline.from(pair.near()).start(Channels.newChannel(sink));
            Bytes.write(pair.far(), bytes, 1000);
            pair.far().close();
            Account.wentBy(Route.COPY, transfer.await(), bytes.length);
            assertThat(sink.toByteArray()).isEqualTo(bytes);
        }
    }

    @Test
    void aCancelledTransferSaysSoAndLeavesItsSidesUsable() throws Exception {
        try (Pair pair = Pair.open(Kind.TCP);
                KernelPipe pipe = KernelPipe.open()) {
            Transfer transfer = Pipeline.from(pair.near()).start(pipe.sink());
            assertThat(transfer.isDone()).isFalse();
            transfer.cancel();
            assertThatExceptionOfType(TransferException.class)
                    .isThrownBy(transfer::await)
                    .satisfies(e -> assertThat(e.reason()).isEqualTo(Reason.CANCELLED));
            transfer.cancel();

            pair.far().write(ByteBuffer.allocate(7));
            assertThat(Sluice.transfer(pair.near(), pipe.sink(), 7).bytes()).isEqualTo(7);
        }
    }

    @Test
    void anInterruptEndsTheWaitAndNotTheTransfer() throws Exception {
        try (Pair pair = Pair.open(Kind.TCP);
                KernelPipe pipe = KernelPipe.open()) {
            Transfer transfer = Pipeline.from(pair.near()).start(pipe.sink());
            Parked<TransferResult> waiting = Parked.platform(transfer::await);
            waiting.thread().interrupt();
            assertThat(waiting.failure()).isInstanceOf(InterruptedException.class);
            assertThat(transfer.isDone()).isFalse();

            pair.far().close();
            assertThat(transfer.await().bytes()).isZero();
        }
    }

    @Test
    void aDeadlineEndsAStartedTransferToo() throws Exception {
        try (Pair pair = Pair.open(Kind.TCP);
                KernelPipe pipe = KernelPipe.open()) {
            Transfer transfer =
                    Pipeline.from(pair.near()).timeout(Duration.ofMillis(20)).start(pipe.sink());
            assertThatExceptionOfType(TransferException.class)
                    .isThrownBy(transfer::await)
                    .satisfies(e -> assertThat(e.reason()).isEqualTo(Reason.DEADLINE));
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"SPLICE", "COPY"})
    void aPrefixGoesAheadToSinkAndMirrorAndDoesNotCountTowardsTheLimit(Route route) throws Exception {
        byte[] bytes = Bytes.random(SEED + 2, 400_000);
        try (Pair pair = Pair.open(Kind.TCP);
                KernelPipe sink = KernelPipe.open();
                KernelPipe mirror = KernelPipe.open()) {
            CompletableFuture<byte[]> sunk = Bytes.async(() -> Bytes.readAll(sink));
            CompletableFuture<byte[]> mirrored = Bytes.async(() -> Bytes.readAll(mirror));
            CompletableFuture<?> writing = Bytes.async(() -> {
                Bytes.write(pair.far(), Arrays.copyOfRange(bytes, 150_000, bytes.length), 9999);
                return null;
            });
            ByteBuffer prefix = ByteBuffer.wrap(bytes, 0, 150_000);

            TransferResult result = Pipeline.from(pair.near())
                    .prefix(prefix)
                    .mirror(mirror)
                    .limit(200_000)
                    .route(route)
                    .to(sink);
            sink.closeSink();
            mirror.closeSink();

            Account.addsUp(result, 350_000);
            assertThat(prefix.remaining())
                    .as("the caller's buffer is as it was")
                    .isEqualTo(150_000);
            assertThat(sunk.get()).isEqualTo(Arrays.copyOf(bytes, 350_000));
            assertThat(mirrored.get()).isEqualTo(Arrays.copyOf(bytes, 350_000));
            assertThat(Bytes.read(pair.near(), 50_000)).isEqualTo(Arrays.copyOfRange(bytes, 350_000, 400_000));
            writing.get();
        }
    }

    @Test
    void aPrefixThatTheSinkDidNotTakeIsResidue() throws Exception {
        byte[] prefix = Bytes.random(SEED + 3, 200_000);
        try (Pair pair = Pair.open(Kind.TCP);
                KernelPipe pipe = KernelPipe.open()) {
            Parked<TransferResult> transfer = Parked.virtual(() ->
                    Pipeline.from(pair.near()).prefix(ByteBuffer.wrap(prefix)).to(pipe));
            transfer.thread().interrupt();
            TransferException failure = (TransferException) transfer.failure();
            int accepted = Math.toIntExact(failure.accepted());
            assertThat(accepted).isEqualTo(pipe.available());
            assertThat(Bytes.read(pipe, accepted)).isEqualTo(Arrays.copyOf(prefix, accepted));
            assertThat(failure.residue()).isEqualTo(ByteBuffer.wrap(prefix, accepted, prefix.length - accepted));
        }
    }

    @Test
    void aRateSlowsAndLosesNothing() throws Exception {
        byte[] bytes = Bytes.random(SEED + 4, 300_000);
        try (Pair pair = Pair.open(Kind.UNIX);
                KernelPipe pipe = KernelPipe.open()) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> Pipeline.from(pipe).rate(0));
            CompletableFuture<byte[]> reading = Bytes.async(() -> Bytes.readAll(pipe));
            CompletableFuture<?> writing = Bytes.async(() -> {
                Bytes.write(pair.far(), bytes, 50_000);
                return pair.far().shutdownOutput();
            });
            TransferResult result = Pipeline.from(pair.near()).rate(2_000_000).to(pipe);
            pipe.closeSink();
            Account.addsUp(result, bytes.length);
            assertThat(reading.get()).isEqualTo(bytes);
            writing.get();
            System.out.println("300 kB at 2 MB/s took " + result.duration());
        }
    }
}
