package dev.sluice.file;

import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sluice.Pipeline;
import dev.sluice.io.Route;
import dev.sluice.io.TransferResult;
import dev.sluice.testkit.Account;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Pair;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.Timeout.ThreadMode;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** What is opened like a file and is none: virtual files, whose size is a lie, FIFOs and devices. */
@ExtendWith(LeakCheck.class)
@Timeout(value = 60, threadMode = ThreadMode.SEPARATE_THREAD)
class SpecialFileTest {
    private static final byte[] BYTES = Bytes.random(161_803, 1_000_003);

    @TempDir
    private Path directory;

    static Stream<Route> routes() {
        return Stream.of(null, Route.COPY_FILE_RANGE, Route.SPLICE, Route.SENDFILE, Route.COPY);
    }

    private static TransferResult move(KernelFile from, KernelFile to, long limit, Route asked) throws IOException {
        Pipeline pipeline = Pipeline.from(from).limit(limit);
        return (asked == null ? pipeline : pipeline.route(asked)).to(to);
    }

    private KernelFile sink() throws IOException {
        return KernelFile.open(directory.resolve("to"), WRITE, CREATE);
    }

    /** The sizes that these claim: nothing, and a page. */
    static Stream<Arguments> virtualFiles() {
        return Stream.of(
                        "/proc/filesystems",
                        "/proc/kallsyms",
                        "/proc/sys/kernel/osrelease",
                        "/sys/kernel/mm/transparent_hugepage/enabled")
                .flatMap(file -> routes().map(route -> Arguments.of(file, route)));
    }

    @ParameterizedTest
    @MethodSource("virtualFiles")
    void aVirtualFileIsCopiedWholeWhateverItsSize(String virtual, Route route) throws Exception {
        assumeTrue(Files.isReadable(Path.of(virtual)), virtual + " is not there");
        byte[] expected;
        try (var in = Files.newInputStream(Path.of(virtual))) {
            expected = in.readAllBytes();
        }
        assumeTrue(expected.length > 1, virtual + " tells nothing here");
        try (KernelFile from = KernelFile.open(Path.of(virtual));
                KernelFile to = sink()) {
            assertThat(from.size()).isNotEqualTo(expected.length);
            TransferResult result = move(from, to, Long.MAX_VALUE, route);
            Account.addsUp(result, expected.length);
        }
        assertThat(Arrays.mismatch(Files.readAllBytes(directory.resolve("to")), expected))
                .isEqualTo(-1);
    }

    @ParameterizedTest
    @MethodSource("routes")
    void aFifoIsReadToTheEndOfItsWriterAndWritten(Route route) throws Exception {
        Path fifo = directory.resolve("fifo");
        assertThat(new ProcessBuilder("mkfifo", fifo.toString()).start().waitFor())
                .isZero();
        Path path = Files.write(directory.resolve("from"), BYTES);
        CompletableFuture<TransferResult> writing = Bytes.async(() -> {
            try (KernelFile from = KernelFile.open(path);
                    KernelFile to = KernelFile.open(fifo, WRITE)) {
                return move(from, to, Long.MAX_VALUE, route);
            }
        });
        try (KernelFile from = KernelFile.open(fifo);
                KernelFile to = sink()) {
            Account.addsUp(move(from, to, Long.MAX_VALUE, route), BYTES.length);
        }
        Account.addsUp(writing.get(), BYTES.length);
        assertThat(Arrays.mismatch(Files.readAllBytes(directory.resolve("to")), BYTES))
                .isEqualTo(-1);
    }

    @ParameterizedTest
    @MethodSource("routes")
    void aDeviceThatNeverEndsIsReadUpToTheLimit(Route route) throws Exception {
        try (KernelFile zero = KernelFile.open(Path.of("/dev/zero"), READ);
                KernelFile to = sink();
                Pair pair = Pair.open(Pair.Kind.TCP)) {
            Account.addsUp(move(zero, to, 3_000_001, route), 3_000_001);
            assertThat(Files.readAllBytes(directory.resolve("to")))
                    .hasSize(3_000_001)
                    .containsOnly(0);

            CompletableFuture<byte[]> received = Bytes.async(() -> Bytes.read(pair.far(), 3_000_001));
            Pipeline pipeline = Pipeline.from(zero).limit(3_000_001);
            Account.addsUp((route == null ? pipeline : pipeline.route(route)).to(pair.near()), 3_000_001);
            assertThat(Arrays.mismatch(received.get(), new byte[3_000_001])).isEqualTo(-1);
        }
    }
}
