package dev.sluice.traps;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.Pipeline;
import dev.sluice.Sluice;
import dev.sluice.io.TransferResult;
import dev.sluice.pipe.KernelPipe;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.Child;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Pair;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(LeakCheck.class)
@Timeout(90)
class OneCarrierTest {
    @Test
    @DisplayName(
            "J5, S5, S6: with one carrier thread, a thousand stalled transfers do not keep one more from completing")
    void oneMoreCompletes() throws Exception {
        List<String> oneCarrier =
                List.of("-Djdk.virtualThreadScheduler.parallelism=1", "-Djdk.virtualThreadScheduler.maxPoolSize=1");
        Child child = Child.run(Child.command(List.of(), oneCarrier, Program.class));
        assertThat(child.exit()).as(child.toString()).isZero();
        assertThat(child.out()).contains("completed 8388608", "stalled 1000");
    }

    /** All on virtual threads. */
    static final class Program {
        private static final int STALLED = 1000;

        public static void main(String[] arguments) throws Exception {
            List<AutoCloseable> open = new ArrayList<>();
            List<CompletableFuture<TransferResult>> stalled = new ArrayList<>();
            for (int i = 0; i < STALLED; i++) {
                stalled.add(
                        switch (i % 4) {
                            case 0 -> socketWithoutInput(open);
                            case 1 -> fullPipe(open);
                            case 2 -> fullMirror(open);
                            default -> reader(open);
                        });
            }
            byte[] data = Bytes.random(5, 8 << 20);
            try (Pair in = Pair.open(Pair.Kind.TCP);
                    Pair out = Pair.open(Pair.Kind.TCP)) {
                CompletableFuture<Object> fed = Bytes.async(() -> {
                    Bytes.write(in.near(), data, 65_536);
                    return in.near().shutdownOutput();
                });
                CompletableFuture<byte[]> received = Bytes.async(() -> Bytes.readAll(out.far()));
                TransferResult result = Stage.get(Bytes.async(() -> Sluice.transfer(in.far(), out.near())));
                out.near().shutdownOutput();
                assertThat(Stage.get(received)).isEqualTo(data);
                Stage.get(fed);
                System.out.println("completed " + result.bytes());
            }
            System.out.println(
                    "stalled " + stalled.stream().filter(f -> !f.isDone()).count());
            for (AutoCloseable channel : open) {
                channel.close();
            }
            for (CompletableFuture<TransferResult> each : stalled) {
                // By the close of one of its channels, or by the end that the close of its peer was.
                Stage.get(each.handle((result, failure) -> true));
            }
        }

        private static CompletableFuture<TransferResult> socketWithoutInput(List<AutoCloseable> open) throws Exception {
            Pair in = keep(open, Pair.open(Pair.Kind.TCP));
            Pair out = keep(open, Pair.open(Pair.Kind.TCP));
            return Bytes.async(() -> Sluice.transfer(in.far(), out.near()));
        }

        private static CompletableFuture<TransferResult> fullPipe(List<AutoCloseable> open) throws Exception {
            KernelPipe in = keep(open, KernelPipe.open());
            KernelPipe out = keep(open, fill(KernelPipe.open()));
            Bytes.write(in, new byte[100], 100);
            return Bytes.async(() -> Sluice.transfer(in.source(), out.sink()));
        }

        private static CompletableFuture<TransferResult> fullMirror(List<AutoCloseable> open) throws Exception {
            KernelPipe in = keep(open, KernelPipe.open());
            KernelPipe mirror = keep(open, fill(KernelPipe.open()));
            KernelPipe out = keep(open, KernelPipe.open());
            Bytes.write(in, new byte[100], 100);
            return Bytes.async(
                    () -> Pipeline.from(in.source()).mirror(mirror.sink()).to(out.sink()));
        }

        private static CompletableFuture<TransferResult> reader(List<AutoCloseable> open) throws Exception {
            Pair in = keep(open, Pair.open(Pair.Kind.ABSTRACT));
            return Bytes.async(() -> {
                Bytes.readAll(in.far());
                return null;
            });
        }

        private static KernelPipe fill(KernelPipe pipe) throws Exception {
            Bytes.write(pipe, new byte[pipe.capacity()], 4096);
            return pipe;
        }

        private static <T extends AutoCloseable> T keep(List<AutoCloseable> open, T channel) {
            open.add(channel);
            return channel;
        }
    }
}
