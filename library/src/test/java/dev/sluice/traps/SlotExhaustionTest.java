package dev.sluice.traps;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.Pipeline;
import dev.sluice.file.KernelFile;
import dev.sluice.io.Route;
import dev.sluice.io.TransferResult;
import dev.sluice.pipe.KernelPipe;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.Child;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Pair;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A pipe is full when its slots are taken, not when its bytes are: no hang, no spin. */
@ExtendWith(LeakCheck.class)
@Timeout(60)
class SlotExhaustionTest {
    private static final Duration LITTLE = Duration.ofMillis(300);

    @ParameterizedTest
    @EnumSource(
            value = Pair.Kind.class,
            names = {"TCP", "UNIX"})
    @DisplayName("S1, S2, #1: one-byte segments into a stalled pipe of 64 KiB neither hang nor spin, and all arrive")
    void oneByteSegments(Pair.Kind kind) throws Exception {
        byte[] data = Bytes.random(1, 20_000);
        try (Pair in = Pair.open(kind);
                KernelPipe out = KernelPipe.open()) {
            in.near().noDelay(true);
            assertThat(out.resize(64 * 1024)).isEqualTo(64 * 1024);
            CompletableFuture<TransferResult> transfer = Bytes.async(
                    () -> Pipeline.from(in.far()).route(Route.SPLICE).to(out.sink()));
            Stage.Feeder feeder = new Stage.Feeder(in.near(), data, 1);
            feeder.awaitStalled();
            assertThat(Stage.idleCpu()).isLessThan(LITTLE);

            CompletableFuture<byte[]> received = Stage.reader(out.source(), 100, 0);
            Stage.get(feeder.done);
            in.near().shutdownOutput();
            TransferResult result = Stage.get(transfer);
            out.closeSink();
            assertThat(Stage.get(received)).isEqualTo(data);
            assertThat(result.route()).isEqualTo(Route.SPLICE);
            assertThat(result.bytes()).isEqualTo(data.length);
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = Route.class,
            names = {"SPLICE", "COPY"})
    @DisplayName("S1, S16 (golang/go#68303, #75304): while the reader of a pipe is idle, the transfer uses no CPU")
    void pipeWithAnIdleReader(Route route) throws Exception {
        byte[] data = Bytes.random(2, 16 << 20);
        try (Pair in = Pair.open(Pair.Kind.TCP);
                KernelPipe out = KernelPipe.open()) {
            CompletableFuture<TransferResult> transfer =
                    Bytes.async(() -> Pipeline.from(in.far()).route(route).to(out.sink()));
            Stage.Feeder feeder = new Stage.Feeder(in.near(), data, 1 << 20);
            feeder.awaitStalled();
            assertThat(Stage.idleCpu()).isLessThan(LITTLE);
            // A byte now and then frees no slot of the full pipe, and must not make the writer miss the one that does.
            byte[] head = Bytes.read(out.source(), 1);
            assertThat(Stage.idleCpu()).isLessThan(LITTLE);

            CompletableFuture<byte[]> received = Stage.reader(out.source(), 777, 0);
            Stage.get(feeder.done);
            in.near().shutdownOutput();
            assertThat(Stage.get(transfer).bytes()).isEqualTo(data.length);
            out.closeSink();
            assertThat(head[0]).isEqualTo(data[0]);
            assertThat(Stage.get(received)).isEqualTo(Arrays.copyOfRange(data, 1, data.length));
        }
    }

    @Test
    @DisplayName("S1: a stalled socket as the sink, and a source that goes on sending, use no CPU")
    void stalledSocket() throws Exception {
        byte[] data = Bytes.random(3, 16 << 20);
        try (Pair in = Pair.open(Pair.Kind.TCP);
                Pair out = Pair.open(Pair.Kind.TCP)) {
            CompletableFuture<TransferResult> transfer = Bytes.async(
                    () -> Pipeline.from(in.far()).route(Route.SPLICE).to(out.near()));
            Stage.Feeder feeder = new Stage.Feeder(in.near(), data, 1000);
            feeder.awaitStalled();
            assertThat(Stage.idleCpu()).isLessThan(LITTLE);
            CompletableFuture<byte[]> received = Bytes.async(() -> Bytes.readAll(out.far()));
            Stage.get(feeder.done);
            in.near().shutdownOutput();
            Stage.get(transfer);
            out.near().shutdownOutput();
            assertThat(Stage.get(received)).isEqualTo(data);
        }
    }

    @Test
    @DisplayName("S16: a FIFO as source and as sink, with an idle reader behind")
    void fifos(@TempDir Path directory) throws Exception {
        Path first = directory.resolve("first");
        Path second = directory.resolve("second");
        Assumptions.assumeTrue(
                Child.has("mkfifo", first.toString(), second.toString()), "mkfifo is missing: no FIFO to test with");
        byte[] data = Bytes.random(4, 1 << 20);
        // READ and WRITE: opening does not wait for the other side. Here one descriptor is both sides of a FIFO.
        try (KernelFile in = KernelFile.open(first, StandardOpenOption.READ, StandardOpenOption.WRITE);
                KernelFile out = KernelFile.open(second, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            CompletableFuture<TransferResult> transfer = Bytes.async(() ->
                    Pipeline.from(in).route(Route.SPLICE).limit(data.length).to(out));
            CompletableFuture<Object> fed = Bytes.async(() -> {
                try (KernelFile writer = KernelFile.open(first, StandardOpenOption.WRITE)) {
                    Bytes.write(writer, data, 5000);
                }
                return null;
            });
            Thread.sleep(300);
            assertThat(Stage.idleCpu()).isLessThan(LITTLE);
            try (KernelFile reader = KernelFile.open(second)) {
                assertThat(Stage.get(Bytes.async(() -> Bytes.read(reader, data.length))))
                        .isEqualTo(data);
            }
            assertThat(Stage.get(transfer).route()).isEqualTo(Route.SPLICE);
            Stage.get(fed);
        }
    }
}
