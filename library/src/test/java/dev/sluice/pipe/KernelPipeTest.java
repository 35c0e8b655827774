package dev.sluice.pipe;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.sluice.internal.linux.Errno;
import dev.sluice.io.SluiceException;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Parked;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ReadPendingException;
import java.nio.channels.WritePendingException;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.Timeout.ThreadMode;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Reading, writing and closing the two ends. */
@ExtendWith(LeakCheck.class)
@Timeout(value = 30, threadMode = ThreadMode.SEPARATE_THREAD)
class KernelPipeTest {
    private static final long SEED = 5150;
    private static final byte[] HELLO = "hello".getBytes(US_ASCII);

    static IntStream sizes() {
        return IntStream.of(1, 2, 4095, 4096, 4097, 65535, 65536, 65537, 1 << 20);
    }

    @ParameterizedTest
    @MethodSource("sizes")
    void heapBuffersComeThroughWhole(int size) throws Exception {
        byte[] bytes = Bytes.random(SEED, size);

        comesThrough(ByteBuffer.wrap(bytes), ByteBuffer.allocate(size), bytes);
    }

    @ParameterizedTest
    @MethodSource("sizes")
    void directBuffersComeThroughWhole(int size) throws Exception {
        byte[] bytes = Bytes.random(SEED + 1, size);

        comesThrough(ByteBuffer.allocateDirect(size).put(bytes).flip(), ByteBuffer.allocateDirect(size), bytes);
    }

    @ParameterizedTest
    @MethodSource("sizes")
    void readOnlyBuffersCanBeWritten(int size) throws Exception {
        byte[] bytes = Bytes.random(SEED + 2, size);

        comesThrough(ByteBuffer.wrap(bytes).asReadOnlyBuffer(), ByteBuffer.allocate(size), bytes);
        comesThrough(
                ByteBuffer.allocateDirect(size).put(bytes).flip().asReadOnlyBuffer(), ByteBuffer.allocate(size), bytes);
    }

    @Test
    void onlyThePartBetweenPositionAndLimitIsMoved() throws Exception {
        byte[] bytes = Bytes.random(SEED + 3, 1000);
        ByteBuffer out = ByteBuffer.wrap(bytes)
                .position(100)
                .limit(900)
                .slice()
                .position(10)
                .limit(700);
        ByteBuffer in = ByteBuffer.allocateDirect(1000).position(50).limit(740);
        try (KernelPipe pipe = KernelPipe.open()) {
            assertThat(pipe.write(out)).isEqualTo(690);
            assertThat(out.position()).isEqualTo(700);
            assertThat(pipe.read(in)).isEqualTo(690);
            assertThat(in.position()).isEqualTo(740);
            assertThat(in.limit()).isEqualTo(740);
            byte[] arrived = new byte[690];
            in.get(50, arrived);
            assertThat(ByteBuffer.wrap(arrived)).isEqualTo(ByteBuffer.wrap(bytes, 110, 690));
        }
    }

    private static void comesThrough(ByteBuffer out, ByteBuffer in, byte[] expected) throws Exception {
        try (KernelPipe pipe = KernelPipe.open()) {
            CompletableFuture<Integer> writing = Bytes.async(() -> pipe.write(out));
            while (in.hasRemaining()) {
                int before = in.position();
                assertThat(pipe.read(in)).isPositive().isEqualTo(in.position() - before);
            }
            assertThat(writing.get()).isEqualTo(expected.length);
            assertThat(out.hasRemaining()).isFalse();
            assertThat(in.flip()).isEqualTo(ByteBuffer.wrap(expected));
        }
    }

    @Test
    void aBufferWithoutRoomReadsNothingAtOnce() throws Exception {
        try (KernelPipe pipe = KernelPipe.open()) {
            assertThat(pipe.read(ByteBuffer.allocate(0))).isZero();
            assertThat(pipe.read(ByteBuffer.allocateDirect(0))).isZero();
            assertThat(pipe.write(ByteBuffer.allocate(0))).isZero();
            assertThat(pipe.write(ByteBuffer.allocateDirect(0))).isZero();
            assertThat(pipe.available()).isZero();
        }
    }

    @Test
    void readingIntoAReadOnlyBufferIsRefusedAndTakesNothing() throws Exception {
        try (KernelPipe pipe = KernelPipe.open()) {
            pipe.write(ByteBuffer.wrap(HELLO));

            assertThatExceptionOfType(IllegalArgumentException.class)
                    .isThrownBy(() -> pipe.read(ByteBuffer.allocate(10).asReadOnlyBuffer()));
            assertThat(pipe.available()).isEqualTo(5);
        }
    }

    @Test
    void theEndsAreChannelsOfTheirOwn() throws Exception {
        try (KernelPipe pipe = KernelPipe.open()) {
            pipe.sink().write(ByteBuffer.wrap(HELLO));
            pipe.sink().close();

            assertThat(pipe.sink().isOpen()).isFalse();
            assertThat(pipe.source().isOpen()).isTrue();
            assertThat(pipe.isOpen()).isFalse();
            assertThat(Bytes.readAll(pipe.source())).isEqualTo(HELLO);
            pipe.source().close();
            assertThat(pipe.source().isOpen()).isFalse();
        }
    }

    @Test
    void afterCloseSinkTheReaderGetsTheRestAndThenTheEnd() throws Exception {
        try (KernelPipe pipe = KernelPipe.open()) {
            pipe.write(ByteBuffer.wrap(HELLO));
            pipe.closeSink();

            assertThat(Bytes.readAll(pipe)).isEqualTo(HELLO);
            assertThat(pipe.read(ByteBuffer.allocate(1))).isEqualTo(-1);
            assertThatExceptionOfType(ClosedChannelException.class)
                    .isThrownBy(() -> pipe.write(ByteBuffer.allocate(1)));
        }
    }

    @Test
    void afterCloseSourceTheWriterGetsABrokenPipe() throws Exception {
        try (KernelPipe pipe = KernelPipe.open()) {
            pipe.closeSource();

            assertThatExceptionOfType(SluiceException.class)
                    .isThrownBy(() -> pipe.write(ByteBuffer.wrap(HELLO)))
                    .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.EPIPE))
                    .withMessageContaining("EPIPE")
                    .withMessageContaining(pipe.toString());
            assertThatExceptionOfType(ClosedChannelException.class).isThrownBy(() -> pipe.read(ByteBuffer.allocate(1)));
        }
    }

    @Test
    void closingTwiceIsClosingOnceAndNothingWorksAfterwards() throws Exception {
        KernelPipe pipe = KernelPipe.open();
        pipe.close();
        pipe.close();

        assertThat(pipe.isOpen()).isFalse();
        assertThatExceptionOfType(ClosedChannelException.class).isThrownBy(() -> pipe.read(ByteBuffer.allocate(1)));
        assertThatExceptionOfType(ClosedChannelException.class).isThrownBy(() -> pipe.write(ByteBuffer.allocate(1)));
        assertThatExceptionOfType(ClosedChannelException.class).isThrownBy(pipe::capacity);
        assertThatExceptionOfType(ClosedChannelException.class).isThrownBy(pipe::available);
        assertThatExceptionOfType(ClosedChannelException.class).isThrownBy(() -> pipe.resize(4096));
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void closingASideWakesTheOneWhoWaitsOnIt(boolean reader) throws Exception {
        try (KernelPipe pipe = KernelPipe.open()) {
            Parked<Integer> waiting = Parked.virtual(() ->
                    reader ? pipe.read(ByteBuffer.allocate(1)) : pipe.write(ByteBuffer.allocate(pipe.capacity() + 1)));
            if (reader) {
                pipe.closeSource();
            } else {
                pipe.closeSink();
            }
            assertThat(waiting.failure()).isInstanceOf(AsynchronousCloseException.class);
        }
    }

    @Test
    void closingTheOtherSideEndsTheWaitOfAReader() throws Exception {
        try (KernelPipe pipe = KernelPipe.open()) {
            Parked<Integer> waiting = Parked.platform(() -> pipe.read(ByteBuffer.allocate(1)));
            pipe.closeSink();
            assertThat(waiting.get()).isEqualTo(-1);
        }
    }

    @Test
    void closingTheOtherSideFailsTheWaitOfAWriterWhoseBufferTellsHowMuchWasAccepted() throws Exception {
        try (KernelPipe pipe = KernelPipe.open()) {
            int capacity = pipe.capacity();
            ByteBuffer buffer = ByteBuffer.allocate(capacity + 1);
            Parked<Integer> waiting = Parked.platform(() -> pipe.write(buffer));
            pipe.closeSource();
            assertThat(waiting.failure())
                    .isInstanceOfSatisfying(
                            SluiceException.class, e -> assertThat(e.errno()).isEqualTo(Errno.EPIPE));
            assertThat(buffer.position()).isEqualTo(capacity);
        }
    }

    @Test
    void thereIsOneReaderAndOneWriterAtATime() throws Exception {
        try (KernelPipe pipe = KernelPipe.open()) {
            Parked<Integer> reading = Parked.virtual(() -> pipe.read(ByteBuffer.allocate(1)));
            assertThatExceptionOfType(ReadPendingException.class).isThrownBy(() -> pipe.read(ByteBuffer.allocate(1)));
            pipe.write(ByteBuffer.allocate(1));
            assertThat(reading.get()).isEqualTo(1);

            Parked<Integer> writing = Parked.virtual(() -> pipe.write(ByteBuffer.allocate(pipe.capacity() + 1)));
            assertThatExceptionOfType(WritePendingException.class).isThrownBy(() -> pipe.write(ByteBuffer.allocate(1)));
            int all = pipe.capacity() + 1;
            assertThat(Bytes.read(pipe, all)).hasSize(all);
            assertThat(writing.get()).isEqualTo(all);
        }
    }
}
