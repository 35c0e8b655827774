package dev.sluice.net;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Means;
import dev.sluice.testkit.Pair;
import dev.sluice.testkit.Pair.Kind;
import dev.sluice.testkit.Parked;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.foreign.Arena;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.ReadPendingException;
import java.nio.channels.WritePendingException;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.Timeout.ThreadMode;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What ends the wait of a reader or writer: bytes, room, time, an interrupt, a close. */
@ParameterizedClass
@EnumSource(Means.class)
@ExtendWith(LeakCheck.class)
@Timeout(value = 30, threadMode = ThreadMode.SEPARATE_THREAD)
class SocketWaitTest {
    private static final int MUCH = 32 << 20;

    private final Means means;

    SocketWaitTest(Means means) throws IOException {
        this.means = means.orSkip();
    }

    private static <T> Parked<T> park(boolean virtual, Bytes.Call<T> call) throws InterruptedException {
        return virtual ? Parked.virtual(call) : Parked.platform(call);
    }

    @ParameterizedTest
    @EnumSource
    void aReaderThatWaitsGetsWhatComes(Kind kind) throws Exception {
        try (Pair pair = Pair.open(kind, means)) {
            ByteBuffer buffer = ByteBuffer.allocate(10);
            Parked<Integer> reading = Parked.virtual(() -> pair.near().read(buffer));
            pair.far().write(ByteBuffer.wrap(new byte[] {1, 2, 3}));
            assertThat(reading.get()).isEqualTo(3);
            assertThat(buffer.flip()).isEqualTo(ByteBuffer.wrap(new byte[] {1, 2, 3}));
        }
    }

    @ParameterizedTest
    @EnumSource
    void aWriterThatWaitsGoesOnWhenThereIsRoom(Kind kind) throws Exception {
        byte[] bytes = Bytes.random(99, MUCH);
        try (Pair pair = Pair.open(kind, means)) {
            Parked<Integer> writing = Parked.platform(() -> pair.near().write(ByteBuffer.wrap(bytes)));
            assertThat(Bytes.read(pair.far(), MUCH)).isEqualTo(bytes);
            assertThat(writing.get()).isEqualTo(MUCH);
        }
    }

    @Test
    void aReadTimeoutEndsOneReadAndNotTheSocket() throws Exception {
        try (Pair pair = Pair.open(Kind.TCP, means)) {
            pair.near().readTimeout(Duration.ofMillis(30));
            assertThatExceptionOfType(SocketTimeoutException.class)
                    .isThrownBy(() -> pair.near().read(ByteBuffer.allocate(1)))
                    .withMessageContaining(pair.near().remoteEndpoint().toString());
            assertThat(pair.near().isOpen()).isTrue();

            pair.near().readTimeout(Duration.ZERO);
            Parked<Integer> reading = Parked.virtual(() -> pair.near().read(ByteBuffer.allocate(1)));
            pair.far().write(ByteBuffer.allocate(1));
            assertThat(reading.get()).isEqualTo(1);
        }
    }

    @Test
    void aWriteTimeoutLeavesThePositionAfterWhatWasAccepted() throws Exception {
        byte[] bytes = Bytes.random(100, MUCH);
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        try (Pair pair = Pair.open(Kind.UNIX, means)) {
            pair.near().writeTimeout(Duration.ofMillis(30));
            assertThatExceptionOfType(SocketTimeoutException.class)
                    .isThrownBy(() -> pair.near().write(buffer));
            int accepted = buffer.position();
            assertThat(accepted).isBetween(1, MUCH - 1);

            pair.near().writeTimeout(Duration.ZERO);
            CompletableFuture<byte[]> reading = Bytes.async(() -> Bytes.read(pair.far(), MUCH));
            assertThat(pair.near().write(buffer)).isEqualTo(MUCH - accepted);
            assertThat(reading.get()).isEqualTo(bytes);
        }
    }

    @ParameterizedTest
    @CsvSource({"TCP,true", "TCP,false", "UNIX,true", "UNIX,false"})
    void aCloseWakesTheReaderAndTheWriter(Kind kind, boolean virtual) throws Exception {
        try (Pair pair = Pair.open(kind, means)) {
            Parked<Integer> reading = park(virtual, () -> pair.near().read(ByteBuffer.allocate(1)));
            Parked<Integer> writing = park(virtual, () -> pair.near().write(ByteBuffer.allocate(MUCH)));
            pair.near().close();
            assertThat(reading.failure()).isExactlyInstanceOf(AsynchronousCloseException.class);
            assertThat(writing.failure()).isExactlyInstanceOf(AsynchronousCloseException.class);
        }
    }

    @ParameterizedTest
    @CsvSource({"true,true", "true,false", "false,true", "false,false"})
    void anInterruptEndsTheWaitKeepsTheStatusAndLeavesTheSocketUsable(boolean virtual, boolean direct)
            throws Exception {
        try (Pair pair = Pair.open(Kind.TCP, means)) {
            ByteBuffer buffer = direct ? ByteBuffer.allocateDirect(8) : ByteBuffer.allocate(8);
            Parked<Boolean> reading = park(virtual, () -> {
                assertThatExceptionOfType(InterruptedIOException.class)
                        .isThrownBy(() -> pair.near().read(buffer));
                return Thread.currentThread().isInterrupted();
            });
            reading.thread().interrupt();
            assertThat(reading.get()).as("the interrupt status").isTrue();

            assertThat(pair.near().isOpen()).isTrue();
            pair.far().write(ByteBuffer.allocate(8));
            assertThat(Bytes.read(pair.near(), 8)).hasSize(8);
        }
    }

    @Test
    void anInterruptedWriterKnowsHowMuchWasAccepted() throws Exception {
        byte[] bytes = Bytes.random(101, MUCH);
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        try (Pair pair = Pair.open(Kind.TCP, means)) {
            Parked<Integer> writing = Parked.platform(() -> pair.near().write(buffer));
            writing.thread().interrupt();
            assertThat(writing.failure()).isInstanceOf(InterruptedIOException.class);

            CompletableFuture<byte[]> reading = Bytes.async(() -> Bytes.read(pair.far(), MUCH));
            pair.near().write(buffer);
            assertThat(reading.get()).isEqualTo(bytes);
        }
    }

    @Test
    void aThreadInterruptedBeforehandReadsWhatIsThereAndWaitsForNothing() throws Exception {
        try (Pair pair = Pair.open(Kind.UNIX, means)) {
            pair.far().write(ByteBuffer.allocate(1));
            Bytes.async(() -> {
                        Thread.currentThread().interrupt();
                        assertThat(pair.near().read(ByteBuffer.allocate(1))).isEqualTo(1);
                        assertThatExceptionOfType(InterruptedIOException.class)
                                .isThrownBy(() -> pair.near().read(ByteBuffer.allocate(1)));
                        return null;
                    })
                    .get();
        }
    }

    @Test
    void aSecondReaderOrWriterIsRefusedAndTheFirstGoesOn() throws Exception {
        try (Pair pair = Pair.open(Kind.TCP, means)) {
            Parked<Integer> reading = Parked.virtual(() -> pair.near().read(ByteBuffer.allocate(1)));
            Parked<Integer> writing = Parked.virtual(() -> pair.near().write(ByteBuffer.allocate(MUCH)));
            assertThatExceptionOfType(ReadPendingException.class)
                    .isThrownBy(() -> pair.near().read(ByteBuffer.allocate(1)));
            assertThatExceptionOfType(WritePendingException.class)
                    .isThrownBy(() -> pair.near().write(ByteBuffer.allocate(1)));

            pair.far().write(ByteBuffer.allocate(1));
            assertThat(reading.get()).isEqualTo(1);
            assertThat(Bytes.read(pair.far(), MUCH)).hasSize(MUCH);
            assertThat(writing.get()).isEqualTo(MUCH);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aSecondWriterIsRefusedUntilTheFirstHasWrittenItAll(boolean direct) throws Exception {
        try (Pair pair = Pair.open(Kind.TCP, means)) {
            ByteBuffer much = direct ? ByteBuffer.allocateDirect(MUCH) : ByteBuffer.allocate(MUCH);
            Parked<Integer> first = Parked.virtual(() -> pair.near().write(much));
            CompletableFuture<byte[]> reading = Bytes.async(() -> Bytes.readAll(pair.far()));
            ByteBuffer second = ByteBuffer.wrap(new byte[] {1});
            while (second.hasRemaining()) {
                try {
                    pair.near().write(second);
                } catch (WritePendingException e) {
                    Thread.onSpinWait();
                }
            }
            first.get();
            pair.near().shutdownOutput();
            byte[] expected = new byte[MUCH + 1];
            expected[MUCH] = 1;
            assertThat(Arrays.mismatch(reading.get(), expected)).isEqualTo(-1);
        }
    }

    /** The JDK's channels keep the memory of a buffer alive while they use it; nothing less will do here. */
    @Test
    void memoryThatAParkedReadUsesIsNotWrittenToAfterItsArenaWasClosed() throws Exception {
        assumeTrue(means == Means.READINESS, "a ring has the address from the start: its callers keep the arena open");
        try (Pair pair = Pair.open(Kind.TCP, means)) {
            // So large that it is unmapped when freed: a read into it fails instead of spoiling the heap.
            Arena arena = Arena.ofShared();
            ByteBuffer buffer = arena.allocate(64 << 20).asByteBuffer();
            Parked<Integer> reading = Parked.virtual(() -> pair.near().read(buffer));
            boolean closed = closes(arena);
            pair.far().write(ByteBuffer.allocate(1));
            if (closed) {
                assertThat(reading.failure()).isInstanceOf(IllegalStateException.class);
            } else {
                assertThat(reading.get()).isEqualTo(1);
                arena.close();
            }
        }
    }

    private static boolean closes(Arena arena) {
        try {
            arena.close();
            return true;
        } catch (IllegalStateException e) {
            return false;
        }
    }
}
