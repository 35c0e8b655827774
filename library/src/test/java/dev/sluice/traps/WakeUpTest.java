package dev.sluice.traps;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.Pipeline;
import dev.sluice.Sluice;
import dev.sluice.internal.fd.PipePool;
import dev.sluice.io.Route;
import dev.sluice.io.Side;
import dev.sluice.io.TransferException;
import dev.sluice.io.TransferException.Reason;
import dev.sluice.io.TransferResult;
import dev.sluice.pipe.KernelPipe;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Pair;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.channels.AsynchronousCloseException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Every way to end a transfer, while it waits for each of its sides, as others stay stalled. */
@ExtendWith(LeakCheck.class)
@Timeout(60)
class WakeUpTest {
    private static final int STALLED = 100;
    private static final List<AutoCloseable> OPEN = new ArrayList<>();
    private static final List<CompletableFuture<TransferResult>> OTHERS = new ArrayList<>();

    enum WaitsFor {
        SOURCE,
        SINK,
        MIRROR
    }

    enum By {
        CLOSE_SOURCE,
        CLOSE_SINK,
        CLOSE_MIRROR,
        DEADLINE,
        INTERRUPT
    }

    enum On {
        PLATFORM,
        VIRTUAL
    }

    static Stream<Arguments> matrix() {
        return Arrays.stream(WaitsFor.values())
                .flatMap(side -> Arrays.stream(By.values())
                        .flatMap(by -> Arrays.stream(On.values()).map(on -> Arguments.of(side, by, on))));
    }

    @BeforeAll
    static void stallOthers() throws Exception {
        for (int i = 0; i < STALLED; i++) {
            KernelPipe source = KernelPipe.open();
            KernelPipe sink = KernelPipe.open();
            OPEN.add(source);
            OPEN.add(sink);
            if (i % 2 == 0) {
                Bytes.write(sink, new byte[sink.capacity()], 4096);
                Bytes.write(source, new byte[1000], 1000);
            }
            OTHERS.add(Bytes.async(
                    () -> Pipeline.from(source.source()).route(Route.SPLICE).to(sink.sink())));
        }
    }

    @AfterAll
    static void othersWereStalled() throws Exception {
        assertThat(OTHERS).noneMatch(CompletableFuture::isDone);
        for (AutoCloseable channel : OPEN) {
            channel.close();
        }
        for (CompletableFuture<TransferResult> other : OTHERS) {
            Stage.failure(other, TransferException.class);
        }
        OPEN.clear();
        OTHERS.clear();
    }

    @ParameterizedTest(name = "waiting for {0}, ended by {1}, on a {2} thread")
    @MethodSource("matrix")
    @DisplayName("S29, S30, #6: a waiting transfer is woken, and accounts for every byte")
    void isWoken(WaitsFor side, By by, On on) throws Exception {
        byte[] data = Bytes.random(by.ordinal(), 8 << 20);
        int sent = side == WaitsFor.SOURCE ? 5000 : data.length;
        CompletableFuture<Thread> thread = new CompletableFuture<>();
        CompletableFuture<Boolean> interruptKept = new CompletableFuture<>();
        ByteArrayOutputStream atSink = new ByteArrayOutputStream();
        try (Pair in = Pair.open(Pair.Kind.TCP);
                Pair out = Pair.open(Pair.Kind.TCP);
                KernelPipe mirror = KernelPipe.open()) {
            Pipeline pipeline =
                    Pipeline.from(in.far()).mirror(mirror.sink()).route(on == On.PLATFORM ? Route.SPLICE : Route.COPY);
            if (by == By.DEADLINE) {
                pipeline.timeout(Duration.ofMillis(600));
            }
            Bytes.Call<TransferResult> call = () -> {
                thread.complete(Thread.currentThread());
                try {
                    return pipeline.to(out.near());
                } finally {
                    interruptKept.complete(Thread.interrupted());
                }
            };
            var transfer = on == On.PLATFORM ? Bytes.platform(call) : Bytes.async(call);
            Stage.Feeder feeder = new Stage.Feeder(in.near(), Arrays.copyOf(data, sent), 64 * 1024);
            CompletableFuture<byte[]> mirrored =
                    side == WaitsFor.MIRROR ? null : Stage.reader(mirror.source(), 64 * 1024, 0);
            CompletableFuture<Object> drained = side == WaitsFor.SINK ? null : drain(out, atSink);
            feeder.awaitStalled();

            switch (by) {
                case CLOSE_SOURCE -> in.far().close();
                case CLOSE_SINK -> out.near().close();
                case CLOSE_MIRROR -> mirror.closeSink();
                case INTERRUPT -> thread.join().interrupt();
                case DEADLINE -> {
                    // Passes by itself.
                }
            }
            TransferException e = Stage.failure(transfer, TransferException.class);

            check(e, by);
            assertThat(interruptKept.join()).isEqualTo(by == By.INTERRUPT);
            if (by == By.INTERRUPT || by == By.DEADLINE) {
                // The channels are open and usable: the stream goes on where it was cut.
                drained = drained != null ? drained : drain(out, atSink);
                mirrored = mirrored != null ? mirrored : Stage.reader(mirror.source(), 64 * 1024, 0);
                out.near().write(e.residue());
                CompletableFuture<Object> end = Bytes.async(() -> {
                    Stage.get(feeder.done);
                    return in.near().shutdownOutput();
                });
                TransferResult rest = Stage.get(Bytes.async(() -> Sluice.transfer(in.far(), out.near())));
                Stage.get(end);
                assertThat(e.accepted() + e.residue().remaining() + rest.bytes())
                        .isEqualTo(sent);
            }
            out.near().close();
            mirror.closeSink();
            if (drained != null) {
                Stage.get(drained);
                byte[] received = atSink.toByteArray();
                assertThat(received).isEqualTo(Arrays.copyOf(data, received.length));
                byte[] residue = Stage.bytes(e.residue());
                assertThat(residue)
                        .isEqualTo(Arrays.copyOfRange(data, (int) e.accepted(), (int) e.accepted() + residue.length));
                boolean resumed = by == By.INTERRUPT || by == By.DEADLINE;
                assertThat(received).hasSize(resumed ? sent : (int) e.accepted());
            }
            in.close();
            feeder.done.exceptionally(t -> null).join();
            if (mirrored != null) {
                byte[] bytes = Stage.get(mirrored);
                assertThat(bytes).isEqualTo(Arrays.copyOf(data, bytes.length));
                assertThat(e.partial().mirrors().getFirst().bytes()).isEqualTo(bytes.length);
            }
        }
        Stage.await("pipes come back", () -> PipePool.shared().lent() == STALLED / 2);
        assertThat(OTHERS).noneMatch(CompletableFuture::isDone);
    }

    private static CompletableFuture<Object> drain(Pair out, ByteArrayOutputStream to) {
        return Bytes.async(() -> {
            to.write(Bytes.readAll(out.far()));
            return to;
        });
    }

    private static void check(TransferException e, By by) throws IOException {
        Side side = switch (by) {
            case CLOSE_SOURCE -> Side.SOURCE;
            case CLOSE_SINK -> Side.SINK;
            case CLOSE_MIRROR -> Side.MIRROR;
            case DEADLINE, INTERRUPT -> Side.NONE;
        };
        Reason reason = switch (by) {
            case DEADLINE -> Reason.DEADLINE;
            case INTERRUPT -> Reason.INTERRUPTED;
            default -> Reason.CLOSED;
        };
        assertThat(e.side()).isEqualTo(side);
        assertThat(e.reason()).isEqualTo(reason);
        assertThat(e.unacknowledged()).isBetween(0L, e.accepted());
        if (reason == Reason.CLOSED) {
            assertThat(e).hasCauseInstanceOf(AsynchronousCloseException.class);
        }
    }
}
