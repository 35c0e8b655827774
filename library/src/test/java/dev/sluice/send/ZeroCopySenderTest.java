package dev.sluice.send;

import static dev.sluice.send.Sending.LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.Sluice;
import dev.sluice.send.SendReceipt.Custody;
import dev.sluice.send.SendReceipt.Path;
import dev.sluice.send.ZeroCopySender.Policy;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.Child;
import dev.sluice.testkit.JdkPair;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Pair;
import dev.sluice.testkit.Parked;
import java.io.ByteArrayInputStream;
import java.io.InterruptedIOException;
import java.net.InetSocketAddress;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.Channel;
import java.nio.channels.Channels;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.DatagramChannel;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.channels.WritePendingException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@ExtendWith(LeakCheck.class)
@Timeout(60)
class ZeroCopySenderTest {
    private static final int SIZE = 100_000;

    /** The tests are also run with a ring, see {@link RingSenderTest}. */
    ZeroCopySender.Builder over(Channel channel) throws Exception {
        return ZeroCopySender.over(channel);
    }

    private ZeroCopySender open(Channel channel) throws Exception {
        return over(channel).open();
    }

    private ZeroCopySender always(Channel channel) throws Exception {
        return over(channel).policy(Policy.ALWAYS).open();
    }

    @ParameterizedTest
    @EnumSource(Pair.Kind.class)
    @DisplayName("M2, M6, M11, #9: the same leases and receipts over TCP of both families and Unix sockets")
    void everyKindOfSocket(Pair.Kind kind) throws Exception {
        boolean unix = kind == Pair.Kind.UNIX || kind == Pair.Kind.ABSTRACT;
        try (Pair pair = Pair.open(kind);
                BufferPool pool = BufferPool.open(SIZE, 3);
                ZeroCopySender sender = always(pair.near())) {
            CompletableFuture<byte[]> received = Bytes.async(() -> Bytes.readAll(pair.far()));
            List<SendReceipt> receipts = new ArrayList<>();
            for (int i = 0; i < 50; i++) {
                receipts.add(sender.send(Sending.filled(pool, i, SIZE - i)));
            }
            for (SendReceipt receipt : receipts) {
                Sending.assertReleased(receipt);
                assertThat(receipt.stage()).isGreaterThanOrEqualTo(Stage.QUEUED);
                assertThat(receipt.path()).isNotEqualTo(Path.ZERO_COPY);
            }
            assertThat(receipts.getFirst().path())
                    .as("loopback copies, and says so")
                    .isEqualTo(Path.COPIED);
            assertThat(sender.supportedStages().contains(Stage.ACKED)).isEqualTo(!unix);
            ZeroCopySender.Stats stats = sender.stats();
            assertThat(stats.sends()).isEqualTo(50);
            assertThat(stats.inFlight()).isZero();
            assertThat(stats.inFlightBytes()).isZero();
            assertThat(stats.zeroCopyCalls() > 0).isEqualTo(!unix);
            assertThat(stats.reason()).contains(unix ? ": EOPNOTSUPP" : "copied");
            assertThat(pool.stats().free()).isEqualTo(3);
            assertThat(sender.close(LONG)).isTrue();
            byte[] all = received.get();
            int at = 0;
            for (int i = 0; i < 50; i++) {
                Sending.assertSame(java.util.Arrays.copyOfRange(all, at, at += SIZE - i), Bytes.random(i, SIZE - i));
            }
            assertThat(at).isEqualTo(all.length);
            assertThat(pair.near().isOpen()).isFalse();
        }
    }

    @Test
    @DisplayName("M1, J6: a SocketChannel of the JDK, as it is, reading meanwhile")
    void adoptedChannel() throws Exception {
        try (JdkPair pair = JdkPair.open();
                BufferPool pool = BufferPool.open(SIZE, 2)) {
            ZeroCopySender sender = always(pair.near());
            assertThat(pair.near().isBlocking()).isTrue();
            CompletableFuture<Integer> reading = Bytes.async(() -> pair.near().read(ByteBuffer.allocate(10)));
            CompletableFuture<byte[]> received = Bytes.async(() -> Bytes.readAll(pair.far()));
            for (int i = 0; i < 20; i++) {
                sender.send(Sending.filled(pool, i, SIZE));
            }
            pair.far().write(ByteBuffer.allocate(3));
            assertThat(reading.get()).isEqualTo(3);
            sender.close();
            assertThat(pair.near().isOpen()).isFalse();
            assertThat(received.get()).hasSize(20 * SIZE);
            assertThat(sender.stats().zeroCopyCalls()).isPositive();
        }
    }

    @Test
    @DisplayName("channels of the JDK have senders also where the runtime has no module but java.base")
    void withoutOtherModules() throws Exception {
        Child child = Child.run(Child.command(List.of(), List.of("--limit-modules=java.base"), BareRuntime.class));
        assertThat(child.exit()).as(child.toString()).isZero();
        assertThat(child.out()).contains("stream COPIED 1", "datagram COPIED 1");
    }

    static final class BareRuntime {
        public static void main(String[] arguments) throws Exception {
            try (JdkPair pair = JdkPair.open();
                    DatagramChannel far = DatagramChannel.open().bind(new InetSocketAddress("127.0.0.1", 0));
                    DatagramChannel near = DatagramChannel.open().connect(far.getLocalAddress())) {
                send("stream", pair.near(), pair.far());
                send("datagram", near, far);
            }
        }

        private static void send(String what, Channel near, ReadableByteChannel far) throws Exception {
            try (BufferPool pool = BufferPool.open(1000, 1);
                    ZeroCopySender sender =
                            ZeroCopySender.over(near).policy(Policy.ALWAYS).open()) {
                SendReceipt receipt = sender.send(pool.lease().length(1000));
                if (far instanceof DatagramChannel datagrams) {
                    datagrams.receive(ByteBuffer.allocate(1000));
                } else {
                    far.read(ByteBuffer.allocate(1000));
                }
                receipt.awaitReleased(LONG);
                System.out.println(
                        what + " " + receipt.path() + " " + sender.stats().zeroCopyCalls());
            }
        }
    }

    @Test
    @DisplayName("UDP: a connected DatagramChannel; one buffer is one message, with a header in front of it")
    void datagrams() throws Exception {
        try (DatagramChannel far = DatagramChannel.open().bind(new InetSocketAddress("127.0.0.1", 0));
                DatagramChannel near = DatagramChannel.open();
                BufferPool pool = BufferPool.open(60_000, 4)) {
            assertThatThrownBy(() -> open(near)).hasMessageContaining("out of reach");
            near.connect(far.getLocalAddress());
            try (ZeroCopySender sender = always(near)) {
                ByteBuffer message = ByteBuffer.allocate(70_000);
                for (int i = 0; i < 20; i++) {
                    int length = i * 3000;
                    SendReceipt receipt = sender.send(Sending.filled(pool, i, length), Stage.ON_WIRE);
                    far.receive(message.clear());
                    Sending.assertSame(
                            java.util.Arrays.copyOf(message.array(), message.position()), Bytes.random(i, length));
                    Sending.assertReleased(receipt);
                    assertThat(receipt.await(Stage.ON_WIRE, LONG)).isTrue();
                    assertThat(receipt.timestamp(Stage.SCHEDULED)).isPresent();
                }
                SendReceipt headed =
                        sender.send(ByteBuffer.wrap("head".getBytes()), Sending.filled(pool, 1, 9), Stage.SCHEDULED);
                far.receive(message.clear());
                assertThat(message.position()).isEqualTo(13);
                assertThat(headed.path()).isEqualTo(Path.COPIED);
                assertThat(headed.await(Stage.SCHEDULED, LONG)).isTrue();
                assertThatThrownBy(() -> sender.send(Sending.filled(pool, 1, 1), Stage.ACKED))
                        .isInstanceOf(UnsupportedOperationException.class)
                        .hasMessageContaining("ACKED");
                assertThat(sender.stats().zeroCopyCalls()).isEqualTo(19);
            }
            assertThat(near.isOpen()).isFalse();
            Sending.await("unsent buffer", () -> pool.stats().inFlight() == 0);
        }
    }

    @Test
    @DisplayName(
            "UDP: a message that is too large, and a port where nobody is: an error, and the lease is still its owner's")
    void datagramErrors() throws Exception {
        try (DatagramChannel far = DatagramChannel.open().bind(new InetSocketAddress("127.0.0.1", 0));
                DatagramChannel near = DatagramChannel.open();
                BufferPool pool = BufferPool.open(70_000, 4)) {
            near.connect(far.getLocalAddress());
            try (ZeroCopySender sender = always(near)) {
                BufferLease large = Sending.filled(pool, 1, 70_000);
                assertThatThrownBy(() -> sender.send(large)).hasMessageContaining("EMSGSIZE");
                assertThat(large.state()).isEqualTo(BufferLease.State.OWNED);
                assertThat(sender.stats().inFlight()).isZero();
                Sending.assertReleased(sender.send(large.length(100)));
                far.close();
                Sending.await("ECONNREFUSED", () -> {
                    try {
                        sender.send(Sending.filled(pool, 2, 100));
                        return false;
                    } catch (java.io.IOException e) {
                        return e.getMessage().contains("ECONNREFUSED");
                    } catch (InterruptedException e) {
                        throw new AssertionError(e);
                    }
                });
            }
        }
    }

    @Test
    @DisplayName("M15, O6: header by copy and payload by zero copy, in one message")
    void headers() throws Exception {
        try (Pair pair = Pair.open(Pair.Kind.TCP);
                BufferPool pool = BufferPool.open(SIZE, 2);
                ZeroCopySender sender = always(pair.near())) {
            for (int i = 0; i < 20; i++) {
                ByteBuffer header =
                        ByteBuffer.allocate(12).putInt(i).putLong(SIZE).flip();
                SendReceipt receipt = sender.send(header, Sending.filled(pool, i, SIZE), Stage.ACKED);
                assertThat(header.hasRemaining()).isFalse();
                byte[] got = Bytes.read(pair.far(), 12 + SIZE);
                assertThat(ByteBuffer.wrap(got).getInt()).isEqualTo(i);
                Sending.assertSame(java.util.Arrays.copyOfRange(got, 12, got.length), Bytes.random(i, SIZE));
                assertThat(receipt.bytes()).isEqualTo(SIZE);
                assertThat(receipt.await(Stage.ACKED, LONG)).isTrue();
            }
            SendReceipt only = sender.send(ByteBuffer.wrap(new byte[5]), pool.lease(), Stage.QUEUED);
            assertThat(only.isReleased()).isTrue();
            assertThat(Bytes.read(pair.far(), 5)).hasSize(5);
            assertThatThrownBy(() -> sender.send(ByteBuffer.allocate(1 << 20), pool.lease(), Stage.QUEUED))
                    .isInstanceOf(IllegalArgumentException.class);
        }
    }

    @Test
    @DisplayName("M18, O2, O3: a send in many parts has an id for each, and is released after the last")
    void partialSends() throws Exception {
        try (Pair pair = Pair.open(Pair.Kind.TCP);
                BufferPool pool = BufferPool.open(8 << 20, 1)) {
            pair.near().sendBuffer(16 * 1024);
            pair.far().receiveBuffer(16 * 1024);
            try (ZeroCopySender sender = always(pair.near())) {
                byte[] data = Bytes.random(9, 8 << 20);
                BufferLease lease = pool.lease().put(data);
                Parked<SendReceipt> sending = Parked.virtual(() -> sender.send(lease, Stage.ACKED));
                assertThat(lease.state()).isEqualTo(BufferLease.State.IN_FLIGHT);
                CompletableFuture<byte[]> received = Bytes.async(() -> Bytes.read(pair.far(), data.length));
                SendReceipt receipt = sending.get();
                Sending.assertSame(received.get(), data);
                Sending.assertReleased(receipt);
                assertThat(receipt.bytes()).isEqualTo(data.length);
                assertThat(sender.stats().zeroCopyCalls()).isGreaterThan(5);
                assertThat(receipt.await(Stage.ACKED, LONG)).isTrue();
            }
        }
    }

    @Test
    @DisplayName("a sender owns the output: writes, transfers and a second sender are refused, reading is not")
    void soleOwner() throws Exception {
        try (Pair pair = Pair.open(Pair.Kind.TCP);
                BufferPool pool = BufferPool.open(10, 1);
                ZeroCopySender sender = open(pair.near())) {
            assertThatThrownBy(() -> pair.near().write(ByteBuffer.allocate(1)))
                    .isInstanceOf(WritePendingException.class);
            assertThatThrownBy(() -> open(pair.near())).isInstanceOf(WritePendingException.class);
            assertThatThrownBy(() ->
                            Sluice.transfer(Channels.newChannel(new ByteArrayInputStream(new byte[1])), pair.near()))
                    .isInstanceOf(WritePendingException.class);
            pair.far().write(ByteBuffer.allocate(1));
            assertThat(pair.near().read(ByteBuffer.allocate(5))).isEqualTo(1);
            sender.send(Sending.filled(pool, 1, 10));
            assertThat(Bytes.read(pair.far(), 10)).isEqualTo(Bytes.random(1, 10));
            assertThat(sender.isOpen()).isTrue();
        }
        try (SocketChannel unconnected = SocketChannel.open()) {
            assertThatThrownBy(() -> open(unconnected)).hasMessageContaining("out of reach");
        }
    }

    @Test
    @DisplayName("T1, 3.3: SCHEDULED ≤ ON_WIRE ≤ ACKED, each with its time, for sends of one byte and of many")
    void stages() throws Exception {
        try (Pair pair = Pair.open(Pair.Kind.TCP);
                BufferPool pool = BufferPool.open(2 << 20, 2);
                ZeroCopySender sender = open(pair.near())) {
            CompletableFuture<byte[]> received = Bytes.async(() -> Bytes.readAll(pair.far()));
            java.time.Instant before = java.time.Instant.now().minusSeconds(1);
            for (int length : new int[] {1, 2, 1000, 2 << 20, 1, 3 << 16}) {
                SendReceipt receipt = sender.send(Sending.filled(pool, 1, length), Stage.ACKED);
                assertThat(receipt.await(Stage.ACKED, LONG)).isTrue();
                assertThat(receipt.reached(Stage.ON_WIRE)).isTrue();
                Sending.await("the stamps", () -> {
                    sender.drain();
                    return receipt.timestamp(Stage.ACKED).isPresent();
                });
                java.time.Instant last = before;
                for (Stage stage : List.of(Stage.QUEUED, Stage.SCHEDULED, Stage.ON_WIRE, Stage.ACKED)) {
                    java.time.Instant time = receipt.timestamp(stage).orElseThrow();
                    if (stage != Stage.SCHEDULED) {
                        // The driver may have it before send(2) returns.
                        assertThat(time).as(stage.name()).isAfterOrEqualTo(stage == Stage.ON_WIRE ? before : last);
                    }
                    last = stage == Stage.QUEUED ? before : time;
                }
                receipt.confirm();
                assertThat(receipt.stage()).isEqualTo(Stage.CONFIRMED);
            }
            sender.close();
            received.get();
        }
    }

    @Test
    @DisplayName("T7: ACKED can be asked for afterwards, other stages can't, and CONFIRMED is the application's word")
    void stagesAfterwards() throws Exception {
        try (Pair pair = Pair.open(Pair.Kind.TCP);
                BufferPool pool = BufferPool.open(1000, 2);
                ZeroCopySender sender = open(pair.near())) {
            SendReceipt receipt = sender.send(Sending.filled(pool, 1, 1000));
            assertThat(receipt.await(Stage.CONFIRMED, Duration.ofMillis(1))).isFalse();
            CompletableFuture<SendReceipt> acked =
                    receipt.whenReached(Stage.ACKED).toCompletableFuture();
            assertThat(receipt.await(Stage.ACKED, LONG)).isTrue();
            assertThat(acked.get()).isSameAs(receipt);
            assertThat(receipt.reached(Stage.SCHEDULED))
                    .as("what is acknowledged was scheduled")
                    .isTrue();
            SendReceipt second = sender.send(Sending.filled(pool, 1, 1000));
            CompletableFuture<SendReceipt> confirmed =
                    second.whenReached(Stage.CONFIRMED).toCompletableFuture();
            second.confirm();
            assertThat(confirmed.get().stage()).isEqualTo(Stage.CONFIRMED);
            assertThat(second.whenReleased().toCompletableFuture().get()).isSameAs(second);
            assertThat(sender.unsentBytes()).isZero();
            assertThat(sender.unacknowledgedBytes()).isZero();
        }
        try (Pair pair = Pair.open(Pair.Kind.UNIX);
                BufferPool pool = BufferPool.open(1000, 2);
                ZeroCopySender sender = open(pair.near())) {
            SendReceipt receipt = sender.send(Sending.filled(pool, 1, 1000));
            assertThatThrownBy(() -> receipt.await(Stage.SCHEDULED, LONG))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("Stage.SCHEDULED");
            assertThatThrownBy(() -> receipt.whenReached(Stage.ACKED)).isInstanceOf(IllegalStateException.class);
            assertThatThrownBy(() -> sender.send(Sending.filled(pool, 1, 1), Stage.SCHEDULED))
                    .isInstanceOf(UnsupportedOperationException.class);
        }
    }

    @Test
    @DisplayName("farnz' wish: a receiver that never reads: interrupt, time-out, close and reset end the wait and tell")
    void neverReads() throws Exception {
        try (BufferPool pool = BufferPool.open(8 << 20, 1)) {
            try (Pair pair = Pair.open(Pair.Kind.TCP);
                    ZeroCopySender sender = always(pair.near())) {
                BufferLease lease = pool.lease().length(8 << 20);
                Parked<SendReceipt> sending = Parked.virtual(() -> sender.send(lease));
                sending.thread().interrupt();
                SendException failure = (SendException) sending.failure();
                assertThat(failure).hasCauseInstanceOf(InterruptedIOException.class);
                assertThat(failure.accepted()).isPositive().isLessThan(8 << 20);
                SendReceipt receipt = failure.receipt().orElseThrow();
                assertThat(receipt.bytes()).isEqualTo(failure.accepted());
                assertThat(receipt.awaitReleased(Duration.ofMillis(20))).isEqualTo(Custody.HELD);
                try (BufferPool small = BufferPool.open(10, 1)) {
                    BufferLease next = small.lease().length(10);
                    assertThatThrownBy(() -> sender.send(next)).hasMessageContaining("cut off");
                    next.close();
                }
                sender.abort();
                assertThat(receipt.awaitReleased(LONG)).isEqualTo(Custody.RELEASED);
            }
            try (Pair pair = Pair.open(Pair.Kind.TCP);
                    ZeroCopySender sender = over(pair.near())
                            .policy(Policy.ALWAYS)
                            .timeout(Duration.ofMillis(100))
                            .open()) {
                BufferLease lease = pool.lease().length(8 << 20);
                assertThatThrownBy(() -> sender.send(lease)).hasCauseInstanceOf(SocketTimeoutException.class);
                sender.abort();
            }
            for (boolean bySender : new boolean[] {true, false}) {
                try (Pair pair = Pair.open(Pair.Kind.TCP)) {
                    ZeroCopySender sender = over(pair.near())
                            .policy(Policy.ALWAYS)
                            .linger(Duration.ofMillis(50))
                            .open();
                    BufferLease lease = pool.lease().length(8 << 20);
                    Parked<SendReceipt> sending = Parked.virtual(() -> sender.send(lease));
                    if (bySender) {
                        assertThat(sender.close(Duration.ofMillis(50)))
                                .as("orderly")
                                .isFalse();
                    } else {
                        pair.near().close();
                    }
                    SendException failure = (SendException) sending.failure();
                    assertThat(failure).hasCauseInstanceOf(AsynchronousCloseException.class);
                    assertThat(failure.receipt().orElseThrow().awaitReleased(LONG))
                            .isEqualTo(Custody.RELEASED);
                    BufferLease late = pool.lease();
                    assertThatThrownBy(() -> sender.send(late)).isInstanceOf(ClosedChannelException.class);
                    late.close();
                    sender.close();
                }
            }
            try (Pair pair = Pair.open(Pair.Kind.TCP);
                    ZeroCopySender sender = always(pair.near())) {
                BufferLease lease = Sending.filled(pool, 1, 8 << 20);
                Parked<SendReceipt> sending = Parked.virtual(() -> sender.send(lease, Stage.ACKED));
                pair.far().abort();
                SendException failure = (SendException) sending.failure();
                assertThat(failure.getMessage()).containsAnyOf("ECONNRESET", "EPIPE");
                SendReceipt receipt = failure.receipt().orElseThrow();
                assertThat(receipt.awaitReleased(LONG)).isEqualTo(Custody.RELEASED);
                assertThatThrownBy(() -> receipt.await(Stage.ACKED, LONG)).isInstanceOf(java.io.IOException.class);
            }
        }
    }

    @Test
    @DisplayName("M13, farnz: a stage that never comes is said to never come, and nobody waits for it in vain")
    void stageThatNeverComes() throws Exception {
        try (Pair pair = Pair.open(Pair.Kind.TCP);
                BufferPool pool = BufferPool.open(1 << 20, 8);
                ZeroCopySender sender = always(pair.near())) {
            SendReceipt last = null;
            try {
                while (sender.stats().inFlightBytes() < 1 << 20) {
                    last = sender.send(pool.lease().length(1 << 20), Stage.ACKED);
                }
            } catch (Exception e) {
                throw new AssertionError(e);
            }
            SendReceipt receipt = last;
            CompletableFuture<SendReceipt> future =
                    receipt.whenReached(Stage.ACKED).toCompletableFuture();
            Parked<Boolean> waiting = Parked.virtual(() -> receipt.await(Stage.ACKED, LONG));
            Parked<Custody> forRelease = Parked.platform(() -> receipt.awaitReleased(LONG));
            pair.far().abort();
            assertThat(waiting.failure())
                    .isInstanceOf(java.io.IOException.class)
                    .hasMessageContaining("ended");
            assertThatThrownBy(() -> future.get(20, TimeUnit.SECONDS)).hasCauseInstanceOf(java.io.IOException.class);
            assertThat(forRelease.get()).isEqualTo(Custody.RELEASED);
        }
    }

    @Test
    @DisplayName(
            "epa's and smurf's wish: a send that blocks until the kernel no longer needs the buffer, and says if it still does")
    void sendUntilReleased() throws Exception {
        try (Pair pair = Pair.open(Pair.Kind.TCP);
                BufferPool pool = BufferPool.open(SIZE, 1);
                ZeroCopySender sender = always(pair.near())) {
            CompletableFuture<byte[]> received = Bytes.async(() -> Bytes.read(pair.far(), 100 * SIZE));
            for (int i = 0; i < 100; i++) {
                assertThat(sender.sendUntilReleased(Sending.filled(pool, i, SIZE), LONG))
                        .isEqualTo(Custody.RELEASED);
                assertThat(pool.stats().free()).isEqualTo(1);
            }
            byte[] all = received.get();
            for (int i = 0; i < 100; i++) {
                Sending.assertSame(java.util.Arrays.copyOfRange(all, i * SIZE, (i + 1) * SIZE), Bytes.random(i, SIZE));
            }
        }
    }

    @Test
    @DisplayName("foom's wish: a pool of a few buffers pipelines, and the cap on bytes in flight holds")
    void pipelined() throws Exception {
        try (Pair pair = Pair.open(Pair.Kind.TCP);
                BufferPool pool = BufferPool.open(SIZE, 4);
                ZeroCopySender sender = over(pair.near())
                        .policy(Policy.ALWAYS)
                        .maxInFlight(2 * SIZE)
                        .open()) {
            Parked<Void> sending = Parked.virtual(() -> {
                for (int i = 0; i < 200; i++) {
                    sender.send(Sending.filled(pool, i, SIZE));
                    assertThat(sender.stats().inFlightBytes()).isLessThanOrEqualTo(2 * SIZE);
                }
                return null;
            });
            byte[] all = Bytes.read(pair.far(), 200 * SIZE);
            sending.get();
            for (int i = 0; i < 200; i++) {
                Sending.assertSame(java.util.Arrays.copyOfRange(all, i * SIZE, (i + 1) * SIZE), Bytes.random(i, SIZE));
            }
        }
    }

    @Test
    @DisplayName("who waits for a buffer that is not even sent yet is told of its release")
    void waitsForALaterSend() throws Exception {
        try (Pair pair = Pair.open(Pair.Kind.TCP);
                BufferPool pool = BufferPool.open(SIZE, 1);
                ZeroCopySender sender = always(pair.near())) {
            for (int i = 0; i < 20; i++) {
                BufferLease lease = Sending.filled(pool, i, SIZE);
                Parked<BufferLease> waiting = Parked.virtual(pool::lease);
                sender.send(lease);
                Sending.assertSame(Bytes.read(pair.far(), SIZE), Bytes.random(i, SIZE));
                waiting.get().close();
            }
        }
    }

    @Test
    @DisplayName("M10, farnz' wish: somebody else's selector drains, and receipts of other threads complete")
    void foreignSelector() throws Exception {
        try (JdkPair pair = JdkPair.open();
                Selector selector = Selector.open();
                BufferPool pool = BufferPool.open(SIZE, 2)) {
            pair.near().configureBlocking(false);
            SelectionKey key = pair.near().register(selector, SelectionKey.OP_READ);
            try (ZeroCopySender sender =
                    over(pair.near()).policy(Policy.ALWAYS).drainedByCaller().open()) {
                CompletableFuture<byte[]> received = Bytes.async(() -> Bytes.read(pair.far(), 50 * SIZE));
                CompletableFuture<Void> sending = Bytes.async(() -> {
                    for (int i = 0; i < 50; i++) {
                        SendReceipt receipt = sender.send(Sending.filled(pool, i, SIZE));
                        assertThat(receipt.awaitReleased(LONG)).isEqualTo(Custody.RELEASED);
                    }
                    return null;
                });
                int rounds = 0;
                int drained = 0;
                while (!sending.isDone()) {
                    selector.select(1000);
                    rounds++;
                    if (selector.selectedKeys().remove(key)) {
                        drained += sender.drain();
                    }
                }
                sending.get();
                received.get();
                System.out.println(rounds + " rounds of the selector, " + drained + " sends released by it");
                key.cancel();
                selector.selectNow();
            }
        }
    }
}
