package dev.sluice.loop;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.internal.fd.Descriptor;
import dev.sluice.internal.fd.Descriptors;
import dev.sluice.internal.linux.Processors;
import dev.sluice.internal.linux.Sockets;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.Child;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Pair;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Everything on platform threads of the test's own: a virtual thread's carrier is nobody's to move. */
@ExtendWith(LeakCheck.class)
@Timeout(60)
class PlacementTest {
    private static final int ROUNDS = 100;
    private static final int PLENTY = 1 << 20;

    private static <T> T onThread(Bytes.Call<T> call) throws Exception {
        return Bytes.platform(call).get(50, TimeUnit.SECONDS);
    }

    /** Which processors the calling thread may use, as a list of numbers and ranges. */
    private static String allowed() throws IOException {
        return Files.readAllLines(Path.of("/proc/thread-self/status")).stream()
                .filter(line -> line.startsWith("Cpus_allowed_list:"))
                .findFirst()
                .orElseThrow();
    }

    private static int processors() {
        return Runtime.getRuntime().availableProcessors();
    }

    @Test
    @DisplayName("a thread that visits a processor may use the same ones as before")
    void visitChangesNothing() throws Exception {
        onThread(() -> {
            String before = allowed();
            int here = Processors.current();
            assertThat(here).isNotNegative();
            Assumptions.assumeTrue(
                    Processors.visit(here, processors()), "the JVM does not count the processors as the kernel does");
            assertThat(allowed()).isEqualTo(before);
            return null;
        });
    }

    @Test
    @DisplayName("no visit with another number of processors, or to one that is not there")
    void noVisit() throws Exception {
        onThread(() -> {
            String before = allowed();
            assertThat(Processors.visit(Processors.current(), processors() + 1)).isFalse();
            assertThat(Processors.visit(1023, processors())).isFalse();
            assertThat(allowed()).isEqualTo(before);
            return null;
        });
    }

    /** In how many rounds, each of some turns, the writer's thread came to the reader's processor. */
    private static int comes(BiConsumer<Placement, Integer> turns) throws Exception {
        try (Pair pair = Pair.open(Pair.Kind.TCP)) {
            Descriptor descriptor = Descriptors.sink(pair.near());
            descriptor.acquire();
            try {
                int socket = descriptor.fd();
                assertThat(Sockets.toThisMachine(socket)).isTrue();
                int came = 0;
                for (int i = 0; i < ROUNDS; i++) {
                    int there = 1 - Processors.current();
                    // What the reader sends comes in where it runs: there, as long as the scheduler lets us stay.
                    Processors.visit(there, 2);
                    pair.far().write(ByteBuffer.wrap(new byte[1]));
                    Processors.visit(1 - there, 2);
                    turns.accept(new Placement(), socket);
                    came += Processors.current() == there ? 1 : 0;
                }
                return came;
            } finally {
                descriptor.release();
            }
        }
    }

    private static void turns(Placement placement, int socket, int count, int pipeful) {
        for (int i = 0; i < count; i++) {
            placement.delivered(socket, pipeful);
        }
    }

    private static void fourTurns(Placement placement, int socket) {
        turns(placement, socket, 4, PLENTY);
    }

    private static void assumeTwo() throws IOException {
        Assumptions.assumeTrue(allowed().endsWith("\t0-1"), "there is a choice on a machine of two processors only");
    }

    @Test
    @DisplayName("the thread comes to where its sink is read")
    void comesToReader() throws Exception {
        assumeTwo();
        assertThat(onThread(() -> comes(PlacementTest::fourTurns))).isPositive();
    }

    /** What a loop's thread does after its turns. */
    enum Turns {
        ENOUGH {
            @Override
            void take(Placement placement, int socket) {
                fourTurns(placement, socket);
            }
        },
        /** Three are not enough, and a sink that was full makes them forgotten. */
        BROKEN {
            @Override
            void take(Placement placement, int socket) {
                for (int i = 0; i < 4; i++) {
                    turns(placement, socket, 3, PLENTY);
                    placement.waitsForReader();
                }
            }
        },
        /** As many as move or yield elsewhere, but with messages in between. */
        MIXED {
            @Override
            void take(Placement placement, int socket) {
                placement.servesOthers();
                turns(placement, socket, 32, 1000);
            }
        },
        LEAN {
            @Override
            void take(Placement placement, int socket) {
                turns(placement, socket, 4, 1000);
            }
        };

        abstract void take(Placement placement, int socket);
    }

    @ParameterizedTest
    @EnumSource(Turns.class)
    @DisplayName(
            "it does not move after few turns, nor to a reader who has to be waited for, nor beside messages; it yields when there is little")
    void calls(Turns turns, @TempDir Path directory) throws Exception {
        assumeTwo();
        Path log = directory.resolve("log");
        List<String> strace =
                List.of("strace", "-f", "-qq", "-e", "trace=sched_setaffinity,sched_yield", "-o", log.toString());
        Assumptions.assumeTrue(Child.has("strace", "true"), "strace is missing, or may not trace");
        Child child = Child.run(Child.command(strace, List.of(), Writer.class, turns.name()));
        assertThat(child.exit()).as(child.toString()).isZero();
        List<String> lines = Files.readAllLines(log);
        // Two visits of the test in a round, and one by which the placement sees whether there is a choice.
        long visits = calls(lines, "sched_setaffinity(") / 2;
        switch (turns) {
            case MIXED -> assertThat(visits).isEqualTo(2 * ROUNDS);
            case BROKEN -> assertThat(visits).isEqualTo(3 * ROUNDS);
            default -> assertThat(visits).isGreaterThan(3 * ROUNDS);
        }
        // The JVM yields now and then, too.
        assertThat(calls(lines, "sched_yield(") >= 4 * ROUNDS).isEqualTo(turns == Turns.LEAN);
    }

    private static long calls(List<String> lines, String call) {
        return lines.stream().filter(line -> line.contains(call)).count();
    }

    static final class Writer {
        public static void main(String[] arguments) throws Exception {
            comes(Turns.valueOf(arguments[0])::take);
        }
    }
}
