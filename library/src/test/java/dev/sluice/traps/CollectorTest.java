package dev.sluice.traps;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.Pipeline;
import dev.sluice.Sluice;
import dev.sluice.io.Route;
import dev.sluice.io.TransferException;
import dev.sluice.io.TransferResult;
import dev.sluice.net.StreamSocket;
import dev.sluice.pipe.KernelPipe;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Pair;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The garbage collector and the library leave each other alone. */
@ExtendWith(LeakCheck.class)
@Timeout(60)
class CollectorTest {
    private static final long MOVED = 1L << 30;
    private static final long LITTLE = 64 * 1024;

    @Test
    @DisplayName("J1, J5: a collection completes while the loops wait in the kernel for a hundred stalled transfers")
    void collectionCompletes() throws Exception {
        List<KernelPipe> pipes = new ArrayList<>();
        List<CompletableFuture<TransferResult>> stalled = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            KernelPipe in = KernelPipe.open();
            KernelPipe out = KernelPipe.open();
            pipes.add(in);
            pipes.add(out);
            stalled.add(Bytes.async(() -> Sluice.transfer(in.source(), out.sink())));
        }
        for (int i = 0; i < 3; i++) {
            Stage.get(Bytes.platform(() -> {
                System.gc();
                return true;
            }));
        }
        assertThat(stalled).noneMatch(CompletableFuture::isDone);
        pipes.forEach(KernelPipe::close);
        for (CompletableFuture<TransferResult> each : stalled) {
            Stage.failure(each, TransferException.class);
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = Route.class,
            names = {"SPLICE", "COPY"})
    @DisplayName("J1: the steps of a long transfer with a mirror allocate nothing on the loops' threads")
    void stepsAllocateNothing(Route route) throws Exception {
        // What the interpreter and the first compiler allocate ends with the second one.
        long least = Long.MAX_VALUE;
        for (int pass = 1; pass <= 12 && least >= LITTLE; pass++) {
            long before = allocated();
            long chunks = move(route, MOVED);
            long allocated = allocated() - before;
            System.out.printf("%s, pass %d: %d bytes allocated for %d chunks%n", route, pass, allocated, chunks);
            assertThat(chunks).isGreaterThan(10_000);
            least = Math.min(least, allocated);
        }
        assertThat(least).isLessThan(LITTLE);
    }

    /** Moves in chunks that each are waited for, so that there is at least one step per chunk. */
    private static long move(Route route, long length) throws Exception {
        try (Pair in = Pair.open(Pair.Kind.UNIX);
                Pair out = Pair.open(Pair.Kind.UNIX);
                KernelPipe mirror = KernelPipe.open()) {
            CompletableFuture<TransferResult> transfer = Bytes.async(() ->
                    Pipeline.from(in.far()).mirror(mirror.sink()).route(route).to(out.near()));
            int chunk = 60_000;
            CompletableFuture<Long> drained = Bytes.platform(() -> drain(out, mirror));
            ByteBuffer data = ByteBuffer.allocateDirect(chunk);
            long chunks = 0;
            for (long sent = 0; sent < length; sent += chunk, chunks++) {
                in.near().write(data.clear());
            }
            in.near().shutdownOutput();
            assertThat(Stage.get(transfer).bytes()).isEqualTo(chunks * chunk);
            out.near().shutdownOutput();
            mirror.closeSink();
            assertThat(Stage.get(drained)).isEqualTo(chunks * chunk);
            return chunks;
        }
    }

    private static long drain(Pair out, KernelPipe mirror) throws Exception {
        CompletableFuture<Long> other = Bytes.platform(() -> drain(mirror.source()));
        long count = drain(out.far());
        assertThat(other.join()).isEqualTo(count);
        return count;
    }

    private static long drain(java.nio.channels.ReadableByteChannel from) throws Exception {
        ByteBuffer buffer = ByteBuffer.allocateDirect(1 << 20);
        long count = 0;
        while (from.read(buffer.clear()) >= 0) {
            count += buffer.position();
        }
        return count;
    }

    private static long allocated() {
        var threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
        long sum = 0;
        for (long id : threads.getAllThreadIds()) {
            var info = threads.getThreadInfo(id);
            if (info != null && info.getThreadName().startsWith("sluice-loop")) {
                sum += threads.getThreadAllocatedBytes(id);
            }
        }
        return sum;
    }

    @Test
    @DisplayName("S28: a socket that only its parked reader knows is not closed under him by the collector")
    void readerKeepsItsSocket() throws Exception {
        List<StreamSocket> peers = new ArrayList<>();
        List<CompletableFuture<Integer>> readers = new ArrayList<>();
        for (int i = 0; i < 30; i++) {
            Pair pair = Pair.open(Pair.Kind.ABSTRACT);
            peers.add(pair.far());
            readers.add(readInCompiledCode(pair.near()));
        }
        // So many bytes as make the readers' code hot, one at a time, and the last one stays out.
        byte[] warm = new byte[WARM];
        for (StreamSocket peer : peers) {
            Bytes.write(peer, warm, WARM);
        }
        Thread.sleep(500);
        for (int i = 0; i < 5; i++) {
            System.gc();
            Thread.sleep(100);
        }
        assertThat(readers).noneMatch(CompletableFuture::isDone);
        for (StreamSocket peer : peers) {
            Bytes.write(peer, new byte[] {42}, 1);
        }
        for (CompletableFuture<Integer> reader : readers) {
            assertThat(Stage.get(reader)).isEqualTo(42);
        }
        peers.forEach(StreamSocket::close);
        System.gc();
    }

    private static final int WARM = 20_000;

    private static CompletableFuture<Integer> readInCompiledCode(StreamSocket only) {
        StreamSocket[] holder = {only};
        return Bytes.platform(() -> {
            StreamSocket socket = holder[0];
            holder[0] = null;
            ByteBuffer one = ByteBuffer.allocateDirect(1);
            for (int i = 0; i < WARM; i++) {
                readOne(socket, one);
            }
            return readLast(socket, one);
        });
    }

    private static int readLast(StreamSocket socket, ByteBuffer one) throws Exception {
        return readOne(socket, one);
    }

    private static int readOne(StreamSocket socket, ByteBuffer one) throws Exception {
        socket.read(one.clear());
        return one.get(0);
    }
}
