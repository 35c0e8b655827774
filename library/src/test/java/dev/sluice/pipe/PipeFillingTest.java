package dev.sluice.pipe;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.sluice.file.KernelFile;
import dev.sluice.internal.linux.Errno;
import dev.sluice.io.Side;
import dev.sluice.io.TransferException;
import dev.sluice.io.TransferException.Reason;
import dev.sluice.io.TransferResult;
import dev.sluice.testkit.Account;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Pair;
import dev.sluice.testkit.Parked;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.Pipe;
import java.nio.channels.ReadableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.Timeout.ThreadMode;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A pipe's {@code readFrom} and {@code writeTo}: to the end, to a limit, and to every other way of ending (Z6 to Z8). */
@ExtendWith(LeakCheck.class)
@Timeout(value = 60, threadMode = ThreadMode.SEPARATE_THREAD)
class PipeFillingTest {
    private static final long SEED = 6;
    private static final byte[] ELEVEN = "hello world".getBytes(US_ASCII);

    private static void assertSame(byte[] actual, byte[] expected) {
        assertThat(actual.length).isEqualTo(expected.length);
        assertThat(Arrays.mismatch(actual, expected)).as("first wrong byte").isEqualTo(-1);
    }

    @Test
    void readFromWaitsForBytesAndEndsWithTheSource() throws Exception {
        try (Pair pair = Pair.open(Pair.Kind.TCP);
                KernelPipe pipe = KernelPipe.open()) {
            Parked<TransferResult> reading = Parked.virtual(() -> pipe.readFrom(pair.near()));
            Bytes.write(pair.far(), ELEVEN, 11);
            pair.far().close();

            Account.splicedOrSmall(reading.get(), 11);
            assertThat(pipe.isOpen()).as("nothing is closed").isTrue();
            assertThat(Bytes.read(pipe, 11)).isEqualTo(ELEVEN);
        }
    }

    /** BlockedInWrite, disabled upstream as hard: full to the brim before it begins. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void readFromWaitsForRoom(boolean virtual) throws Exception {
        try (Pair pair = Pair.open(Pair.Kind.TCP);
                KernelPipe pipe = KernelPipe.open()) {
            byte[] before = Bytes.random(SEED, pipe.capacity());
            byte[] bytes = Bytes.random(SEED + 1, 3 * pipe.capacity() + 1);
            pipe.write(ByteBuffer.wrap(before));
            Bytes.write(pair.far(), bytes, bytes.length);
            pair.far().shutdownOutput();
            Bytes.Call<TransferResult> call = () -> {
                TransferResult result = pipe.readFrom(pair.near());
                pipe.closeSink();
                return result;
            };

            Parked<TransferResult> reading = virtual ? Parked.virtual(call) : Parked.platform(call);

            assertSame(Bytes.read(pipe, before.length), before);
            assertSame(Bytes.readAll(pipe), bytes);
            Account.splicedOrSmall(reading.get(), bytes.length);
        }
    }

    /** Finding 2: one pipeful is not all. */
    @Test
    void writeToGoesOnUntilThePipeIsClosedAndEmpty() throws Exception {
        try (Pair pair = Pair.open(Pair.Kind.UNIX);
                KernelPipe pipe = KernelPipe.open()) {
            byte[] bytes = Bytes.random(SEED + 2, 10 * pipe.capacity());
            Parked<TransferResult> writing = Parked.virtual(() -> pipe.writeTo(pair.near()));
            CompletableFuture<byte[]> received = Bytes.async(() -> Bytes.readAll(pair.far()));
            pipe.write(ByteBuffer.wrap(bytes));
            assertThat(writing.done()).as("the pipe is not closed yet").isFalse();
            pipe.closeSink();

            Account.addsUp(writing.get(), bytes.length);
            pair.near().shutdownOutput();
            assertSame(received.get(), bytes);
        }
    }

    /** Every kind of channel may be at the other side, and a pipe of a pipe, too. */
    @Test
    void thePipeTakesFromAndGivesToChannelsOfAllKinds(@TempDir Path directory) throws Exception {
        byte[] bytes = Bytes.random(SEED + 3, 200_000);
        Path path = Files.write(directory.resolve("source"), bytes);
        Pipe jdk = Pipe.open();
        try (KernelFile file = KernelFile.open(path);
                KernelPipe first = KernelPipe.open();
                KernelPipe second = KernelPipe.open();
                KernelPipe third = KernelPipe.open();
                Pipe.SourceChannel jdkSource = jdk.source();
                Pipe.SinkChannel jdkSink = jdk.sink()) {
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            CompletableFuture<TransferResult> one = Bytes.async(() -> closing(first, first.readFrom(file)));
            CompletableFuture<TransferResult> two = Bytes.async(() -> closing(second, second.readFrom(first)));
            CompletableFuture<TransferResult> three = Bytes.async(() -> {
                TransferResult result = second.writeTo(jdkSink);
                jdkSink.close();
                return result;
            });
            CompletableFuture<TransferResult> four = Bytes.async(() -> closing(third, third.readFrom(jdkSource)));
            TransferResult five = third.writeTo(Channels.newChannel(out));

            assertSame(out.toByteArray(), bytes);
            assertThat(five.bytes()).isEqualTo(bytes.length);
            for (CompletableFuture<TransferResult> each : List.of(one, two, three, four)) {
                Account.addsUp(each.get(), bytes.length);
            }
        }
    }

    private static TransferResult closing(KernelPipe pipe, TransferResult result) {
        pipe.closeSink();
        return result;
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 1024, 65_535, 65_536, 65_537, 100_000, 150_000})
    void aLimitOfReadFromIsExactAndTheRestStaysInTheSource(long limit) throws Exception {
        byte[] bytes = Bytes.random(SEED + 4, 150_000);
        try (Pair pair = Pair.open(Pair.Kind.UNIX);
                KernelPipe pipe = KernelPipe.open(1 << 20)) {
            CompletableFuture<Object> sending = Bytes.async(() -> {
                Bytes.write(pair.far(), bytes, 4096);
                return pair.far().shutdownOutput();
            });

            TransferResult result = pipe.readFrom(pair.near(), limit);

            Account.addsUp(result, limit);
            assertThat(pipe.available()).isEqualTo((int) limit);
            assertSame(Bytes.readAll(pair.near()), Arrays.copyOfRange(bytes, (int) limit, bytes.length));
            assertSame(Bytes.read(pipe, (int) limit), Arrays.copyOf(bytes, (int) limit));
            sending.get();
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 1024, 32_768, 49_999, 50_000})
    void aLimitOfWriteToIsExactAndTheRestStaysInThePipe(long limit) throws Exception {
        byte[] bytes = Bytes.random(SEED + 5, 50_000);
        try (Pair pair = Pair.open(Pair.Kind.UNIX);
                KernelPipe pipe = KernelPipe.open()) {
            pipe.write(ByteBuffer.wrap(bytes));

            TransferResult result = pipe.writeTo(pair.near(), limit);

            Account.addsUp(result, limit);
            assertThat(pipe.available()).isEqualTo(bytes.length - (int) limit);
            assertSame(Bytes.read(pair.far(), (int) limit), Arrays.copyOf(bytes, (int) limit));
            pipe.closeSink();
            assertSame(Bytes.readAll(pipe), Arrays.copyOfRange(bytes, (int) limit, bytes.length));
        }
    }

    /** updatesLimitedReaderN: what is left of a limit is the limit less what was moved. */
    @Test
    void aSourceThatEndsBeforeTheLimitSaysHowFarItCame() throws Exception {
        try (KernelPipe pipe = KernelPipe.open()) {
            ReadableByteChannel source = Channels.newChannel(new ByteArrayInputStream(new byte[4096]));
            assertThat(pipe.readFrom(source, 4196).bytes()).isEqualTo(4096);
            pipe.closeSink();
            assertThat(pipe.writeTo(Channels.newChannel(new ByteArrayOutputStream()), 4196)
                            .bytes())
                    .isEqualTo(4096);
        }
    }

    /** Z8, the exits that are failures: what was accepted, the residue and what is still in the source make the whole. */
    @ParameterizedTest
    @ValueSource(strings = {"closed", "interrupted", "broken"})
    void cutShortTheLimitIsNotExceededAndNothingIsLost(String how) throws Exception {
        byte[] bytes = Bytes.random(SEED + 6, 300_000);
        long limit = 200_000;
        try (Pair pair = Pair.open(Pair.Kind.UNIX);
                KernelPipe pipe = KernelPipe.open()) {
            CompletableFuture<Object> sending = Bytes.async(() -> {
                Bytes.write(pair.far(), bytes, 10_000);
                return pair.far().shutdownOutput();
            });
            Parked<TransferResult> reading = Parked.virtual(() -> pipe.readFrom(pair.near(), limit));
            ByteArrayOutputStream all = new ByteArrayOutputStream();
            if (!how.equals("broken")) {
                all.writeBytes(Bytes.read(pipe, 30_000));
            }
            switch (how) {
                case "closed" -> pipe.closeSink();
                case "interrupted" -> reading.thread().interrupt();
                default -> {
                    all.writeBytes(Bytes.read(pipe, pipe.available()));
                    pipe.closeSource();
                }
            }
            Throwable thrown = reading.failure();

            assertThat(thrown).isInstanceOfSatisfying(TransferException.class, e -> {
                assertThat(e.reason())
                        .isEqualTo(
                                switch (how) {
                                    case "closed" -> Reason.CLOSED;
                                    case "interrupted" -> Reason.INTERRUPTED;
                                    default -> Reason.FAILED;
                                });
                assertThat(e.accepted() + e.residue().remaining()).isLessThanOrEqualTo(limit);
                if (how.equals("broken")) {
                    assertThat(e.side()).isEqualTo(Side.SINK);
                    assertThat(e.errno()).isEqualTo(Errno.EPIPE);
                } else {
                    all.writeBytes(rest(pipe, (int) e.accepted() - all.size()));
                    byte[] residue = new byte[e.residue().remaining()];
                    e.residue().get(residue);
                    all.writeBytes(residue);
                    all.writeBytes(readAll(pair));
                    assertSame(all.toByteArray(), bytes);
                }
            });
            pair.near().close();
            sending.exceptionally(e -> null).get();
        }
    }

    private static byte[] rest(KernelPipe pipe, int length) {
        try {
            return Bytes.read(pipe.source(), length);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static byte[] readAll(Pair pair) {
        try {
            return Bytes.readAll(pair.near());
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    /** Half-close by each end, while the other side of the transfer waits. */
    @Test
    void closingTheSinkEndEndsAWriteToThatWaits() throws Exception {
        try (KernelPipe pipe = KernelPipe.open()) {
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            pipe.write(ByteBuffer.wrap(ELEVEN));
            Parked<TransferResult> writing = Parked.platform(() -> pipe.writeTo(Channels.newChannel(out)));
            pipe.closeSink();
            assertThat(writing.get().bytes()).isEqualTo(11);
            assertThat(out.toByteArray()).isEqualTo(ELEVEN);
        }
    }

    @Test
    void closingTheSourceEndFailsAWriteToThatWaits() throws Exception {
        try (Pair pair = Pair.open(Pair.Kind.TCP);
                KernelPipe pipe = KernelPipe.open()) {
            Parked<TransferResult> writing = Parked.virtual(() -> pipe.writeTo(pair.near()));
            pipe.closeSource();
            assertThat(writing.failure()).isInstanceOfSatisfying(TransferException.class, e -> {
                assertThat(e.reason()).isEqualTo(Reason.CLOSED);
                assertThat(e.side()).isEqualTo(Side.SOURCE);
            });
        }
    }

    @Test
    void closedAndNegativeAreRefusedAtOnce() throws Exception {
        try (KernelPipe pipe = KernelPipe.open();
                KernelPipe other = KernelPipe.open()) {
            assertThatIllegalArgumentException().isThrownBy(() -> pipe.readFrom(other, -1));
            assertThatIllegalArgumentException().isThrownBy(() -> pipe.writeTo(other, -1));
            other.close();
            assertThatExceptionOfType(ClosedChannelException.class).isThrownBy(() -> pipe.readFrom(other));
            assertThatExceptionOfType(ClosedChannelException.class).isThrownBy(() -> pipe.writeTo(other));
            assertThatExceptionOfType(ClosedChannelException.class).isThrownBy(() -> other.readFrom(pipe));
            assertThatExceptionOfType(ClosedChannelException.class).isThrownBy(() -> other.writeTo(pipe));
        }
    }
}
