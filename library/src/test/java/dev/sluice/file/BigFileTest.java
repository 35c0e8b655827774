package dev.sluice.file;

import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.Pipeline;
import dev.sluice.Sluice;
import dev.sluice.io.Route;
import dev.sluice.io.TransferResult;
import dev.sluice.testkit.Account;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Pair;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.ReadableByteChannel;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.Timeout.ThreadMode;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** More than 2 GiB, nearly all of it holes: at the start, in the middle and at the end, with islands between. */
@ExtendWith(LeakCheck.class)
@Timeout(value = 120, threadMode = ThreadMode.SEPARATE_THREAD)
class BigFileTest {
    private static final long SIZE = (1L << 31) + (48 << 20) + 1;
    private static final byte[] ISLAND = Bytes.random(141_421, 3_000_017);

    /** One at an odd place, one across the 2 GiB, which ends in the last hole. */
    private static final long[] ISLANDS = {(500 << 20) + 12_345, (1L << 31) - 1_000_000};

    /** So much of the holes around an island is looked at, too. */
    private static final int EDGE = 100_000;

    @TempDir
    private static Path directory;

    private static Path path;

    /** Once: all tests read the same pages. */
    @BeforeAll
    static void aSparseFile() throws Exception {
        path = directory.resolve("sparse");
        try (FileChannel file = FileChannel.open(path, WRITE, CREATE)) {
            for (long island : ISLANDS) {
                file.write(ByteBuffer.wrap(ISLAND), island);
            }
            file.write(ByteBuffer.wrap(new byte[1]), SIZE - 1);
        }
    }

    @Test
    void itIsSentToTheLastByte() throws Exception {
        try (Pair pair = Pair.open(Pair.Kind.TCP);
                KernelFile file = KernelFile.open(path)) {
            CompletableFuture<Long> received = Bytes.async(() -> check(pair.far(), 0, ISLANDS));
            TransferResult result = Sluice.transfer(file, pair.near());
            pair.near().shutdownOutput();

            Account.wentBy(Route.SPLICE, result, SIZE);
            assertThat(file.position()).isEqualTo(SIZE);
            assertThat(received.get()).isEqualTo(SIZE);
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = Route.class,
            names = {"SPLICE", "SENDFILE", "COPY"})
    void everyRouteCountsToTheEnd(Route route) throws Exception {
        try (KernelFile file = KernelFile.open(path);
                KernelFile nothing = KernelFile.open(Path.of("/dev/null"), WRITE)) {
            Account.addsUp(Pipeline.from(file).route(route).to(nothing), SIZE);
            assertThat(file.position()).isEqualTo(SIZE);
        }
    }

    /** Not from the start, which would take 2 GiB of disk: the copy has a hole there. */
    @ParameterizedTest
    @EnumSource(Route.class)
    void itIsCopiedAcrossTheTwoGibibytes(Route route) throws Exception {
        long start = ISLANDS[1] - EDGE;
        Path copy = directory.resolve("copy " + route);
        try (KernelFile file = KernelFile.open(path);
                KernelFile to = KernelFile.open(copy, READ, WRITE, CREATE)) {
            file.position(start);
            to.position(start);
            Account.wentBy(route, Pipeline.from(file).route(route).to(to), SIZE - start);
            assertThat(to.position()).isEqualTo(SIZE);
            assertThat(check(to.position(start), start, ISLANDS[1])).isEqualTo(SIZE);
        }
    }

    /** Takes everything from a position to the end, which it returns, and looks at the islands. */
    private static long check(ReadableByteChannel channel, long from, long... islands) throws IOException {
        try (KernelFile nothing = KernelFile.open(Path.of("/dev/null"), WRITE)) {
            long position = from;
            for (long island : islands) {
                position += Sluice.transfer(channel, nothing, island - EDGE - position)
                        .bytes();
                byte[] there = Bytes.read(channel, EDGE + ISLAND.length + EDGE);
                byte[] expected = new byte[there.length];
                System.arraycopy(ISLAND, 0, expected, EDGE, ISLAND.length);
                assertThat(Arrays.mismatch(there, expected))
                        .as("around " + island)
                        .isEqualTo(-1);
                position += there.length;
            }
            return position + Sluice.transfer(channel, nothing).bytes();
        }
    }
}
