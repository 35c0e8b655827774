package dev.sluice.file;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.nio.file.StandardOpenOption.APPEND;
import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sluice.Pipeline;
import dev.sluice.Sluice;
import dev.sluice.internal.linux.Errno;
import dev.sluice.io.Route;
import dev.sluice.io.Side;
import dev.sluice.io.TransferException;
import dev.sluice.io.TransferResult;
import dev.sluice.testkit.Account;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.LeakCheck;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.Timeout.ThreadMode;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Go's TestCopyFileRange: file to file, by every route, and what copy_file_range(2) refuses. */
@ExtendWith(LeakCheck.class)
@Timeout(value = 60, threadMode = ThreadMode.SEPARATE_THREAD)
class FileCopyTest {
    private static final long SEED = 271_828;

    @TempDir
    private Path directory;

    enum Limit {
        NONE,
        ONE_LESS,
        HALF,
        MORE;

        long of(int size) {
            return switch (this) {
                case NONE -> Long.MAX_VALUE;
                case ONE_LESS -> size - 1;
                case HALF -> size / 2;
                case MORE -> size + 1;
            };
        }
    }

    record Case(int size, Limit limit, Route asked) {}

    static Stream<Case> cases() {
        return IntStream.of(1, 42, 1025, 4097, 32_769)
                .boxed()
                .flatMap(size -> Stream.of(Limit.values())
                        .flatMap(limit -> Stream.of(null, Route.SPLICE, Route.SENDFILE, Route.COPY)
                                .map(asked -> new Case(size, limit, asked))));
    }

    private KernelFile open(String name, byte[] content, OpenOption... options) throws IOException {
        return KernelFile.open(Files.write(directory.resolve(name), content), options);
    }

    private static TransferResult copy(KernelFile from, KernelFile to, long limit, Route asked) throws IOException {
        Pipeline pipeline = Pipeline.from(from).limit(limit);
        return (asked == null ? pipeline : pipeline.route(asked)).to(to);
    }

    @ParameterizedTest
    @MethodSource("cases")
    void theRightBytesAreCopiedAndBothPositionsMove(Case test) throws Exception {
        byte[] bytes = Bytes.random(SEED, test.size);
        int expected = (int) Math.min(test.size, test.limit.of(test.size));
        try (KernelFile from = open("from", bytes);
                KernelFile to = open("to", new byte[0], READ, WRITE)) {
            TransferResult result = copy(from, to, test.limit.of(test.size), test.asked);

            Account.addsUp(result, expected);
            if (expected > 0) {
                Account.wentBy(test.asked == null ? Account.betweenFiles(directory) : test.asked, result, expected);
            }
            assertThat(from.position()).isEqualTo(expected);
            assertThat(to.position()).isEqualTo(expected);
            assertThat(Files.readAllBytes(directory.resolve("to"))).isEqualTo(Arrays.copyOf(bytes, expected));
            assertThat(Bytes.readAll(from)).isEqualTo(Arrays.copyOfRange(bytes, expected, test.size));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"COPY_FILE_RANGE", "SPLICE", "SENDFILE", "COPY"})
    void aRangeIsCopiedFromPositionToPosition(Route route) throws Exception {
        byte[] bytes = Bytes.random(SEED + 1, 5 << 20);
        byte[] before = Bytes.random(SEED + 2, 3 << 20);
        try (KernelFile from = open("from", bytes);
                KernelFile to = open("to", before, WRITE)) {
            from.position(1_000_001);
            to.position(500_003);
            Account.wentBy(route, copy(from, to, 2_000_000, route), 2_000_000);
            assertThat(from.position()).isEqualTo(3_000_001);
            assertThat(to.position()).isEqualTo(2_500_003);
        }
        byte[] expected = before.clone();
        System.arraycopy(bytes, 1_000_001, expected, 500_003, 2_000_000);
        assertThat(Files.readAllBytes(directory.resolve("to"))).isEqualTo(expected);
    }

    @ParameterizedTest
    @ValueSource(strings = {"COPY_FILE_RANGE", "SPLICE", "SENDFILE", "COPY"})
    void theTailOfAFileBeyondTwoGibibytesIsCopied(Route route) throws Exception {
        byte[] tail = Bytes.random(SEED + 3, 300_007);
        long offset = 3L << 30;
        Path sparse = directory.resolve("sparse");
        try (KernelFile file = KernelFile.open(sparse, WRITE, CREATE)) {
            file.position(offset);
            Bytes.write(file, tail, tail.length);
        }
        try (KernelFile from = KernelFile.open(sparse);
                KernelFile to = open("to", new byte[0], WRITE)) {
            from.position(offset - 5);
            Account.wentBy(route, copy(from, to, Long.MAX_VALUE, route), tail.length + 5);
            assertThat(from.position()).isEqualTo(offset + tail.length);
        }
        byte[] copied = Files.readAllBytes(directory.resolve("to"));
        assertThat(Arrays.copyOf(copied, 5)).containsOnly(0);
        assertThat(Arrays.copyOfRange(copied, 5, copied.length)).isEqualTo(tail);
    }

    static Stream<Route> routes() {
        return Stream.of(null, Route.COPY_FILE_RANGE, Route.SPLICE, Route.SENDFILE, Route.COPY);
    }

    @ParameterizedTest
    @MethodSource("routes")
    void aFileOpenForAppendingIsAppendedToByCopying(Route route) throws Exception {
        byte[] bytes = Bytes.random(SEED + 4, 200_000);
        try (KernelFile from = open("from", bytes);
                KernelFile to = open("to", "before".getBytes(UTF_8), APPEND)) {
            TransferResult result = copy(from, to, Long.MAX_VALUE, route);
            Account.wentBy(Route.COPY, result, bytes.length);
            assertThat(result.reason()).contains(route == Route.COPY ? "asked for" : "O_APPEND");
        }
        assertThat(Files.readAllBytes(directory.resolve("to")))
                .startsWith("before".getBytes(UTF_8))
                .endsWith(bytes)
                .hasSize(6 + bytes.length);
    }

    /** The end of such a file runs away from who reads it; so there is a limit. */
    @Test
    void aFileCopiedOntoItsOwnEndIsDoubled() throws Exception {
        byte[] bytes = Bytes.random(SEED + 5, 100_001);
        try (KernelFile from = open("self", bytes);
                KernelFile to = KernelFile.open(directory.resolve("self"), WRITE)) {
            to.position(bytes.length);
            Account.addsUp(Sluice.transfer(from, to, bytes.length), bytes.length);
        }
        byte[] doubled = Arrays.copyOf(bytes, 2 * bytes.length);
        System.arraycopy(bytes, 0, doubled, bytes.length, bytes.length);
        assertThat(Files.readAllBytes(directory.resolve("self"))).isEqualTo(doubled);
    }

    /** Two directories, on the same file system or not, and a route. */
    static Stream<Arguments> pairsOfFileSystems() {
        return Stream.of("disk", "memory")
                .flatMap(from -> Stream.of("disk", "memory")
                        .flatMap(to -> routes().map(route -> Arguments.of(from, to, route))));
    }

    @ParameterizedTest
    @MethodSource("pairsOfFileSystems")
    void aRangeIsCopiedWithinAFileSystemAndFromOneToAnother(String from, String to, Route route) throws Exception {
        byte[] bytes = Bytes.random(SEED + 6, 3_000_001);
        Path source = Files.createTempFile(on(from), "sluice", "");
        Path sink = Files.createTempFile(on(to), "sluice", "");
        try (KernelFile in = KernelFile.open(Files.write(source, bytes));
                KernelFile out = KernelFile.open(sink, WRITE)) {
            in.position(5);
            out.position(7);
            TransferResult result = copy(in, out, 2_500_000, route);

            Account.addsUp(result, 2_500_000);
            if (from.equals(to) || route == null || route == Route.SPLICE || route == Route.COPY) {
                Route expected = route != null ? route : Account.betweenFiles(on(to));
                assertThat(result.route()).isIn(expected, from.equals(to) ? expected : Route.SPLICE);
            }
            assertThat(in.position()).isEqualTo(2_500_005);
            assertThat(out.position()).isEqualTo(2_500_007);
            byte[] expected = new byte[2_500_007];
            System.arraycopy(bytes, 5, expected, 7, 2_500_000);
            assertThat(Arrays.mismatch(Files.readAllBytes(sink), expected)).isEqualTo(-1);
        } finally {
            Files.delete(source);
            Files.delete(sink);
        }
    }

    private Path on(String kind) throws IOException {
        Path memory = Path.of("/dev/shm");
        assumeTrue(
                Files.isWritable(memory) && !Files.getFileStore(memory).equals(Files.getFileStore(directory)),
                "/dev/shm is no file system of its own");
        return kind.equals("memory") ? memory : directory;
    }

    @ParameterizedTest
    @MethodSource("routes")
    void anEmptyFileIsCopied(Route route) throws Exception {
        try (KernelFile from = open("from", new byte[0]);
                KernelFile to = open("to", new byte[0], WRITE)) {
            Account.addsUp(copy(from, to, Long.MAX_VALUE, route), 0);
        }
    }

    @ParameterizedTest
    @MethodSource("routes")
    void aRangeThatBeginsBeyondTheEndIsEmpty(Route route) throws Exception {
        try (KernelFile from = open("from", new byte[100]);
                KernelFile to = open("to", new byte[0], WRITE)) {
            from.position(101);
            Account.addsUp(copy(from, to, 10, route), 0);
            assertThat(from.position()).isEqualTo(101);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"COPY_FILE_RANGE", "SPLICE", "SENDFILE", "COPY"})
    void aSideOfTheWrongDirectionIsReportedAndNothingIsLost(Route route) throws Exception {
        byte[] bytes = Bytes.random(SEED + 7, 100_000);
        try (KernelFile from = open("from", bytes);
                KernelFile readOnly = open("to", new byte[0])) {
            assertThatExceptionOfType(TransferException.class)
                    .isThrownBy(() -> copy(from, readOnly, Long.MAX_VALUE, route))
                    .satisfies(e -> {
                        assertThat(e.side()).isEqualTo(Side.SINK);
                        assertThat(e.errno()).isEqualTo(Errno.EBADF);
                        assertThat(e.name()).isEqualTo(directory.resolve("to").toString());
                        assertThat(e.accepted()).isZero();
                        byte[] residue = new byte[e.residue().remaining()];
                        e.residue().get(residue);
                        assertThat(residue).isEqualTo(Arrays.copyOf(bytes, (int) from.position()));
                    });
        }
        try (KernelFile writeOnly = open("from", bytes, WRITE);
                KernelFile to = open("to", new byte[0], WRITE)) {
            assertThatExceptionOfType(TransferException.class)
                    .isThrownBy(() -> copy(writeOnly, to, Long.MAX_VALUE, route))
                    .satisfies(e -> {
                        assertThat(e.side()).isEqualTo(Side.SOURCE);
                        assertThat(e.errno()).isEqualTo(Errno.EBADF);
                        assertThat(e.residue().hasRemaining()).isFalse();
                    });
        }
    }
}
