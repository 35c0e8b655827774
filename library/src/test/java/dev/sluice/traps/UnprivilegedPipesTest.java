package dev.sluice.traps;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.Pipeline;
import dev.sluice.internal.fd.PipePool;
import dev.sluice.io.Route;
import dev.sluice.io.SluiceException;
import dev.sluice.io.TransferResult;
import dev.sluice.pipe.KernelPipe;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.Child;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Pair;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(LeakCheck.class)
@Timeout(90)
class UnprivilegedPipesTest {
    private static final List<String> AS_NOBODY =
            List.of("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all");

    @Test
    @DisplayName("S1, S2, S26, #7: over the user's limit of pages in pipes, transfers go on through small pipes")
    void smallPipes() throws Exception {
        List<String> check = new ArrayList<>(AS_NOBODY);
        check.addAll(Child.command(List.of(), List.of(), Hello.class));
        Assumptions.assumeTrue(
                Child.has(check.toArray(String[]::new)),
                "no unprivileged JVM: setpriv is missing, this is not root, or nobody may read the class path");
        Child child = Child.run(Child.command(AS_NOBODY, List.of(), Program.class));
        assertThat(child.exit()).as(child.toString()).isZero();
        assertThat(child.out())
                .contains("EPERM")
                .contains("fs.pipe-user-pages-soft")
                .contains("done");
        assertThat(child.err().lines().filter(line -> line.contains("fs.pipe-user-pages-soft")))
                .as("logged once")
                .hasSize(1);
    }

    /** Whether a JVM starts at all. */
    static final class Hello {
        public static void main(String[] arguments) throws Exception {
            KernelPipe.open().close();
        }
    }

    /** Uses the limit up, then transfers. Without AssertJ, whose jar this user may not be able to read. */
    static final class Program {
        public static void main(String[] arguments) throws Exception {
            List<KernelPipe> hoard = new ArrayList<>();
            KernelPipe last;
            do {
                last = KernelPipe.open();
                hoard.add(last);
            } while (hoard.size() < 3000 && refused(last) == null);
            SluiceException refusal = refused(last);
            require(refusal != null, "64 pipes of 1 MiB are allowed");
            System.out.println(refusal.getMessage());
            require(last.capacity() < 1 << 20, "a refused pipe is small");
            for (int segment : new int[] {1, 1000, 100_000}) {
                transfer(segment);
            }
            require(PipePool.shared().small() > 0, "the pool counts small pipes");
            System.out.println("done with pipes of " + last.capacity());
            require(hoard.size() > 0, "the hoard is kept until here");
        }

        private static SluiceException refused(KernelPipe pipe) throws Exception {
            try {
                pipe.resize(1 << 20);
                return null;
            } catch (SluiceException e) {
                return e;
            }
        }

        private static void transfer(int segment) throws Exception {
            byte[] data = Bytes.random(segment, Math.min(2 << 20, segment * 20_000));
            try (Pair in = Pair.open(Pair.Kind.TCP);
                    Pair out = Pair.open(Pair.Kind.TCP);
                    KernelPipe mirror = KernelPipe.open()) {
                in.near().noDelay(true);
                CompletableFuture<TransferResult> transfer = Bytes.async(() -> Pipeline.from(in.far())
                        .route(Route.SPLICE)
                        .mirror(mirror.sink())
                        .to(out.near()));
                Stage.Feeder feeder = new Stage.Feeder(in.near(), data, segment);
                feeder.awaitStalled();
                CompletableFuture<byte[]> received = Bytes.async(() -> Bytes.readAll(out.far()));
                CompletableFuture<byte[]> mirrored = Bytes.async(() -> Bytes.readAll(mirror.source()));
                Stage.get(feeder.done);
                in.near().shutdownOutput();
                System.out.println(Stage.get(transfer));
                out.near().shutdownOutput();
                mirror.closeSink();
                require(java.util.Arrays.equals(data, Stage.get(received)), "the sink's bytes");
                require(java.util.Arrays.equals(data, Stage.get(mirrored)), "the mirror's bytes");
            }
        }

        private static void require(boolean holds, String what) {
            if (!holds) {
                throw new AssertionError(what);
            }
        }
    }
}
