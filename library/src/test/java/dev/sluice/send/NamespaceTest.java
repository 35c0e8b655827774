package dev.sluice.send;

import static dev.sluice.send.Sending.LONG;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.Child;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Pair;
import java.net.InetSocketAddress;
import java.nio.channels.DatagramChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

/** Where the kernel really does not copy, has no memory, or holds a buffer for long: in network namespaces of the tests' own. */
@ExtendWith(LeakCheck.class)
@Timeout(120)
class NamespaceTest {
    /** A device that takes every packet, of any size, and throws it away without a copy. */
    static final String SINK =
            "ip link add sink0 type ifb && ip link set sink0 mtu 65535 up && ip addr add 10.9.9.1/24 dev sink0";

    static final String LOOPBACK = "ip link set lo up";

    static Child inNamespace(String setup, List<String> prefix, Class<?> program) throws Exception {
        Assumptions.assumeTrue(
                Child.has("unshare", "-n", "sh", "-c", setup), "no network namespace of our own: " + setup + " fails");
        List<String> command = new ArrayList<>(List.of("unshare", "-n", "sh", "-c", setup + " && exec \"$@\"", "sh"));
        command.addAll(Child.command(prefix, List.of(), program));
        Child child = Child.run(command);
        System.out.print(child.out());
        assertThat(child.exit()).as(child.toString()).isZero();
        return child;
    }

    private static void require(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }

    @Test
    @DisplayName(
            "M5, M7, Funcan's wish: over a device that takes packets as they are, the kernel sends from the buffers, and the receipts say so")
    void reallyZeroCopy() throws Exception {
        Child child = inNamespace(SINK, List.of(), Sink.class);
        assertThat(child.out())
                .contains("first ZERO_COPY")
                .contains("copiedByKernel=0")
                .contains("SCHEDULED true");
    }

    static final class Sink {
        public static void main(String[] arguments) throws Exception {
            try (DatagramChannel channel = DatagramChannel.open().connect(new InetSocketAddress("10.9.9.2", 9));
                    BufferPool pool = BufferPool.open(64_000, 8);
                    ZeroCopySender sender = ZeroCopySender.open(channel)) {
                SendReceipt first = sender.send(pool.lease().length(64_000));
                first.awaitReleased(LONG);
                System.out.println("first " + first.path());
                SendReceipt last = null;
                for (int i = 0; i < 1000; i++) {
                    last = sender.send(pool.lease().length(64_000), i == 999 ? Stage.SCHEDULED : Stage.QUEUED);
                }
                System.out.println("SCHEDULED " + last.await(Stage.SCHEDULED, LONG));
                last.awaitReleased(LONG);
                ZeroCopySender.Stats stats = sender.stats();
                System.out.println(stats);
                if (stats.zeroCopyCalls() < 1000) {
                    throw new AssertionError("a route that does not copy is used");
                }
            }
        }
    }

    @Test
    @DisplayName("M7, M13, #13, farnz: what a device still holds at the end goes to quarantine, never back to the pool")
    void quarantine() throws Exception {
        Child child = inNamespace(
                SINK + " && tc qdisc add dev sink0 root tbf rate 8kbit burst 70000 limit 10000000",
                List.of(),
                Held.class);
        assertThat(child.out()).contains("HELD").contains("QUARANTINED").contains("done");
    }

    static final class Held {
        public static void main(String[] arguments) throws Exception {
            try (DatagramChannel channel = DatagramChannel.open().connect(new InetSocketAddress("10.9.9.2", 9));
                    BufferPool pool = BufferPool.open(60_000, 3)) {
                ZeroCopySender sender = ZeroCopySender.over(channel)
                        .policy(ZeroCopySender.Policy.ALWAYS)
                        .open();
                BufferLease passes = pool.lease().length(60_000);
                require(sender.sendUntilReleased(passes, LONG) == SendReceipt.Custody.RELEASED, "the burst");
                BufferLease stuck = pool.lease().length(60_000);
                SendReceipt receipt = sender.send(stuck);
                System.out.println(receipt.awaitReleased(Duration.ofMillis(50)));
                CompletableFuture<SendReceipt> released = receipt.whenReleased().toCompletableFuture();
                boolean orderly = sender.close(Duration.ofMillis(50));
                require(!orderly, "the end was no orderly one");
                System.out.println(receipt.awaitReleased(LONG) + " " + receipt);
                released.get();
                require(stuck.state() == BufferLease.State.QUARANTINED, "the lease says so");
                require(pool.stats().quarantined() == 1, "it is counted");
                require(sender.stats().quarantined() == 1, "here, too");
                BufferLease one = pool.lease();
                BufferLease two = pool.lease();
                require(one.address() != stuck.address() && two.address() != stuck.address(), "it is not lent");
                two.close();
                one.close();
                System.out.println(pool.stats() + " done");
            }
        }
    }

    @Test
    @DisplayName(
            "M13, #13: however many connections end unacknowledged, the quarantine stays a quarter of the pool, counted, and none of it is lent again")
    void boundedQuarantine() throws Exception {
        Child child = inNamespace(
                LOOPBACK + " && tc qdisc add dev lo root tbf rate 8kbit burst 70000 limit 10000000",
                List.of(),
                Unacknowledged.class);
        assertThat(child.out()).contains("done");
    }

    /** One connection after the other over a device that lets nothing through any more. */
    static final class Unacknowledged {
        private static final int SIZE = 60_000;
        private static final int BUFFERS = 16;
        private static final int CONNECTIONS = 12;

        public static void main(String[] arguments) throws Exception {
            List<Pair> pairs = new ArrayList<>();
            for (int i = 0; i < CONNECTIONS; i++) {
                // All before the first send, since nothing gets through after it.
                pairs.add(Pair.open(Pair.Kind.TCP));
            }
            Set<Long> lost = new HashSet<>();
            int copied = 0;
            BufferPool pool = BufferPool.open(SIZE, BUFFERS);
            for (Pair pair : pairs) {
                ZeroCopySender sender = ZeroCopySender.over(pair.near())
                        .policy(ZeroCopySender.Policy.ALWAYS)
                        .open();
                BufferLease lease = pool.lease().length(SIZE);
                long address = lease.segment().address();
                SendReceipt receipt = sender.send(lease);
                sender.close(Duration.ofMillis(10));
                if (receipt.custody() == SendReceipt.Custody.QUARANTINED) {
                    require(lost.add(address), "lent again");
                    require(sender.stats().quarantined() == 1, "counted by the sender");
                } else if (lost.size() >= BUFFERS / 4) {
                    require(receipt.path() == SendReceipt.Path.COPIED, "flew beyond the bound");
                    copied++;
                }
                require(pool.stats().quarantined() == lost.size(), "counted by the pool");
            }
            System.out.println(lost.size() + " in quarantine, then " + copied + " copied: " + pool.stats());
            require(lost.size() == BUFFERS / 4, "as many as the bound allows");
            require(copied > 0, "and sends went on");
            for (int i = lost.size(); i < BUFFERS; i++) {
                require(!lost.contains(pool.lease().segment().address()), "lent again");
            }
            try {
                pool.lease(Duration.ZERO);
                throw new AssertionError("lent again");
            } catch (TimeoutException e) {
                require(e.getMessage().contains("quarantined=" + lost.size()), e.getMessage());
            }
            pool.close();
            pairs.forEach(Pair::close);
            System.out.println("done");
        }
    }

    @Test
    @DisplayName(
            "M8, #11: with a small limit of locked memory nothing can be sent without a copy: it copies at once, and says so")
    void noLockedMemory() throws Exception {
        Assumptions.assumeTrue(Child.has("setpriv", "--version"), "setpriv is not installed");
        Child child = inNamespace(
                LOOPBACK + " && ulimit -l 0",
                List.of("setpriv", "--bounding-set=-ipc_lock", "--inh-caps=-ipc_lock"),
                Poor.class);
        assertThat(child.out()).contains("0 by zero copy").contains("ulimit -l").contains("done");
        assertThat(child.err().lines().filter(line -> line.contains("ulimit -l")))
                .as("logged once")
                .hasSize(1);
    }

    @Test
    @DisplayName(
            "M8, M9, #11: with little memory for options it drains and tries again, copies what is refused, and says so")
    void littleOptionMemory() throws Exception {
        Child child = inNamespace(LOOPBACK + " && echo 4096 > /proc/sys/net/core/optmem_max", List.of(), Poor.class);
        assertThat(child.out()).contains("optmem_max").contains("done").doesNotContain(" 0 by zero copy");
    }

    /** Sends to somebody who reads late, and then to somebody who reads at once. */
    static final class Poor {
        public static void main(String[] arguments) throws Exception {
            run(null);
        }

        static void run(ZeroCopyCalls calls) throws Exception {
            int count = 200;
            int size = 20_000;
            try (Pair pair = Pair.open(Pair.Kind.TCP);
                    BufferPool pool = BufferPool.open(size, count);
                    ZeroCopySender sender = ZeroCopySender.over(pair.near())
                            .policy(ZeroCopySender.Policy.ALWAYS)
                            .by(calls)
                            .open()) {
                pair.near().sendBuffer(8 << 20);
                for (int i = 0; i < count; i++) {
                    sender.send(Sending.filled(pool, i, size));
                }
                CompletableFuture<Void> received = Bytes.async(() -> {
                    for (int i = 0; i < 2 * count; i++) {
                        Sending.assertSame(Bytes.read(pair.far(), size), Bytes.random(i, size));
                    }
                    return null;
                });
                for (int i = count; i < 2 * count; i++) {
                    sender.send(Sending.filled(pool, i, size));
                }
                received.get();
                ZeroCopySender.Stats stats = sender.stats();
                System.out.println("there are " + stats.zeroCopyCalls() + " by zero copy, refused "
                        + stats.outOfMemory() + " times: " + stats.reason());
                if (stats.outOfMemory() == 0) {
                    throw new AssertionError("the limit is not felt");
                }
            }
            System.out.println("done");
        }
    }
}
