package dev.sluice.send;

import static dev.sluice.send.Sending.LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.io.Endpoint;
import dev.sluice.net.StreamListener;
import dev.sluice.net.StreamSocket;
import dev.sluice.send.SendReceipt.Custody;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.Child;
import dev.sluice.testkit.JdkPair;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Pair;
import dev.sluice.testkit.Parked;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

/** How senders end, and what waits beside them. */
@ExtendWith(LeakCheck.class)
@Timeout(60)
class SenderEndTest {
    private static final int LARGE = 4 << 20;

    private static ZeroCopySender always(java.nio.channels.Channel channel) throws Exception {
        return ZeroCopySender.over(channel)
                .policy(ZeroCopySender.Policy.ALWAYS)
                .linger(Duration.ofMillis(100))
                .open();
    }

    /** Fills the way to a peer that does not read, until a send is in flight as a whole. */
    private static SendReceipt stuck(ZeroCopySender sender, BufferPool pool) throws Exception {
        SendReceipt receipt;
        do {
            receipt = sender.send(Sending.filled(pool, 1, 64 * 1024));
            sender.drain();
        } while (receipt.custody() == Custody.RELEASED || sender.stats().inFlightBytes() < 512 * 1024);
        return receipt;
    }

    @Test
    @DisplayName("M13: a close waits for the kernel, and everything arrives")
    void orderly() throws Exception {
        try (Pair pair = Pair.open(Pair.Kind.TCP);
                BufferPool pool = BufferPool.open(LARGE, 1)) {
            pair.near().sendBuffer(2 * LARGE);
            ZeroCopySender sender = always(pair.near());
            byte[] data = Bytes.random(1, LARGE);
            SendReceipt receipt = sender.send(pool.lease().put(data), Stage.ACKED);
            Parked<Boolean> closing = Parked.platform(() -> sender.close(LONG));
            assertThat(receipt.custody()).isEqualTo(Custody.HELD);
            Sending.assertSame(Bytes.readAll(pair.far()), data);
            assertThat(closing.get()).isTrue();
            assertThat(receipt.custody()).isEqualTo(Custody.RELEASED);
            assertThat(receipt.await(Stage.ACKED, LONG)).isTrue();
            assertThat(sender.close(LONG)).as("again").isTrue();
        }
    }

    @Test
    @DisplayName("M13, #13: to a peer that never reads, the close resets, and every buffer comes back")
    void resetAfterTheDeadline() throws Exception {
        for (boolean adopted : new boolean[] {false, true}) {
            try (Pair pair = Pair.open(Pair.Kind.TCP);
                    JdkPair jdk = JdkPair.open();
                    BufferPool pool = BufferPool.open(64 * 1024, 64)) {
                ZeroCopySender sender = always(adopted ? jdk.near() : pair.near());
                SendReceipt receipt = stuck(sender, pool);
                assertThat(sender.close(Duration.ofMillis(20))).as("orderly").isFalse();
                assertThat(receipt.custody()).isEqualTo(Custody.RELEASED);
                assertThat(sender.stats().quarantined()).isZero();
                assertThat(pool.stats().free()).isEqualTo(64);
                if (!adopted) {
                    assertThatThrownBy(() -> Bytes.readAll(pair.far())).hasMessageContaining("ECONNRESET");
                }
            }
        }
    }

    @Test
    @DisplayName("M13: an interrupt cuts the patience of a close short, and stays set")
    void interruptedClose() throws Exception {
        try (Pair pair = Pair.open(Pair.Kind.TCP);
                BufferPool pool = BufferPool.open(64 * 1024, 64)) {
            ZeroCopySender sender = always(pair.near());
            SendReceipt receipt = stuck(sender, pool);
            Parked<Boolean> closing = Parked.platform(() -> {
                boolean done = sender.close(LONG);
                assertThat(Thread.interrupted()).isTrue();
                return done;
            });
            closing.thread().interrupt();
            assertThat(closing.get()).isFalse();
            assertThat(receipt.custody()).isEqualTo(Custody.RELEASED);
        }
    }

    @Test
    @DisplayName(
            "M13, 591aa5733: whoever closes the channel itself, or forgets the sender, takes no memory from the kernel")
    void closedBehindItsBack() throws Exception {
        try (Pair pair = Pair.open(Pair.Kind.TCP);
                JdkPair jdk = JdkPair.open();
                BufferPool pool = BufferPool.open(64 * 1024, 64)) {
            SendReceipt one = stuck(always(pair.near()), pool);
            pair.near().close();
            assertThat(one.awaitReleased(LONG)).isEqualTo(Custody.RELEASED);
            Sending.await("all of the first", () -> pool.stats().free() == 64);
            SendReceipt two = stuck(always(jdk.near()), pool);
            jdk.near().close();
            assertThat(two.awaitReleased(LONG)).isEqualTo(Custody.RELEASED);
            Sending.await("all of the second", () -> pool.stats().free() == 64);
        }
        try (BufferPool pool = BufferPool.open(64 * 1024, 64);
                StreamListener listener = StreamListener.listen(Endpoint.parse("127.0.0.1:0"))) {
            SendReceipt forgotten = stuck(always(StreamSocket.connect(listener.endpoint())), pool);
            try (StreamSocket far = listener.accept()) {
                Sending.await("the collector", () -> {
                    System.gc();
                    return forgotten.custody() == Custody.RELEASED;
                });
                assertThat(far.isOpen()).isTrue();
            }
        }
    }

    @Test
    @DisplayName("farnz: the peer's process is killed: buffers come back, and stages are said to never come")
    void peerKilled() throws Exception {
        try (StreamListener listener = StreamListener.listen(Endpoint.parse("127.0.0.1:0"));
                BufferPool pool = BufferPool.open(64 * 1024, 64)) {
            Process peer = new ProcessBuilder(Child.command(
                            List.of(),
                            List.of(),
                            Deaf.class,
                            listener.endpoint().toString()))
                    .redirectErrorStream(true)
                    .start();
            try (StreamSocket socket = listener.accept();
                    ZeroCopySender sender = always(socket)) {
                SendReceipt receipt = stuck(sender, pool);
                Parked<Boolean> waiting = Parked.virtual(() -> receipt.await(Stage.ACKED, LONG));
                peer.destroyForcibly().waitFor();
                assertThat(receipt.awaitReleased(LONG)).isEqualTo(Custody.RELEASED);
                assertThat(waiting.failure()).hasMessageContaining("ended");
            } finally {
                peer.destroyForcibly().waitFor();
            }
        }
    }

    /** Connects and never reads. */
    static final class Deaf {
        public static void main(String[] arguments) throws Exception {
            StreamSocket socket = StreamSocket.connect(Endpoint.parse(arguments[0]));
            Thread.sleep(60_000);
            socket.close();
        }
    }

    @Test
    @DisplayName("M10, O8, #12: completions that nobody has drained make nobody spin, and kill no reader")
    void nobodySpins() throws Exception {
        try (Pair pair = Pair.open(Pair.Kind.TCP);
                BufferPool pool = BufferPool.open(1000, 8);
                ZeroCopySender sender = ZeroCopySender.over(pair.near())
                        .policy(ZeroCopySender.Policy.ALWAYS)
                        .drainedByCaller()
                        .open()) {
            Parked<Integer> reading = Parked.virtual(() -> pair.near().read(ByteBuffer.allocate(10)));
            for (int i = 0; i < 5; i++) {
                sender.send(Sending.filled(pool, i, 1000));
            }
            Bytes.read(pair.far(), 5000);
            long before = libraryCpu();
            Thread.sleep(1000);
            long used = libraryCpu() - before;
            System.out.println("CPU time of the loops in a second with completions pending: " + Duration.ofNanos(used));
            assertThat(used).isLessThan(TimeUnit.MILLISECONDS.toNanos(300));
            assertThat(reading.done()).isFalse();
            pair.far().write(ByteBuffer.allocate(3));
            assertThat(reading.get()).isEqualTo(3);
            assertThat(sender.drain()).isEqualTo(5);
        }
    }

    private static long libraryCpu() {
        var threads = ManagementFactory.getThreadMXBean();
        long sum = 0;
        for (long id : threads.getAllThreadIds()) {
            var info = threads.getThreadInfo(id);
            if (info != null && info.getThreadName().startsWith("sluice-loop")) {
                sum += Math.max(0, threads.getThreadCpuTime(id));
            }
        }
        return sum;
    }

    @Test
    @DisplayName(
            "10,000 virtual threads wait for releases over many sockets, without a platform thread for any of them")
    void manyWaiters() throws Exception {
        int sockets = 20;
        int waiters = 10_000;
        List<Pair> pairs = new ArrayList<>();
        List<ZeroCopySender> senders = new ArrayList<>();
        try (BufferPool pool = BufferPool.open(64 * 1024, sockets * 64)) {
            List<SendReceipt> receipts = new ArrayList<>();
            for (int i = 0; i < sockets; i++) {
                Pair pair = Pair.open(Pair.Kind.TCP);
                pairs.add(pair);
                ZeroCopySender sender = always(pair.near());
                senders.add(sender);
                receipts.add(stuck(sender, pool));
            }
            int threads = ManagementFactory.getThreadMXBean().getThreadCount();
            AtomicInteger next = new AtomicInteger();
            CountDownLatch released =
                    waiting(waiters, () -> Sending.assertReleased(receipts.get(next.getAndIncrement() % sockets)));
            Thread.sleep(200);
            assertThat(released.getCount()).isEqualTo(waiters);
            assertThat(ManagementFactory.getThreadMXBean().getThreadCount() - threads)
                    .isLessThan(50);
            for (Pair pair : pairs) {
                Bytes.async(() -> Bytes.readAll(pair.far()));
            }
            assertThat(released.await(20, TimeUnit.SECONDS))
                    .as("still waiting: " + released)
                    .isTrue();
        } finally {
            for (ZeroCopySender sender : senders) {
                sender.close();
            }
            pairs.forEach(Pair::close);
        }
    }

    @Test
    @DisplayName("10,000 virtual threads wait for a buffer in flight: each gets it in turn, and a close tells them all")
    void manyWaitersForBuffers() throws Exception {
        int waiters = 10_000;
        try (Pair pair = Pair.open(Pair.Kind.TCP);
                BufferPool pool = BufferPool.open(LARGE, 1)) {
            pair.near().sendBuffer(2 * LARGE);
            ZeroCopySender sender = always(pair.near());
            sender.send(pool.lease().length(LARGE));
            CountDownLatch served = waiting(waiters, () -> pool.lease().close());
            Thread.sleep(200);
            assertThat(served.getCount()).isEqualTo(waiters);
            Bytes.async(() -> Bytes.readAll(pair.far()));
            assertThat(served.await(20, TimeUnit.SECONDS))
                    .as("still waiting: " + served)
                    .isTrue();
            BufferLease last = pool.lease();
            CountDownLatch told = waiting(
                    waiters,
                    () -> assertThatThrownBy(pool::lease)
                            .isInstanceOf(IllegalStateException.class)
                            .hasMessageContaining("closed"));
            Thread.sleep(200);
            assertThat(told.getCount()).isEqualTo(waiters);
            pool.close();
            assertThat(told.await(20, TimeUnit.SECONDS))
                    .as("still waiting: " + told)
                    .isTrue();
            last.close();
            sender.close();
        }
    }

    private interface Wait {
        void end() throws Exception;
    }

    /** Starts so many virtual threads that wait; counted down by each whose wait ends well. */
    private static CountDownLatch waiting(int count, Wait wait) {
        CountDownLatch ended = new CountDownLatch(count);
        for (int i = 0; i < count; i++) {
            Thread.startVirtualThread(() -> {
                try {
                    wait.end();
                    ended.countDown();
                } catch (Exception e) {
                    throw new AssertionError(e);
                }
            });
        }
        return ended;
    }

    @Test
    @DisplayName("the recorder is told of each sender, and of each change of mind")
    void flightRecorder() throws Exception {
        java.nio.file.Path file = java.nio.file.Files.createTempFile("send", ".jfr");
        try (Recording recording = new Recording()) {
            recording.enable("dev.sluice.ZeroCopy");
            recording.enable("dev.sluice.ZeroCopySender");
            recording.start();
            try (Pair pair = Pair.open(Pair.Kind.TCP);
                    BufferPool pool = BufferPool.open(64 * 1024, 20)) {
                ZeroCopySender sender = ZeroCopySender.open(pair.near());
                var received = Bytes.async(() -> Bytes.readAll(pair.far()));
                while (sender.stats().switches() == 0) {
                    // Nobody waits and nobody drains: the sender looks for the answer to its probe itself.
                    sender.send(Sending.filled(pool, 1, 64 * 1024));
                }
                sender.close();
                received.get();
            }
            recording.dump(file);
            List<RecordedEvent> events = RecordingFile.readAllEvents(file);
            assertThat(events)
                    .anyMatch(event -> event.getEventType().getName().equals("dev.sluice.ZeroCopy")
                            && event.getString("mode").equals("OFF")
                            && event.getString("reason").contains("copied"))
                    .anyMatch(event -> event.getEventType().getName().equals("dev.sluice.ZeroCopySender")
                            && event.getLong("sends") > 255
                            && event.getLong("copiedByKernel") > 0
                            && event.getBoolean("orderly"));
        } finally {
            java.nio.file.Files.delete(file);
        }
    }
}
