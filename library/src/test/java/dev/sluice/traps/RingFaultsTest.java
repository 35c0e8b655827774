package dev.sluice.traps;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.ring.RingFile;
import dev.sluice.ring.SharedRing;
import dev.sluice.ring.Submission;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.Child;
import dev.sluice.testkit.LeakCheck;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The system calls of the ring fail in a child JVM: nothing is lost, nothing spins, and what can't go on says so. A setup
 * that is refused with EPERM or ENOSYS is the business of {@code WithoutRingTest}.
 */
@ExtendWith(LeakCheck.class)
@Timeout(90)
class RingFaultsTest {
    private static final int THREADS = 8;
    private static final int ROUNDS = 40;

    /** A child of a second: what it starts with counts, not what it gets to. */
    private static final List<String> QUICKLY = List.of("-XX:TieredStopAtLevel=1");

    @BeforeAll
    static void straceWorks() {
        Trace.assumePossible();
    }

    private static Child worker(Path directory, String fault) throws Exception {
        Path log = directory.resolve("log");
        String call = fault.substring(0, fault.indexOf(':'));
        List<String> prefix = Trace.prefix(log, call, "-e", "inject=" + fault);
        Child child = Child.run(Child.command(prefix, QUICKLY, Worker.class, directory.toString()));
        assertThat(Files.readString(log, java.nio.charset.StandardCharsets.ISO_8859_1))
                .as("the fault was injected")
                .contains("(INJECTED)");
        return child;
    }

    /** Every fifth time: a hand-over that fails is three calls, so every third could meet it again and again, for ever. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "io_uring_enter:error=EINTR:when=2+5",
                "io_uring_enter:error=EAGAIN:when=2+5",
                "io_uring_enter:error=EBUSY:when=2+5",
                "io_uring_enter:error=ENOMEM:when=2+5",
                "io_uring_enter:error=EPERM:when=5",
                "io_uring_register:error=EINTR:when=1..3",
                "io_uring_register:error=ENOMEM:when=1..3",
                "io_uring_setup:error=EINVAL:when=1..3",
                "io_uring_setup:error=ENOMEM",
            })
    @DisplayName("R17, R18, R19: every operation is done, exactly once, in spite of")
    void survives(String fault, @TempDir Path directory) throws Exception {
        Child child = worker(directory, fault);
        assertThat(child.exit()).as(child.toString()).isZero();
        assertThat(child.out()).contains("done " + THREADS * ROUNDS);
    }

    @ParameterizedTest
    @CsvSource({"io_uring_enter:error=EPERM:when=20+", "io_uring_enter:error=EIO:when=3+"})
    @DisplayName("R17: a ring that is refused for good while in use fails its callers, and nobody hangs")
    void givesUp(String fault, @TempDir Path directory) throws Exception {
        Child child = worker(directory, fault);
        assertThat(child.exit()).as(child.toString()).isNotZero();
        assertThat(child.out() + child.err()).contains("io_uring_enter: E");
    }

    /** Threads that write, read back and compare. */
    static final class Worker {
        private Worker() {}

        public static void main(String[] arguments) throws Exception {
            Path path = Path.of(arguments[0], "file");
            SharedRing ring = SharedRing.shared();
            List<CompletableFuture<Integer>> threads = new ArrayList<>();
            try (RingFile file =
                    RingFile.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE, StandardOpenOption.CREATE)) {
                for (int i = 0; i < THREADS; i++) {
                    long at = i * 512L;
                    threads.add(Bytes.async(() -> rounds(ring, file, at)));
                }
                int sum = 0;
                for (CompletableFuture<Integer> thread : threads) {
                    sum += thread.get();
                }
                System.out.println("done " + sum);
            }
            System.exit(0);
        }

        private static int rounds(SharedRing ring, RingFile file, long at) throws Exception {
            for (int i = 0; i < ROUNDS; i++) {
                byte[] bytes = Bytes.random(at + i, 512);
                file.write(ByteBuffer.wrap(bytes), at);
                ByteBuffer in = ByteBuffer.allocate(512);
                file.readFully(in, at);
                if (!Arrays.equals(in.array(), bytes)) {
                    throw new AssertionError("wrong bytes at " + at);
                }
                if (ring.reason() == null && ring.perform(Submission::nop) != 0) {
                    throw new AssertionError("a no-op failed");
                }
            }
            return ROUNDS;
        }
    }
}
