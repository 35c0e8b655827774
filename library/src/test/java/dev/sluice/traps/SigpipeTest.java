package dev.sluice.traps;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.Pipeline;
import dev.sluice.io.Route;
import dev.sluice.io.TransferException;
import dev.sluice.pipe.KernelPipe;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.Child;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Pair;
import java.nio.channels.WritableByteChannel;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(LeakCheck.class)
@Timeout(60)
class SigpipeTest {
    @Test
    @DisplayName("S13, #8: splicing and teeing to peers that have gone raises SIGPIPE, which ends no JVM")
    void jvmLivesOn() throws Exception {
        Child child = Child.run(Child.command(List.of(), List.of(), Program.class));
        assertThat(child.exit()).as(child.toString()).isZero();
        assertThat(child.out().lines())
                .filteredOn(line -> line.contains("EPIPE"))
                .hasSize(6);
    }

    /** Transfers into closed ends of all kinds. */
    static final class Program {
        public static void main(String[] arguments) throws Exception {
            for (Route route : List.of(Route.SPLICE, Route.COPY)) {
                try (KernelPipe pipe = KernelPipe.open()) {
                    pipe.closeSource();
                    intoClosed(route, pipe.sink());
                }
                try (Pair pair = Pair.open(Pair.Kind.UNIX)) {
                    pair.far().close();
                    intoClosed(route, pair.near());
                }
                try (Pair pair = Pair.open(Pair.Kind.TCP)) {
                    pair.near().shutdownOutput();
                    intoClosed(route, pair.near());
                }
            }
        }

        private static void intoClosed(Route route, WritableByteChannel closed) throws Exception {
            try (Pair in = Pair.open(Pair.Kind.TCP);
                    Pair out = Pair.open(Pair.Kind.TCP)) {
                Bytes.write(in.near(), new byte[1000], 1000);
                try {
                    Pipeline.from(in.far()).mirror(closed).route(route).to(out.near());
                    System.out.println("no exception");
                } catch (TransferException e) {
                    System.out.println(e.getMessage());
                }
            }
        }
    }
}
