package dev.sluice.file;

import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.Pipeline;
import dev.sluice.Sluice;
import dev.sluice.io.Route;
import dev.sluice.io.TransferException;
import dev.sluice.io.TransferResult;
import dev.sluice.testkit.Account;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Pair;
import dev.sluice.testkit.Pair.Kind;
import dev.sluice.testkit.Parked;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.Timeout.ThreadMode;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Go's TestSendFile and TestSpliceFile: files to sockets and back. */
@ExtendWith(LeakCheck.class)
@Timeout(value = 60, threadMode = ThreadMode.SEPARATE_THREAD)
class FileSocketTest {
    private static final long SEED = 577_215;

    /** As in Go, whose file is Newton's Opticks. */
    private static final byte[] BOOK = Bytes.random(SEED, 567_198);

    @TempDir
    private Path directory;

    static Stream<Arguments> kindsAndRoutes() {
        return Stream.of(Kind.TCP, Kind.UNIX)
                .flatMap(kind ->
                        Stream.of(Route.SPLICE, Route.SENDFILE, Route.COPY).map(route -> Arguments.of(kind, route)));
    }

    static Stream<Arguments> sizes() {
        return kindsAndRoutes()
                .flatMap(which -> Stream.of(1, 42, 1025, 4097, 32_769)
                        .map(size -> Arguments.of(which.get()[0], which.get()[1], size)));
    }

    private KernelFile book() throws IOException {
        return KernelFile.open(Files.write(directory.resolve("book"), BOOK));
    }

    @ParameterizedTest
    @MethodSource("kindsAndRoutes")
    void theWholeFileArrives(Kind kind, Route route) throws Exception {
        try (Pair pair = Pair.open(kind);
                KernelFile book = book()) {
            CompletableFuture<byte[]> hashing =
                    Bytes.async(() -> MessageDigest.getInstance("SHA-256").digest(Bytes.readAll(pair.far())));
            TransferResult result = Pipeline.from(book).route(route).to(pair.near());
            pair.near().shutdownOutput();

            Account.wentBy(route, result, BOOK.length);
            assertThat(book.position()).isEqualTo(BOOK.length);
            assertThat(hashing.get())
                    .isEqualTo(MessageDigest.getInstance("SHA-256").digest(BOOK));
        }
    }

    @ParameterizedTest
    @MethodSource("kindsAndRoutes")
    void threePartsOfThreeBytesFollowEachOther(Kind kind, Route route) throws Exception {
        try (Pair pair = Pair.open(kind);
                KernelFile book = book()) {
            for (int part = 0; part < 3; part++) {
                assertThat(Pipeline.from(book)
                                .route(route)
                                .limit(3)
                                .to(pair.near())
                                .bytes())
                        .isEqualTo(3);
                assertThat(book.position()).isEqualTo(3 * (part + 1));
            }
            assertThat(Bytes.read(pair.far(), 9)).isEqualTo(Arrays.copyOf(BOOK, 9));
        }
    }

    @ParameterizedTest
    @MethodSource("kindsAndRoutes")
    void aPartFromTheMiddleArrives(Kind kind, Route route) throws Exception {
        int from = 64 << 10;
        int length = 10 << 10;
        try (Pair pair = Pair.open(kind);
                KernelFile book = book()) {
            book.position(from);
            Account.wentBy(route, Pipeline.from(book).route(route).limit(length).to(pair.near()), length);
            assertThat(book.position()).isEqualTo(from + length);
            assertThat(Bytes.read(pair.far(), length)).isEqualTo(Arrays.copyOfRange(BOOK, from, from + length));
        }
    }

    @ParameterizedTest
    @MethodSource("sizes")
    void aFileOfAnySizeArrivesUpToAnyLimit(Kind kind, Route route, int size) throws Exception {
        byte[] bytes = Bytes.random(SEED + size, size);
        for (long limit : new long[] {Long.MAX_VALUE, size - 1, size / 2, size + 1}) {
            int expected = (int) Math.min(limit, size);
            try (Pair pair = Pair.open(kind);
                    KernelFile file = KernelFile.open(Files.write(directory.resolve("file"), bytes))) {
                TransferResult result =
                        Pipeline.from(file).route(route).limit(limit).to(pair.near());
                pair.near().shutdownOutput();
                Account.wentBy(route, result, expected);
                assertThat(Bytes.readAll(pair.far())).isEqualTo(Arrays.copyOf(bytes, expected));
            }
        }
    }

    @ParameterizedTest
    @MethodSource("sizes")
    void aStreamOfAnySizeIsWrittenUpToAnyLimitAndMovesThePosition(Kind kind, Route route, int size) throws Exception {
        byte[] bytes = Bytes.random(SEED + size, size);
        Route expectedRoute = route == Route.SENDFILE ? Route.SPLICE : route;
        for (long limit : new long[] {Long.MAX_VALUE, size - 1, size / 2, size + 1}) {
            int expected = (int) Math.min(limit, size);
            Path path = Files.write(directory.resolve("file"), new byte[0]);
            try (Pair pair = Pair.open(kind);
                    KernelFile file = KernelFile.open(path, READ, WRITE)) {
                Bytes.write(pair.far(), bytes, 1000);
                pair.far().shutdownOutput();
                file.position(5);
                TransferResult result =
                        Pipeline.from(pair.near()).route(route).limit(limit).to(file);
                Account.wentBy(expectedRoute, result, expected);
                assertThat(file.position()).isEqualTo(5 + expected);
                file.position(5);
                assertThat(Bytes.readAll(file)).isEqualTo(Arrays.copyOf(bytes, expected));
                assertThat(Bytes.readAll(pair.near())).isEqualTo(Arrays.copyOfRange(bytes, expected, size));
            }
        }
    }

    @Test
    void aBigStreamIsWrittenToAFileAndSentBack() throws Exception {
        byte[] bytes = Bytes.random(SEED + 1, 20_000_003);
        try (Pair pair = Pair.open(Kind.TCP);
                KernelFile file = KernelFile.open(Files.write(directory.resolve("big"), new byte[0]), READ, WRITE)) {
            CompletableFuture<?> writing = Bytes.async(() -> {
                Bytes.write(pair.far(), bytes, 1 << 20);
                return pair.far().shutdownOutput();
            });
            Account.splicedOrSmall(Sluice.transfer(pair.near(), file), bytes.length);
            writing.get();
            assertThat(file.size()).isEqualTo(bytes.length);

            CompletableFuture<byte[]> reading = Bytes.async(() -> Bytes.readAll(pair.far()));
            file.position(0);
            Account.wentBy(Route.SPLICE, Sluice.transfer(file, pair.near()), bytes.length);
            pair.near().shutdownOutput();
            assertThat(reading.get()).isEqualTo(bytes);
        }
    }

    @Test
    void aVirtualThreadSendsAndReceivesFiles() throws Exception {
        try (Pair pair = Pair.open(Kind.UNIX);
                KernelFile book = book();
                KernelFile copy = KernelFile.open(Files.write(directory.resolve("copy"), new byte[0]), WRITE)) {
            CompletableFuture<TransferResult> sending = Bytes.async(() -> {
                TransferResult result = Sluice.transfer(book, pair.near());
                pair.near().shutdownOutput();
                return result;
            });
            CompletableFuture<TransferResult> receiving = Bytes.async(() -> Sluice.transfer(pair.far(), copy));
            assertThat(sending.get().bytes()).isEqualTo(BOOK.length);
            assertThat(receiving.get().bytes()).isEqualTo(BOOK.length);
            assertThat(Files.readAllBytes(directory.resolve("copy"))).isEqualTo(BOOK);
        }
    }

    @ParameterizedTest
    @MethodSource("kindsAndRoutes")
    void aTransferThatIsInterruptedAccountsForThePositionOfTheFile(Kind kind, Route route) throws Exception {
        byte[] bytes = Bytes.random(SEED + 2, 16 << 20);
        try (Pair pair = Pair.open(kind);
                KernelFile file = KernelFile.open(Files.write(directory.resolve("big"), bytes))) {
            Parked<TransferResult> sending =
                    Parked.virtual(() -> Pipeline.from(file).route(route).to(pair.near()));
            sending.thread().interrupt();
            TransferException failure = (TransferException) sending.failure();
            assertThat(failure.reason()).isEqualTo(TransferException.Reason.INTERRUPTED);

            int accepted = Math.toIntExact(failure.accepted());
            int residue = failure.residue().remaining();
            assertThat(file.position()).isEqualTo(accepted + residue);
            assertThat(Bytes.read(pair.far(), accepted)).isEqualTo(Arrays.copyOf(bytes, accepted));
            byte[] left = new byte[residue];
            failure.residue().get(left);
            assertThat(left).isEqualTo(Arrays.copyOfRange(bytes, accepted, accepted + residue));
        }
    }
}
