package dev.sluice.pipe;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.Pipeline;
import dev.sluice.Sluice;
import dev.sluice.file.KernelFile;
import dev.sluice.io.Route;
import dev.sluice.io.TransferResult;
import dev.sluice.testkit.Account;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Pair;
import dev.sluice.testkit.Parked;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.RepetitionInfo;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.Timeout.ThreadMode;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** acln0/zerocopy's TestTeeRead, TestTeeChain, TestReadFrom and TestWriteTo, with pipes as sides of transfers. */
@ExtendWith(LeakCheck.class)
@Timeout(value = 60, threadMode = ThreadMode.SEPARATE_THREAD)
class PipeTransferTest {
    private static final long SEED = 41;
    private static final byte[] ELEVEN = "hello world".getBytes(US_ASCII);

    private static KernelFile discard() throws Exception {
        return KernelFile.open(Path.of("/dev/null"), StandardOpenOption.WRITE);
    }

    @Test
    void aMirrorPipeSeesWhatIsDrainedToNowhere() throws Exception {
        try (KernelPipe primary = KernelPipe.open();
                KernelPipe secondary = KernelPipe.open();
                KernelFile nowhere = discard()) {
            primary.write(ByteBuffer.wrap(ELEVEN));
            primary.closeSink();

            TransferResult result = Pipeline.from(primary.source())
                    .mirror(secondary.sink())
                    .route(Route.SPLICE)
                    .to(nowhere);
            secondary.closeSink();

            assertThat(result.bytes()).isEqualTo(11);
            assertThat(result.route()).isEqualTo(Route.SPLICE);
            assertThat(result.mirrors()).singleElement().satisfies(mirror -> {
                assertThat(mirror.bytes()).isEqualTo(11);
                assertThat(mirror.route()).isEqualTo(Route.SPLICE);
                assertThat(mirror.name()).isEqualTo(secondary.toString());
                assertThat(mirror.failure()).isEmpty();
            });
            assertThat(Bytes.readAll(secondary)).isEqualTo(ELEVEN);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
    void everyPipeOfATeeChainSeesTheSame(int length) throws Exception {
        byte[] bytes = Bytes.random(SEED + length, 200_003);
        List<KernelPipe> pipes = new ArrayList<>();
        List<ByteArrayOutputStream> seen = new ArrayList<>();
        List<CompletableFuture<TransferResult>> links = new ArrayList<>();
        try {
            for (int i = 0; i <= length; i++) {
                pipes.add(KernelPipe.open());
            }
            for (int i = 0; i < length; i++) {
                KernelPipe from = pipes.get(i);
                KernelPipe to = pipes.get(i + 1);
                ByteArrayOutputStream drain = new ByteArrayOutputStream();
                seen.add(drain);
                links.add(Bytes.async(() -> {
                    TransferResult result =
                            Pipeline.from(from.source()).mirror(to.sink()).to(Channels.newChannel(drain));
                    to.closeSink();
                    return result;
                }));
            }
            CompletableFuture<byte[]> last = Bytes.async(() -> Bytes.readAll(pipes.getLast()));
            pipes.getFirst().write(ByteBuffer.wrap(bytes));
            pipes.getFirst().closeSink();

            assertThat(last.get()).isEqualTo(bytes);
            for (int i = 0; i < length; i++) {
                assertThat(links.get(i).get().bytes()).isEqualTo(bytes.length);
                assertThat(seen.get(i).toByteArray()).as("link %s", i).isEqualTo(bytes);
            }
        } finally {
            pipes.forEach(KernelPipe::close);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
    void everyPipeOfATeeFanSeesTheSame(int width) throws Exception {
        byte[] bytes = Bytes.random(SEED * width, 200_003);
        List<KernelPipe> pipes = new ArrayList<>();
        List<CompletableFuture<byte[]>> seen = new ArrayList<>();
        try (KernelPipe primary = KernelPipe.open();
                KernelFile nowhere = discard()) {
            Pipeline pipeline = Pipeline.from(primary.source()).route(Route.SPLICE);
            for (int i = 0; i < width; i++) {
                KernelPipe pipe = KernelPipe.open();
                pipes.add(pipe);
                seen.add(Bytes.async(() -> Bytes.readAll(pipe)));
                pipeline.mirror(pipe.sink());
            }
            CompletableFuture<Integer> writing = Bytes.async(() -> {
                try (var sink = primary.sink()) {
                    return sink.write(ByteBuffer.wrap(bytes));
                }
            });

            TransferResult result = pipeline.to(nowhere);
            pipes.forEach(KernelPipe::closeSink);

            assertThat(writing.get()).isEqualTo(bytes.length);
            assertThat(result.bytes()).isEqualTo(bytes.length);
            assertThat(result.mirrors()).hasSize(width).allSatisfy(mirror -> {
                assertThat(mirror.bytes()).isEqualTo(bytes.length);
                assertThat(mirror.route()).isEqualTo(Route.SPLICE);
            });
            for (CompletableFuture<byte[]> one : seen) {
                assertThat(one.get()).isEqualTo(bytes);
            }
        } finally {
            pipes.forEach(KernelPipe::close);
        }
    }

    /** Writer, transfer and reader start in any order. */
    @RepeatedTest(40)
    void racyOrderMovesTheSameBytes(RepetitionInfo repetition) throws Exception {
        byte[] bytes = Bytes.random(SEED, 100_000);
        try (Pair pair = Pair.open(Pair.Kind.TCP);
                KernelPipe pipe = KernelPipe.open()) {
            List<Bytes.Call<Object>> parties = new ArrayList<>(List.of(
                    () -> {
                        Bytes.write(pair.far(), bytes, 4096);
                        return pair.far().shutdownOutput();
                    },
                    () -> {
                        long moved = Sluice.transfer(pair.near(), pipe.sink()).bytes();
                        pipe.closeSink();
                        return moved;
                    },
                    () -> Bytes.readAll(pipe)));
            Bytes.Call<Object> reader = parties.get(2);
            Collections.shuffle(parties, new Random(repetition.getCurrentRepetition()));
            List<CompletableFuture<Object>> running = new ArrayList<>();
            for (Bytes.Call<Object> party : parties) {
                running.add(Bytes.async(party));
            }
            for (CompletableFuture<Object> party : running) {
                party.get();
            }
            assertThat(running.get(parties.indexOf(reader)).get()).isEqualTo(bytes);
        }
    }

    @Test
    void blockedInReadTheTransferGoesOnWhenDataComes() throws Exception {
        try (Pair pair = Pair.open(Pair.Kind.TCP);
                KernelPipe pipe = KernelPipe.open()) {
            Parked<TransferResult> transfer = Parked.virtual(() -> Sluice.transfer(pair.near(), pipe.sink()));
            Bytes.write(pair.far(), ELEVEN, 11);
            pair.far().close();

            assertThat(transfer.get().bytes()).isEqualTo(11);
            assertThat(Bytes.read(pipe, 11)).isEqualTo(ELEVEN);
        }
    }

    /** Disabled upstream as hard. */
    @ParameterizedTest
    @EnumSource(
            value = Route.class,
            names = {"SPLICE", "COPY"})
    void blockedInWriteTheTransferGoesOnWhenThePipeIsDrained(Route route) throws Exception {
        try (Pair pair = Pair.open(Pair.Kind.TCP);
                KernelPipe pipe = KernelPipe.open()) {
            byte[] before = Bytes.random(SEED + 20, pipe.capacity());
            byte[] bytes = Bytes.random(SEED + 21, 3 * pipe.capacity() + 1);
            pipe.write(ByteBuffer.wrap(before));
            Bytes.write(pair.far(), bytes, bytes.length);
            pair.far().shutdownOutput();

            Parked<TransferResult> transfer = Parked.virtual(() -> {
                TransferResult result = Pipeline.from(pair.near()).route(route).to(pipe.sink());
                pipe.closeSink();
                return result;
            });

            assertThat(Bytes.read(pipe, before.length)).isEqualTo(before);
            assertThat(Bytes.readAll(pipe)).isEqualTo(bytes);
            assertThat(transfer.get().bytes()).isEqualTo(bytes.length);
            assertThat(transfer.get().route()).isEqualTo(route);
        }
    }

    @Test
    void writeToMovesWhatIsInThePipeToTheSocket() throws Exception {
        try (Pair pair = Pair.open(Pair.Kind.UNIX);
                KernelPipe pipe = KernelPipe.open()) {
            pipe.write(ByteBuffer.wrap(ELEVEN));
            pipe.closeSink();

            TransferResult result =
                    Pipeline.from(pipe.source()).route(Route.SPLICE).to(pair.near());
            pair.near().shutdownOutput();

            Account.wentBy(Route.SPLICE, result, 11);
            assertThat(Bytes.readAll(pair.far())).isEqualTo(ELEVEN);
        }
    }

    /** Not upstream: a transfer that moves one pipeful and stops would pass all the other tests. */
    @Test
    void writeToMovesTenTimesTheCapacity() throws Exception {
        try (Pair pair = Pair.open(Pair.Kind.TCP);
                KernelPipe pipe = KernelPipe.open()) {
            byte[] bytes = Bytes.random(SEED + 30, 10 * pipe.capacity());
            CompletableFuture<Integer> writing = Bytes.async(() -> {
                try (var sink = pipe.sink()) {
                    return sink.write(ByteBuffer.wrap(bytes));
                }
            });
            CompletableFuture<byte[]> reading = Bytes.async(() -> Bytes.readAll(pair.far()));

            TransferResult result = Sluice.transfer(pipe.source(), pair.near());
            pair.near().shutdownOutput();

            assertThat(writing.get()).isEqualTo(bytes.length);
            assertThat(result.bytes()).isEqualTo(bytes.length);
            assertThat(reading.get()).isEqualTo(bytes);
        }
    }

    /** Pipeline: "the library's own channels (StreamSocket, KernelPipe, KernelFile) take the kernel's route". */
    @Test
    void thePipeItselfIsASideOfFastTransfersToo() throws Exception {
        try (Pair pair = Pair.open(Pair.Kind.TCP);
                KernelPipe pipe = KernelPipe.open();
                KernelFile nowhere = discard()) {
            Bytes.write(pair.far(), ELEVEN, 11);
            pair.far().shutdownOutput();

            Account.wentBy(
                    Route.SPLICE, Pipeline.from(pair.near()).route(Route.SPLICE).to(pipe), 11);
            pipe.closeSink();
            Account.wentBy(Route.SPLICE, Pipeline.from(pipe).route(Route.SPLICE).to(nowhere), 11);
        }
    }
}
