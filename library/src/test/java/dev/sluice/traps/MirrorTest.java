package dev.sluice.traps;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.Pipeline;
import dev.sluice.file.KernelFile;
import dev.sluice.io.MirrorResult;
import dev.sluice.io.Route;
import dev.sluice.io.TransferResult;
import dev.sluice.pipe.KernelPipe;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Pair;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

@ExtendWith(LeakCheck.class)
@Timeout(60)
class MirrorTest {
    private static final byte[] DATA = Bytes.random(21, 6 << 20);

    private static CompletableFuture<Object> feed(Pair in, byte[] data, int chunk) {
        return Bytes.async(() -> {
            Bytes.write(in.near(), data, chunk);
            return in.near().shutdownOutput();
        });
    }

    @ParameterizedTest
    @EnumSource(
            value = Route.class,
            names = {"SPLICE", "COPY"})
    @DisplayName(
            "S22, S25, #3a, #3d: three mirrors of different speeds, one of them 100 times slower, all get every byte")
    void mirrorsOfDifferentSpeeds(Route route, @TempDir Path directory) throws Exception {
        Path recording = directory.resolve("recording");
        byte[] data = java.util.Arrays.copyOf(DATA, 2 << 20);
        try (Pair in = Pair.open(Pair.Kind.TCP);
                Pair out = Pair.open(Pair.Kind.TCP);
                Pair fast = Pair.open(Pair.Kind.UNIX);
                KernelPipe slow = KernelPipe.open();
                KernelFile file = KernelFile.open(recording, StandardOpenOption.WRITE, StandardOpenOption.CREATE)) {
            CompletableFuture<byte[]> atSink = Stage.reader(out.far(), 64 * 1024, 0);
            CompletableFuture<byte[]> atFast = Stage.reader(fast.far(), 16 * 1024, 100);
            CompletableFuture<byte[]> atSlow = Stage.reader(slow.source(), 4096, 1000);
            CompletableFuture<TransferResult> transfer = Bytes.async(() -> Pipeline.from(in.far())
                    .mirror(fast.near())
                    .mirror(slow.sink())
                    .mirror(file)
                    .route(route)
                    .to(out.near()));
            CompletableFuture<Object> fed = feed(in, data, 30_000);
            TransferResult result = Stage.get(transfer);
            out.near().shutdownOutput();
            fast.near().shutdownOutput();
            slow.closeSink();
            assertThat(Stage.get(atSink)).isEqualTo(data);
            assertThat(Stage.get(atFast)).isEqualTo(data);
            assertThat(Stage.get(atSlow)).isEqualTo(data);
            assertThat(Files.readAllBytes(recording)).isEqualTo(data);
            assertThat(result.route()).isEqualTo(route);
            assertThat(result.mirrors()).extracting(MirrorResult::bytes).containsOnly((long) data.length);
            assertThat(result.mirrors()).extracting(MirrorResult::route).containsOnly(route);
            Stage.get(fed);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 100, 1448})
    @DisplayName(
            "S2, S22, #3c: a mirror whose pipe has fewer slots than the primary gets every byte, in segments of bytes:")
    void mirrorPipeSmallerThanThePrimary(int segment) throws Exception {
        byte[] data = java.util.Arrays.copyOf(DATA, 40_000 + segment * 10);
        try (Pair in = Pair.open(Pair.Kind.TCP);
                Pair out = Pair.open(Pair.Kind.TCP);
                KernelPipe small = KernelPipe.open()) {
            in.near().noDelay(true);
            assertThat(small.resize(1)).isLessThan(64 * 1024);
            CompletableFuture<byte[]> atSink = Stage.reader(out.far(), 64 * 1024, 0);
            CompletableFuture<TransferResult> transfer = Bytes.async(() -> Pipeline.from(in.far())
                    .mirror(small.sink())
                    .route(Route.SPLICE)
                    .to(out.near()));
            CompletableFuture<Object> fed = feed(in, data, segment);
            Thread.sleep(200);
            CompletableFuture<byte[]> atMirror = Stage.reader(small.source(), 1000, 0);
            TransferResult result = Stage.get(transfer);
            out.near().shutdownOutput();
            small.closeSink();
            assertThat(Stage.get(atSink)).isEqualTo(data);
            assertThat(Stage.get(atMirror)).isEqualTo(data);
            assertThat(result.route()).isEqualTo(Route.SPLICE);
            Stage.get(fed);
        }
    }

    @Test
    @DisplayName("S21: ten mirrors, one after the other in the list, all get the same bytes once")
    void tenMirrors() throws Exception {
        List<KernelPipe> pipes = new ArrayList<>();
        List<CompletableFuture<byte[]>> readers = new ArrayList<>();
        try (Pair in = Pair.open(Pair.Kind.TCP);
                Pair out = Pair.open(Pair.Kind.TCP)) {
            Pipeline pipeline = Pipeline.from(in.far());
            for (int i = 0; i < 10; i++) {
                KernelPipe pipe = KernelPipe.open();
                pipes.add(pipe);
                readers.add(Stage.reader(pipe.source(), 10_000 + i * 5000, 0));
                pipeline.mirror(pipe.sink());
            }
            CompletableFuture<byte[]> atSink = Stage.reader(out.far(), 64 * 1024, 0);
            CompletableFuture<Object> fed = feed(in, DATA, 50_000);
            TransferResult result = Stage.get(Bytes.async(() -> pipeline.to(out.near())));
            out.near().shutdownOutput();
            pipes.forEach(KernelPipe::closeSink);
            assertThat(Stage.get(atSink)).isEqualTo(DATA);
            for (CompletableFuture<byte[]> reader : readers) {
                assertThat(Stage.get(reader)).isEqualTo(DATA);
            }
            assertThat(result.mirrors()).extracting(MirrorResult::bytes).containsOnly((long) DATA.length);
            Stage.get(fed);
        } finally {
            pipes.forEach(KernelPipe::close);
        }
    }
}
