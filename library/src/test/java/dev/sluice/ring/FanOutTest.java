package dev.sluice.ring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.file.KernelFile;
import dev.sluice.io.SluiceException;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Pair;
import dev.sluice.testkit.Parked;
import java.io.InterruptedIOException;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.Channels;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** One buffer, many sinks; also run without a ring, see {@link WithoutRingTest}. */
@Timeout(60)
@ExtendWith(LeakCheck.class)
class FanOutTest {
    @TempDir
    Path directory;

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    @DisplayName("U33: three files and twenty sockets get the same bytes; the buffer stays as it was")
    void everybodyGetsEverything(boolean direct) throws Exception {
        byte[] content = Bytes.random(1, 300_000);
        ByteBuffer buffer = direct ? ByteBuffer.allocateDirect(content.length) : ByteBuffer.allocate(content.length);
        buffer.put(content).flip();
        List<WritableByteChannel> sinks = new ArrayList<>();
        List<Pair> pairs = new ArrayList<>();
        List<CompletableFuture<byte[]>> readers = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            sinks.add(KernelFile.open(
                    directory.resolve("file" + i), StandardOpenOption.WRITE, StandardOpenOption.CREATE));
        }
        for (int i = 0; i < 20; i++) {
            Pair pair = Pair.open(i % 2 == 0 ? Pair.Kind.TCP : Pair.Kind.ABSTRACT);
            pairs.add(pair);
            sinks.add(pair.near());
            readers.add(Bytes.async(() -> Bytes.read(pair.far(), 2 * content.length)));
        }
        SharedRing ring = SharedRing.shared();
        for (int round = 0; round < 2; round++) {
            List<Delivery> deliveries = ring.fanOut(buffer, Duration.ofSeconds(30), sinks);
            assertThat(deliveries).hasSize(23).allMatch(Delivery::complete);
            assertThat(deliveries).extracting(Delivery::sink).containsExactlyElementsOf(sinks);
            assertThat(deliveries.stream().mapToInt(Delivery::bytes).sum()).isEqualTo(23 * content.length);
            assertThat(buffer.position()).isZero();
        }
        for (CompletableFuture<byte[]> reader : readers) {
            byte[] found = reader.get();
            assertThat(Arrays.mismatch(found, 0, content.length, content, 0, content.length))
                    .isEqualTo(-1);
            assertThat(Arrays.mismatch(found, content.length, 2 * content.length, content, 0, content.length))
                    .isEqualTo(-1);
        }
        for (WritableByteChannel sink : sinks) {
            sink.close();
        }
        pairs.forEach(Pair::close);
        for (int i = 0; i < 3; i++) {
            byte[] found = Files.readAllBytes(directory.resolve("file" + i));
            assertThat(found).hasSize(2 * content.length);
            assertThat(Arrays.mismatch(found, 0, content.length, content, 0, content.length))
                    .isEqualTo(-1);
        }
        assertThat(ring.fanOut(buffer, Duration.ZERO, List.of())).isEmpty();
    }

    @Test
    @DisplayName("little that the sockets take at once: the caller sends it, and the ring is not entered")
    void littleAtOnce() throws Exception {
        byte[] content = Bytes.random(2, 1000);
        List<Pair> pairs = new ArrayList<>();
        try (SharedRing ring = SharedRing.open(8)) {
            List<WritableByteChannel> sinks = new ArrayList<>();
            for (int i = 0; i < 20; i++) {
                Pair pair = Pair.open(i % 2 == 0 ? Pair.Kind.TCP : Pair.Kind.ABSTRACT);
                pairs.add(pair);
                sinks.add(pair.near());
            }
            // The ring's thread goes to sleep meanwhile.
            ring.fanOut(ByteBuffer.allocate(1), Duration.ofSeconds(30), sinks);
            long before = ring.systemCalls();
            assertThat(ring.fanOut(ByteBuffer.wrap(content), Duration.ofSeconds(30), sinks))
                    .allMatch(Delivery::complete);
            assertThat(ring.systemCalls() - before).isLessThanOrEqualTo(1);
            for (Pair pair : pairs) {
                byte[] found = Bytes.read(pair.far(), 1 + content.length);
                assertThat(Arrays.mismatch(found, 1, 1 + content.length, content, 0, content.length))
                        .isEqualTo(-1);
            }
        } finally {
            pairs.forEach(Pair::close);
        }
    }

    @Test
    @DisplayName("a slow sink is cut off at the deadline, with its count; a dead and a closed one are told apart")
    void slowAndDead() throws Exception {
        ByteBuffer buffer = ByteBuffer.allocateDirect(32 << 20);
        try (Pair slow = Pair.open(Pair.Kind.TCP);
                Pair dead = Pair.open(Pair.Kind.ABSTRACT);
                Pair closed = Pair.open(Pair.Kind.TCP);
                Pair good = Pair.open(Pair.Kind.TCP)) {
            dead.far().close();
            closed.near().close();
            CompletableFuture<byte[]> reader = Bytes.async(() -> Bytes.read(good.far(), 32 << 20));
            List<WritableByteChannel> sinks = List.of(slow.near(), dead.near(), closed.near(), good.near());
            List<Delivery> deliveries = SharedRing.shared().fanOut(buffer, Duration.ofMillis(700), sinks);
            Delivery late = deliveries.get(0);
            assertThat(late.failure()).isInstanceOf(SocketTimeoutException.class);
            assertThat(late.bytes()).isPositive().isLessThan(32 << 20);
            assertThat(deliveries.get(1).failure())
                    .isInstanceOf(SluiceException.class)
                    .hasMessageContaining("EPIPE");
            assertThat(deliveries.get(2).failure()).isInstanceOf(ClosedChannelException.class);
            if (deliveries.get(3).complete()) {
                reader.get();
            }
            slow.near().shutdownOutput();
            assertThat(Bytes.readAll(slow.far())).hasSize(late.bytes());
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    @DisplayName("an interrupt or a close of the sink ends the wait, and the descriptor is free afterwards")
    void interruptAndClose(boolean interrupt) throws Exception {
        ByteBuffer buffer = ByteBuffer.allocate(32 << 20);
        try (Pair pair = Pair.open(Pair.Kind.TCP)) {
            Parked<List<Delivery>> call =
                    Parked.platform(() -> SharedRing.shared().fanOut(buffer, Duration.ZERO, List.of(pair.near())));
            if (interrupt) {
                call.thread().interrupt();
            } else {
                pair.near().close();
            }
            Delivery delivery = call.get().getFirst();
            assertThat(delivery.failure())
                    .isInstanceOf(interrupt ? InterruptedIOException.class : AsynchronousCloseException.class);
            if (interrupt) {
                CompletableFuture<byte[]> rest = Bytes.async(() -> Bytes.read(pair.far(), delivery.bytes() + 1));
                pair.near().write(ByteBuffer.wrap(new byte[] {9}));
                assertThat(rest.get()[delivery.bytes()]).isEqualTo((byte) 9);
            }
        }
    }

    @Test
    @DisplayName("channels of others are refused")
    void foreign() throws Exception {
        WritableByteChannel other = Channels.newChannel(new java.io.ByteArrayOutputStream());
        assertThatThrownBy(() -> SharedRing.shared().fanOut(ByteBuffer.allocate(1), Duration.ZERO, List.of(other)))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
