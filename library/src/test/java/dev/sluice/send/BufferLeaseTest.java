package dev.sluice.send;

import static dev.sluice.send.Sending.LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.internal.linux.Memory;
import dev.sluice.send.BufferLease.State;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.Child;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Pair;
import dev.sluice.testkit.Parked;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.BufferOverflowException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@ExtendWith(LeakCheck.class)
@Timeout(60)
class BufferLeaseTest {
    private static final int SIZE = 64 * 1024;

    private BufferPool pool;

    /** A send of it is in flight until the peer reads, or the test ends. */
    private Pair pair;

    private ZeroCopySender sender;

    @BeforeEach
    void open() throws Exception {
        pool = BufferPool.open(SIZE, 4);
        pair = Pair.open(Pair.Kind.TCP);
        pair.near().sendBuffer(1 << 20);
        sender = ZeroCopySender.over(pair.near())
                .policy(ZeroCopySender.Policy.ALWAYS)
                .drainedByCaller()
                .open();
    }

    @AfterEach
    void close() throws Exception {
        sender.abort();
        pair.close();
        pool.close();
        Sending.await("every buffer is back", () -> {
            BufferPool.Stats stats = pool.stats();
            return stats.inFlight() == 0;
        });
    }

    /** In flight for as long as nobody drains, whatever the kernel has done meanwhile. */
    private BufferLease inFlight() throws Exception {
        BufferLease lease = Sending.filled(pool, 1, 1000);
        sender.send(lease);
        assertThat(lease.state()).isEqualTo(State.IN_FLIGHT);
        return lease;
    }

    @Test
    @DisplayName("M14, #15: while the kernel has it, whatever would change it throws and names state and buffer")
    void misuseInFlight() throws Exception {
        BufferLease lease = inFlight();
        List<org.assertj.core.api.ThrowableAssert.ThrowingCallable> misuses = List.of(
                () -> lease.put(new byte[1]),
                () -> lease.put(ByteBuffer.allocate(1)),
                () -> lease.readFrom(Channels.newChannel(new java.io.ByteArrayInputStream(new byte[1]))),
                lease::segment,
                lease::freeze,
                () -> lease.length(5),
                lease::close,
                () -> sender.send(lease));
        for (var misuse : misuses) {
            assertThatThrownBy(misuse)
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("IN_FLIGHT")
                    .hasMessageContaining("buffer 0 of pool@");
        }
        assertThat(lease.readOnly().toArray(ValueLayout.JAVA_BYTE)).isEqualTo(Bytes.random(1, 1000));
        Bytes.read(pair.far(), 1000);
        Sending.await("the completion", () -> sender.drain() > 0);
        assertThat(lease.state()).isEqualTo(State.RELEASED);
    }

    @Test
    @DisplayName("#15: after the release it is somebody else's; closing it again does nothing")
    void misuseAfterwards() throws Exception {
        BufferLease lease = pool.lease();
        lease.close();
        lease.close();
        assertThatThrownBy(() -> lease.put(new byte[1])).hasMessageContaining("RELEASED");
        assertThatThrownBy(lease::segment).hasMessageContaining("no longer leased");
        assertThatThrownBy(lease::readOnly).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> sender.send(lease)).isInstanceOf(IllegalStateException.class);
        assertThat(pool.stats().free()).isEqualTo(4);
    }

    @Test
    @DisplayName("#15: a segment that was kept can't be written to once the lease is sent, frozen or closed")
    void keptSegment() throws Exception {
        BufferLease lease = pool.lease().length(8);
        MemorySegment segment = lease.segment();
        ByteBuffer view = segment.asByteBuffer();
        segment.set(ValueLayout.JAVA_LONG, 0, 42);
        sender.send(lease);
        assertThatThrownBy(() -> segment.set(ValueLayout.JAVA_LONG, 0, 43)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> view.put((byte) 1)).isInstanceOf(IllegalStateException.class);
        assertThat(Bytes.read(pair.far(), 8)[0]).isEqualTo((byte) 42);

        BufferLease frozen = pool.lease();
        MemorySegment before = frozen.segment();
        frozen.freeze();
        assertThatThrownBy(() -> before.fill((byte) 1)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(frozen::segment).hasMessageContaining("frozen");
        assertThatThrownBy(() -> frozen.put(new byte[1])).hasMessageContaining("frozen");
        frozen.close();
        BufferLease closed = pool.lease();
        MemorySegment last = closed.segment();
        closed.close();
        assertThatThrownBy(() -> last.fill((byte) 1)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    @DisplayName("M14: another thread can't send what this one writes through a segment")
    void segmentOfAnotherThread() throws Exception {
        BufferLease lease = pool.lease().length(8);
        MemorySegment segment = lease.segment();
        assertThat(Bytes.async(() -> sender.send(lease))
                        .handle((receipt, failure) -> failure)
                        .get())
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("only the thread");
        segment.set(ValueLayout.JAVA_LONG, 0, 1);
        sender.send(lease);
    }

    @Test
    @DisplayName("Wol's wish: frozen once, sent to many; back when the owner and every send are done")
    void frozen() throws Exception {
        byte[] data = Bytes.random(3, SIZE);
        BufferLease lease = pool.lease().put(data).freeze();
        try (Pair other = Pair.open(Pair.Kind.TCP6);
                Pair third = Pair.open(Pair.Kind.UNIX);
                ZeroCopySender v6 = ZeroCopySender.open(other.near());
                ZeroCopySender unix = ZeroCopySender.open(third.near())) {
            SendReceipt first = sender.send(lease);
            SendReceipt again = sender.send(lease);
            SendReceipt second = v6.send(lease);
            SendReceipt copied = unix.send(lease);
            Sending.assertReleased(copied);
            assertThat(lease.state()).isEqualTo(State.FROZEN);
            lease.close();
            assertThat(lease.state()).as("two sends are out").isEqualTo(State.IN_FLIGHT);
            assertThatThrownBy(() -> v6.send(lease)).isInstanceOf(IllegalStateException.class);
            lease.close();
            Sending.assertSame(Bytes.read(other.far(), SIZE), data);
            Sending.assertSame(Bytes.read(third.far(), SIZE), data);
            Sending.assertSame(Bytes.read(pair.far(), SIZE), data);
            Sending.assertSame(Bytes.read(pair.far(), SIZE), data);
            Sending.assertReleased(second);
            Sending.await("both", () -> first.isReleased() && again.isReleased());
            assertThat(lease.state()).isEqualTo(State.RELEASED);
            assertThat(pool.stats().free()).isEqualTo(4);
        }
    }

    @Test
    @DisplayName("filling: by bytes, buffers, a channel and a segment, never beyond the end")
    void filling() throws Exception {
        BufferLease lease = pool.lease();
        byte[] data = Bytes.random(5, SIZE);
        lease.put(java.util.Arrays.copyOf(data, 10));
        lease.put(ByteBuffer.wrap(data, 10, 10));
        int read = lease.readFrom(Channels.newChannel(new java.io.ByteArrayInputStream(data, 20, 1000)));
        assertThat(read).isEqualTo(1000);
        assertThat(lease.length()).isEqualTo(1020);
        lease.segment().asSlice(1020).copyFrom(MemorySegment.ofArray(data).asSlice(1020));
        lease.length(SIZE);
        assertThatThrownBy(() -> lease.put(new byte[1])).isInstanceOf(BufferOverflowException.class);
        assertThatThrownBy(() -> lease.length(SIZE + 1)).isInstanceOf(IllegalArgumentException.class);
        Sending.assertSame(lease.readOnly().toArray(ValueLayout.JAVA_BYTE), data);
        assertThatThrownBy(() -> lease.readOnly().fill((byte) 0)).isInstanceOf(RuntimeException.class);
        lease.close();
    }

    @Test
    @DisplayName("jezuch's wish: a pool lends each buffer once, waits for the oldest, and says where they are")
    void exhausted() throws Exception {
        List<BufferLease> owned = new java.util.ArrayList<>();
        for (int i = 0; i < 4; i++) {
            owned.add(pool.lease());
        }
        assertThatThrownBy(() -> pool.lease(Duration.ZERO))
                .isInstanceOf(TimeoutException.class)
                .hasMessageContaining("owned=4");
        Parked<BufferLease> waiting = Parked.virtual(pool::lease);
        owned.removeFirst().close();
        BufferLease got = waiting.get();
        for (BufferLease lease : owned) {
            sender.send(lease.length(1000));
        }
        Bytes.read(pair.far(), 3000);
        // Nobody drains but those who want a buffer.
        Sending.await("a buffer", () -> {
            try {
                pool.lease(Duration.ZERO).close();
                return true;
            } catch (InterruptedException | TimeoutException e) {
                return false;
            }
        });
        got.close();
        Parked<BufferLease> interrupted = Parked.virtual(() -> {
            BufferLease last = null;
            while (true) {
                last = pool.lease();
            }
        });
        interrupted.thread().interrupt();
        assertThat(interrupted.failure()).isInstanceOf(InterruptedException.class);
    }

    @Test
    @DisplayName("J2, #13: closing the pool takes nothing from those who have a lease, nor from the kernel")
    void poolClosedWithLeasesOut() throws Exception {
        BufferPool closing = BufferPool.open(SIZE, 2);
        byte[] data = Bytes.random(8, SIZE);
        BufferLease owned = closing.lease().put(data);
        BufferLease sent = closing.lease().put(data);
        MemorySegment view = sent.readOnly();
        SendReceipt receipt = sender.send(sent);
        closing.close();
        assertThatThrownBy(closing::lease).hasMessageContaining("closed");
        Sending.assertSame(owned.readOnly().toArray(ValueLayout.JAVA_BYTE), data);
        Sending.assertSame(view.toArray(ValueLayout.JAVA_BYTE), data);
        Sending.assertSame(Bytes.read(pair.far(), SIZE), data);
        Sending.await("the release", receipt::isReleased);
        sender.send(owned);
        Sending.assertSame(Bytes.read(pair.far(), SIZE), data);
        Sending.await("unmapped with the last", () -> {
            sender.drain();
            return !view.scope().isAlive();
        });
        assertThatThrownBy(() -> view.get(ValueLayout.JAVA_BYTE, 0)).isInstanceOf(IllegalStateException.class);
    }

    @ParameterizedTest
    @EnumSource(BufferPool.Pages.class)
    @DisplayName("huge pages if there are any, and it says what it got")
    void pages(BufferPool.Pages wish) throws Exception {
        try (BufferPool big = BufferPool.open(100_000, 50, wish)) {
            System.out.println("asked for " + wish + ", got " + big.pages());
            assertThat(big.pages()).isLessThanOrEqualTo(wish);
            List<BufferLease> leases = new java.util.ArrayList<>();
            for (int i = 0; i < 50; i++) {
                leases.add(Sending.filled(big, i, 100_000));
            }
            for (int i = 0; i < 50; i++) {
                Sending.assertSame(leases.get(i).readOnly().toArray(ValueLayout.JAVA_BYTE), Bytes.random(i, 100_000));
                leases.get(i).close();
            }
        }
        assertThatThrownBy(() -> BufferPool.open(0, 1)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> BufferPool.open(1 << 30, 1 << 30)).hasMessageContaining("ENOMEM");
    }

    @Test
    @DisplayName(
            "jezuch's wish: a forgotten lease comes back, and the log names the place; the guard finds writes in flight")
    void detectors() throws Exception {
        Child child = Child.run(
                Child.command(List.of(), List.of("-Dsluice.leaks=on", "-Dsluice.guard=checksum"), Detectors.class));
        assertThat(child.exit()).as(child.toString()).isZero();
        assertThat(child.err())
                .contains("was leased and forgotten")
                .contains("Detectors.forget")
                .contains("is leased at its close")
                .contains("Detectors.hoard")
                .contains("was written to while the kernel had it");
        assertThat(child.out()).contains("forgotten=1").contains("written=1").contains("done");
    }

    /** Does what nobody should. */
    static final class Detectors {
        public static void main(String[] arguments) throws Exception {
            BufferPool pool = BufferPool.open(4096, 4);
            forget(pool);
            for (int i = 0; i < 500 && pool.stats().forgotten() == 0; i++) {
                System.gc();
                Thread.sleep(10);
            }
            try (Pair pair = Pair.open(Pair.Kind.TCP);
                    ZeroCopySender sender = ZeroCopySender.over(pair.near())
                            .policy(ZeroCopySender.Policy.ALWAYS)
                            .open()) {
                BufferLease honest = pool.lease().put(new byte[4096]);
                sender.sendUntilReleased(honest, LONG);
                BufferLease lease = pool.lease().put(new byte[4096]);
                SendReceipt receipt;
                BufferLease frozen = lease.freeze();
                receipt = sender.send(frozen);
                // What only somebody with the bare address can do.
                try (Arena arena = Arena.ofConfined()) {
                    Memory.at(lease.address(), 4096, arena, gone -> {}).set(ValueLayout.JAVA_BYTE, 7, (byte) 1);
                }
                receipt.awaitReleased(LONG);
                frozen.close();
                hoard(pool);
                System.out.println(pool.stats());
                pool.close();
            }
            System.out.println("done");
        }

        private static void forget(BufferPool pool) throws InterruptedException {
            pool.lease();
        }

        private static void hoard(BufferPool pool) throws InterruptedException {
            pool.lease();
        }
    }
}
