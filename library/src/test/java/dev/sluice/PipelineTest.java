package dev.sluice;

import static java.nio.file.StandardOpenOption.WRITE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;

import dev.sluice.file.KernelFile;
import dev.sluice.io.Route;
import dev.sluice.io.Side;
import dev.sluice.io.TransferException;
import dev.sluice.io.TransferResult;
import dev.sluice.pipe.KernelPipe;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Pair;
import dev.sluice.testkit.Pair.Kind;
import dev.sluice.testkit.Parked;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ReadPendingException;
import java.nio.channels.WritePendingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.Timeout.ThreadMode;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** What a pipeline promises besides moving the bytes: claims, accounts of failures, choices. */
@ExtendWith(LeakCheck.class)
@Timeout(value = 60, threadMode = ThreadMode.SEPARATE_THREAD)
class PipelineTest {
    private static final long SEED = 8_675_309;

    @Test
    void choicesThatMakeNoSenseAreRefused() throws Exception {
        try (KernelPipe pipe = KernelPipe.open()) {
            Pipeline pipeline = Pipeline.from(pipe.source());
            assertThatIllegalArgumentException().isThrownBy(() -> pipeline.limit(-1));
            assertThatIllegalArgumentException().isThrownBy(() -> pipeline.timeout(Duration.ZERO));
            assertThatIllegalArgumentException().isThrownBy(() -> pipeline.timeout(Duration.ofNanos(-1)));
            assertThatNullPointerException().isThrownBy(() -> Pipeline.from(null));
            assertThatNullPointerException().isThrownBy(() -> pipeline.mirror(null));
            assertThatNullPointerException().isThrownBy(() -> pipeline.route(null));
            assertThatNullPointerException().isThrownBy(() -> pipeline.to(null));
        }
    }

    @Test
    void aLimitOfNothingTouchesNothing() throws Exception {
        try (Pair pair = Pair.open(Kind.TCP);
                KernelPipe pipe = KernelPipe.open()) {
            TransferResult result = Sluice.transfer(pair.near(), pipe.sink(), 0);

            assertThat(result.bytes()).isZero();
            assertThat(result.route()).isEqualTo(Route.SPLICE);
        }
    }

    @Test
    void aClosedChannelIsRefusedAndTheOtherSidesStayFree() throws Exception {
        try (Pair pair = Pair.open(Kind.TCP);
                KernelPipe open = KernelPipe.open();
                KernelPipe closed = KernelPipe.open()) {
            closed.close();

            assertThatExceptionOfType(ClosedChannelException.class)
                    .isThrownBy(() -> Sluice.transfer(closed.source(), open.sink()));
            assertThatExceptionOfType(ClosedChannelException.class)
                    .isThrownBy(() -> Sluice.transfer(pair.near(), closed.sink()));
            assertThatExceptionOfType(ClosedChannelException.class)
                    .isThrownBy(() ->
                            Pipeline.from(pair.near()).mirror(closed.sink()).to(open.sink()));
            movesOneByte(pair, open);
        }
    }

    @Test
    void aChannelThatIsTakenIsRefusedAndTheOtherSidesStayFree() throws Exception {
        try (Pair pair = Pair.open(Kind.TCP);
                KernelPipe pipe = KernelPipe.open();
                KernelPipe other = KernelPipe.open()) {
            Parked<Integer> reading = Parked.virtual(() -> pair.near().read(ByteBuffer.allocate(1)));
            assertThatExceptionOfType(ReadPendingException.class)
                    .isThrownBy(() -> Sluice.transfer(pair.near(), pipe.sink()));
            pair.far().write(ByteBuffer.allocate(1));
            assertThat(reading.get()).isEqualTo(1);

            Parked<TransferResult> transfer = Parked.virtual(() -> Sluice.transfer(pair.near(), pipe.sink(), 2));
            assertThatExceptionOfType(ReadPendingException.class)
                    .isThrownBy(() -> Sluice.transfer(pair.near(), other.sink()));
            assertThatExceptionOfType(ReadPendingException.class)
                    .isThrownBy(() -> pair.near().read(ByteBuffer.allocate(1)));
            assertThatExceptionOfType(WritePendingException.class)
                    .isThrownBy(() -> Sluice.transfer(other.source(), pipe.sink()));
            assertThatExceptionOfType(WritePendingException.class).isThrownBy(() -> pipe.write(ByteBuffer.allocate(1)));
            pair.far().write(ByteBuffer.allocate(2));
            assertThat(transfer.get().bytes()).isEqualTo(2);
            pipe.read(ByteBuffer.allocate(2));

            movesOneByte(pair, pipe);
            movesOneByte(pair, other);
        }
    }

    @Test
    void theSinkIsNoMirrorOfItself() throws Exception {
        try (Pair pair = Pair.open(Kind.TCP);
                KernelPipe pipe = KernelPipe.open()) {
            assertThatExceptionOfType(WritePendingException.class)
                    .isThrownBy(
                            () -> Pipeline.from(pair.near()).mirror(pipe.sink()).to(pipe.sink()));
            movesOneByte(pair, pipe);
        }
    }

    @Test
    void aSocketCanBeItsOwnSink() throws Exception {
        byte[] bytes = Bytes.random(SEED, 100_000);
        try (Pair pair = Pair.open(Kind.TCP)) {
            var echoing = Bytes.async(() -> {
                TransferResult result = Sluice.transfer(pair.near(), pair.near());
                pair.near().shutdownOutput();
                return result;
            });
            var writing = Bytes.async(() -> {
                Bytes.write(pair.far(), bytes, 1000);
                return pair.far().shutdownOutput();
            });
            assertThat(Bytes.readAll(pair.far())).isEqualTo(bytes);
            writing.get();
            assertThat(echoing.get().bytes()).isEqualTo(bytes.length);
        }
    }

    private static void movesOneByte(Pair pair, KernelPipe pipe) throws Exception {
        pair.far().write(ByteBuffer.allocate(1));
        assertThat(Sluice.transfer(pair.near(), pipe.sink(), 1).bytes()).isEqualTo(1);
        assertThat(pipe.read(ByteBuffer.allocate(8))).isEqualTo(1);
    }

    @Test
    void aSinkThatIsClosedMeanwhileIsReportedWithEveryByteAccountedFor() throws Exception {
        byte[] bytes = Bytes.random(SEED + 1, 3 << 20);
        for (Route route : new Route[] {Route.SPLICE, Route.COPY}) {
            try (Pair in = Pair.open(Kind.UNIX);
                    KernelPipe out = KernelPipe.open()) {
                var writing = Bytes.async(() -> {
                    Bytes.write(in.far(), bytes, bytes.length);
                    return in.far().shutdownOutput();
                });
                Parked<TransferResult> transfer = Parked.virtual(
                        () -> Pipeline.from(in.near()).route(route).to(out.sink()));
                out.closeSink();

                assertThat(transfer.failure()).isInstanceOfSatisfying(TransferException.class, e -> {
                    assertThat(e.reason()).isEqualTo(TransferException.Reason.CLOSED);
                    assertThat(e.side()).isEqualTo(Side.SINK);
                    assertThat(e.name()).isEqualTo(out.toString());
                    assertThat(e.getCause()).isInstanceOf(AsynchronousCloseException.class);
                    assertThat(e.unacknowledged()).isEqualTo(-1);
                    assertThat(e.getMessage()).startsWith(out.toString()).doesNotContain("\n");
                });
                TransferException failure = (TransferException) transfer.failure();
                byte[] whole =
                        concat(Bytes.readAll(out.source()), remaining(failure.residue()), Bytes.readAll(in.near()));
                assertThat(failure.accepted()).isPositive();
                assertThat(whole)
                        .as("accepted, then residue, then what is left")
                        .isEqualTo(bytes);
                writing.get();
            }
        }
    }

    @Test
    void theResidueAndTheSourceResumeAStreamWhoseSinkFailed() throws Exception {
        byte[] bytes = Bytes.random(SEED + 2, 2 << 20);
        try (Pair in = Pair.open(Kind.TCP);
                KernelPipe first = KernelPipe.open();
                KernelPipe second = KernelPipe.open()) {
            var writing = Bytes.async(() -> {
                Bytes.write(in.far(), bytes, bytes.length);
                return in.far().shutdownOutput();
            });
            Parked<TransferResult> transfer = Parked.virtual(() -> Sluice.transfer(in.near(), first.sink()));
            byte[] before = Bytes.read(first.source(), 100_000);
            first.closeSource();
            TransferException failure = (TransferException) transfer.failure();
            assertThat(failure.reason()).isEqualTo(TransferException.Reason.FAILED);
            assertThat(failure.side()).isEqualTo(Side.SINK);
            assertThat(failure.getMessage()).contains("EPIPE").contains("the peer has gone");

            var reading = Bytes.async(() -> Bytes.readAll(second.source()));
            second.write(failure.residue());
            long rest = Sluice.transfer(in.near(), second.sink()).bytes();
            second.closeSink();

            writing.get();
            int resumed = failure.residue().remaining() + Math.toIntExact(rest);
            assertThat(failure.accepted() + resumed).isEqualTo(bytes.length);
            assertThat(before).isEqualTo(Arrays.copyOf(bytes, before.length));
            assertThat(reading.get()).isEqualTo(Arrays.copyOfRange(bytes, bytes.length - resumed, bytes.length));
        }
    }

    @Test
    void aRouteThatIsImpossibleGivesWayToTheBestPossibleOne(@TempDir Path directory) throws Exception {
        byte[] bytes = Bytes.random(SEED + 3, 50_000);
        Path from = Files.write(directory.resolve("from"), bytes);
        Path to = Files.createFile(directory.resolve("to"));
        for (Route route : Route.values()) {
            try (Pair pair = Pair.open(Kind.TCP);
                    KernelFile file = KernelFile.open(from);
                    KernelFile copy = KernelFile.open(to, WRITE)) {
                var reading = Bytes.async(() -> Bytes.readAll(pair.far()));
                TransferResult sent = Pipeline.from(file).route(route).to(pair.near());
                pair.near().shutdownOutput();
                Route expected = route == Route.COPY_FILE_RANGE ? Route.SPLICE : route;
                assertThat(sent.route())
                        .as("asked for %s, %s", route, sent.reason())
                        .isEqualTo(expected);
                assertThat(reading.get()).isEqualTo(bytes);

                file.position(0);
                TransferResult copied = Pipeline.from(file).route(route).to(copy);
                assertThat(copied.route()).as(copied.reason()).isEqualTo(route);
                assertThat(Files.readAllBytes(to)).isEqualTo(bytes);
            }
        }
    }

    private static byte[] remaining(ByteBuffer buffer) {
        byte[] bytes = new byte[buffer.remaining()];
        buffer.get(bytes);
        return bytes;
    }

    private static byte[] concat(byte[]... parts) {
        ByteBuffer all = ByteBuffer.allocate(
                Arrays.stream(parts).mapToInt(part -> part.length).sum());
        Arrays.stream(parts).forEach(all::put);
        return all.array();
    }
}
