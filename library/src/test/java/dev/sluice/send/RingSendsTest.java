package dev.sluice.send;

import static dev.sluice.send.Sending.LONG;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.ring.SharedRing;
import dev.sluice.ring.Submission;
import dev.sluice.send.SendReceipt.Custody;
import dev.sluice.send.SendReceipt.Path;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.Child;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Pair;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.channels.Channel;
import java.nio.channels.DatagramChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is different when a ring makes the zero-copy calls: see {@link RingSenderTest} for all that is not. */
@ExtendWith(LeakCheck.class)
@Timeout(60)
class RingSendsTest {
    private static final int SIZE = 100_000;

    /** A device that lets a first packet pass and holds the next for a minute. */
    private static final String SLOW =
            NamespaceTest.SINK + " && tc qdisc add dev sink0 root tbf rate 8kbit burst 70000 limit 10000000";

    @BeforeEach
    void possible() throws Exception {
        String reason = SharedRing.shared().sends().unavailable();
        Assumptions.assumeTrue(reason == null, () -> "no zero-copy sends by a ring: " + reason);
    }

    private static ZeroCopySender always(Channel channel, SharedRing ring) throws Exception {
        return ZeroCopySender.over(channel)
                .policy(ZeroCopySender.Policy.ALWAYS)
                .by(ring.sends())
                .open();
    }

    private static void require(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }

    @Test
    @DisplayName("R2: receipts are keyed by request: one socket's buffers come back while another's are held")
    void outOfOrder() throws Exception {
        SharedRing ring = SharedRing.shared();
        try (Pair slow = Pair.open(Pair.Kind.TCP);
                Pair fast = Pair.open(Pair.Kind.TCP);
                BufferPool pool = BufferPool.open(SIZE, 10)) {
            slow.near().sendBuffer(4 << 20);
            slow.far().receiveBuffer(8 * 1024);
            try (ZeroCopySender first = always(slow.near(), ring);
                    ZeroCopySender second = always(fast.near(), ring)) {
                for (int i = 0; i < 5; i++) {
                    first.send(Sending.filled(pool, i, SIZE));
                }
                SendReceipt held = first.send(Sending.filled(pool, 5, SIZE));
                for (int i = 0; i < 20; i++) {
                    SendReceipt receipt = second.send(Sending.filled(pool, i, SIZE));
                    Sending.assertSame(Bytes.read(fast.far(), SIZE), Bytes.random(i, SIZE));
                    Sending.assertReleased(receipt);
                }
                assertThat(held.custody()).isEqualTo(Custody.HELD);
                for (int i = 0; i < 6; i++) {
                    Sending.assertSame(Bytes.read(slow.far(), SIZE), Bytes.random(i, SIZE));
                }
                Sending.assertReleased(held);
                assertThat(held.path()).as("the kernel says of each").isNotEqualTo(Path.UNKNOWN);
                assertThat(first.stats().copyCalls()).isZero();
            }
        }
    }

    @Test
    @DisplayName("R11: a pool's memory is registered with its first send, and let go when the pool is closed")
    void registered() throws Exception {
        SharedRing ring = SharedRing.shared();
        try (Pair pair = Pair.open(Pair.Kind.TCP);
                ZeroCopySender sender = always(pair.near(), ring)) {
            // More than there is room for at a time.
            for (int i = 0; i < 300; i++) {
                BufferPool pool = BufferPool.open(5000, 1);
                sender.send(Sending.filled(pool, i, 5000));
                assertThat(pool.registeredWith(ring.sends())).isNotEqualTo(ZeroCopyCalls.UNREGISTERED);
                pool.close();
                Sending.assertSame(Bytes.read(pair.far(), 5000), Bytes.random(i, 5000));
            }
        }
    }

    @Test
    @DisplayName("R10: the thread that sent ends before the kernel has let go: the buffers come back all the same")
    void outliveTheirThreads() throws Exception {
        try (Pair pair = Pair.open(Pair.Kind.TCP);
                BufferPool pool = BufferPool.open(SIZE, 8);
                ZeroCopySender sender = always(pair.near(), SharedRing.shared())) {
            pair.near().sendBuffer(4 << 20);
            pair.far().receiveBuffer(8 * 1024);
            List<SendReceipt> receipts = new ArrayList<>();
            for (int i = 0; i < 8; i++) {
                BufferLease lease = Sending.filled(pool, i, SIZE);
                Thread thread = Thread.ofPlatform().start(() -> {
                    try {
                        receipts.add(sender.send(lease));
                    } catch (IOException e) {
                        throw new AssertionError(e);
                    }
                });
                thread.join();
            }
            assertThat(receipts.getLast().custody()).isEqualTo(Custody.HELD);
            for (int i = 0; i < 8; i++) {
                Sending.assertSame(Bytes.read(pair.far(), SIZE), Bytes.random(i, SIZE));
            }
            for (SendReceipt receipt : receipts) {
                Sending.assertReleased(receipt);
            }
            assertThat(sender.stats().zeroCopyCalls()).isGreaterThanOrEqualTo(8);
        }
    }

    @Test
    @DisplayName("senders of many threads share the ring: every byte arrives, every buffer comes back")
    void manySenders() throws Exception {
        List<CompletableFuture<?>> all = new ArrayList<>();
        for (int i = 0; i < 32; i++) {
            int seed = i;
            all.add(Bytes.async(() -> {
                try (Pair pair = Pair.open(Pair.Kind.TCP);
                        BufferPool pool = BufferPool.open(SIZE, 2);
                        ZeroCopySender sender = always(pair.near(), SharedRing.shared())) {
                    CompletableFuture<byte[]> received = Bytes.async(() -> Bytes.read(pair.far(), 20 * SIZE));
                    for (int j = 0; j < 20; j++) {
                        sender.send(Sending.filled(pool, seed + j, SIZE));
                    }
                    byte[] bytes = received.get();
                    for (int j = 0; j < 20; j++) {
                        byte[] part = java.util.Arrays.copyOfRange(bytes, j * SIZE, (j + 1) * SIZE);
                        Sending.assertSame(part, Bytes.random(seed + j, SIZE));
                    }
                    require(sender.close(LONG), "every buffer is back");
                    require(sender.stats().quarantined() == 0, "none is lost");
                }
                return null;
            }));
        }
        for (CompletableFuture<?> one : all) {
            one.get();
        }
    }

    @Test
    @DisplayName("a closed ring: senders go on by copying, and say so")
    void closedRing() throws Exception {
        SharedRing ring = SharedRing.open(8);
        try (Pair pair = Pair.open(Pair.Kind.TCP);
                BufferPool pool = BufferPool.open(SIZE, 2);
                ZeroCopySender sender = always(pair.near(), ring)) {
            CompletableFuture<byte[]> received = Bytes.async(() -> Bytes.read(pair.far(), 2 * SIZE));
            Sending.assertReleased(sender.send(Sending.filled(pool, 1, SIZE)));
            long before = sender.stats().zeroCopyCalls();
            ring.close();
            SendReceipt copied = sender.send(Sending.filled(pool, 2, SIZE));
            assertThat(copied.path()).isEqualTo(Path.COPIED);
            assertThat(sender.stats().zeroCopyCalls()).isEqualTo(before);
            assertThat(sender.stats().reason()).contains("ring", "closed");
            assertThat(received.get()).hasSize(2 * SIZE);
        }
    }

    @Test
    @DisplayName(
            "R7, M5: over a device that takes packets as they are, the kernel says of each send that it did not copy")
    void reallyZeroCopy() throws Exception {
        Child child = NamespaceTest.inNamespace(NamespaceTest.SINK, List.of(), Sink.class);
        assertThat(child.out()).contains("copiedByKernel=0", "SCHEDULED true", "done");
    }

    static final class Sink {
        public static void main(String[] arguments) throws Exception {
            SharedRing ring = SharedRing.shared();
            try (DatagramChannel channel = DatagramChannel.open().connect(new InetSocketAddress("10.9.9.2", 9));
                    BufferPool pool = BufferPool.open(64_000, 8);
                    ZeroCopySender sender =
                            ZeroCopySender.over(channel).by(ring.sends()).open()) {
                SendReceipt last = null;
                for (int i = 0; i < 1000; i++) {
                    last = sender.send(pool.lease().length(64_000), i % 100 == 99 ? Stage.SCHEDULED : Stage.QUEUED);
                    if (i % 10 == 0) {
                        last.awaitReleased(LONG);
                        require(last.path() == Path.ZERO_COPY, "send " + i + ": " + last);
                    }
                }
                System.out.println("SCHEDULED " + last.await(Stage.SCHEDULED, LONG));
                last.awaitReleased(LONG);
                ZeroCopySender.Stats stats = sender.stats();
                System.out.println(stats);
                require(pool.registeredWith(ring.sends()) >= 0, "registered");
                require(stats.zeroCopyCalls() > 900, "a route that does not copy is used");
            }
            System.out.println("done");
        }
    }

    @Test
    @DisplayName(
            "R10, M13: socket, pool and ring are closed while a device holds a buffer: it comes back when the kernel lets go, not before")
    void outlivesItsSocket() throws Exception {
        Child child = NamespaceTest.inNamespace(SLOW, List.of(), Held.class);
        assertThat(child.out()).contains("HELD").contains("RELEASED").contains("done");
    }

    static final class Held {
        public static void main(String[] arguments) throws Exception {
            SharedRing ring = SharedRing.open(8);
            BufferPool pool = BufferPool.open(60_000, 3);
            SendReceipt receipt;
            BufferLease stuck;
            try (DatagramChannel channel = DatagramChannel.open().connect(new InetSocketAddress("10.9.9.2", 9))) {
                ZeroCopySender sender = always(channel, ring);
                BufferLease passes = pool.lease().length(60_000);
                require(sender.sendUntilReleased(passes, LONG) == Custody.RELEASED, "the burst");
                stuck = pool.lease().length(60_000);
                receipt = sender.send(stuck);
                require(!sender.close(Duration.ofMillis(50)), "the end was no orderly one");
                require(sender.stats().quarantined() == 0, "a ring still tells");
            }
            ring.close();
            require(pool.stats().inFlight() == 1, "not back before the kernel has let go");
            pool.close();
            require(stuck.readOnly().byteSize() == 60_000, "not unmapped either");
            System.out.println(receipt.awaitReleased(Duration.ofMillis(50)));
            require(Child.has("tc", "qdisc", "del", "dev", "sink0", "root"), "tc qdisc del");
            System.out.println(receipt.awaitReleased(LONG) + " " + receipt);
            require(stuck.state() == BufferLease.State.RELEASED, "the lease says so");
            System.out.println("done");
        }
    }

    @Test
    @DisplayName("R10: a ring that fails for good with a notification outstanding: the buffer is quarantined")
    void failedRing() throws Exception {
        List<String> prefix = List.of("strace", "-f", "-o", "/dev/null", "-e", "trace=io_uring_enter");
        Assumptions.assumeTrue(Child.has("strace", "true"), "strace is missing, or may not trace");
        Child child = NamespaceTest.inNamespace(
                SLOW, concat(prefix, "-e", "inject=io_uring_enter:error=EPERM:when=30+"), Lost.class);
        assertThat(child.out()).contains("HELD").contains("QUARANTINED").contains("done");
    }

    private static List<String> concat(List<String> first, String... second) {
        return java.util.stream.Stream.concat(first.stream(), java.util.Arrays.stream(second))
                .toList();
    }

    static final class Lost {
        public static void main(String[] arguments) throws Exception {
            SharedRing ring = SharedRing.open(8);
            try (DatagramChannel channel = DatagramChannel.open().connect(new InetSocketAddress("10.9.9.2", 9));
                    BufferPool pool = BufferPool.open(60_000, 3)) {
                ZeroCopySender sender = always(channel, ring);
                require(sender.sendUntilReleased(pool.lease().length(60_000), LONG) == Custody.RELEASED, "the burst");
                BufferLease stuck = pool.lease().length(60_000);
                SendReceipt receipt = sender.send(stuck);
                System.out.println(receipt.custody());
                try {
                    while (ring.perform(Submission::nop) == 0) {
                        // Until the kernel refuses.
                    }
                } catch (IllegalStateException e) {
                    System.out.println(e.getMessage());
                }
                System.out.println(receipt.awaitReleased(LONG) + " " + receipt);
                require(stuck.state() == BufferLease.State.QUARANTINED, "the lease says so");
                require(pool.stats().quarantined() == 1, "it is counted");
                require(sender.stats().quarantined() == 1, "here, too");
                require(sender.send(pool.lease().length(100)).path() == Path.COPIED, "others are copied");
                sender.abort();
            }
            System.out.println("done");
            System.exit(0);
        }
    }

    @Test
    @DisplayName(
            "R6, R11: with little locked memory nothing is registered, and what the kernel refuses (ENOMEM) is copied")
    void littleLockedMemory() throws Exception {
        Assumptions.assumeTrue(Child.has("setpriv", "--version"), "setpriv is not installed");
        Child child = NamespaceTest.inNamespace(
                NamespaceTest.LOOPBACK + " && ulimit -l 256",
                List.of("setpriv", "--bounding-set=-ipc_lock", "--inh-caps=-ipc_lock"),
                Poor.class);
        assertThat(child.out()).contains("done").doesNotContain(" 0 by zero copy");
        assertThat(child.err()).contains("ENOMEM", "ulimit -l");
    }

    static final class Poor {
        public static void main(String[] arguments) throws Exception {
            String reason = SharedRing.shared().sends().unavailable();
            require(reason == null, "a ring: " + reason);
            NamespaceTest.Poor.run(SharedRing.shared().sends());
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "io_uring_enter:error=EINTR:when=2+5",
                "io_uring_enter:error=ENOMEM:when=2+5",
                "io_uring_register:error=ENOMEM:when=2",
            })
    @DisplayName("R11, R19: faults of the ring's calls: every byte arrives once, every buffer comes back")
    void faults(String fault) throws Exception {
        Assumptions.assumeTrue(Child.has("strace", "true"), "strace is missing, or may not trace");
        String call = fault.substring(0, fault.indexOf(':'));
        List<String> prefix =
                List.of("strace", "-f", "-o", "/dev/null", "-e", "trace=" + call, "-e", "inject=" + fault);
        Child child = Child.run(Child.command(prefix, List.of(), Ten.class));
        System.out.println(fault + ": " + child.out());
        assertThat(child.exit()).as(child.toString()).isZero();
        assertThat(child.out()).contains("done");
    }

    @Test
    @DisplayName("without a ring a sender is what it would be without having been given one")
    void withoutRing() throws Exception {
        Child child = Child.run(Child.command(List.of(), List.of("-Dsluice.ring=off"), Ten.class));
        assertThat(child.exit()).as(child.toString()).isZero();
        assertThat(child.out()).contains("done");
    }

    static final class Ten {
        public static void main(String[] arguments) throws Exception {
            try (Pair pair = Pair.open(Pair.Kind.TCP);
                    BufferPool pool = BufferPool.open(SIZE, 2);
                    ZeroCopySender sender = always(pair.near(), SharedRing.shared())) {
                CompletableFuture<byte[]> received = Bytes.async(() -> Bytes.read(pair.far(), 10 * SIZE));
                for (int i = 0; i < 10; i++) {
                    sender.send(Sending.filled(pool, i, SIZE));
                }
                byte[] all = received.get();
                for (int i = 0; i < 10; i++) {
                    Sending.assertSame(
                            java.util.Arrays.copyOfRange(all, i * SIZE, (i + 1) * SIZE), Bytes.random(i, SIZE));
                }
                require(sender.close(LONG), "every buffer is back");
                require(sender.stats().zeroCopyCalls() > 0, "by zero copy");
                System.out.println(sender.stats());
            }
            System.out.println("done");
        }
    }
}
