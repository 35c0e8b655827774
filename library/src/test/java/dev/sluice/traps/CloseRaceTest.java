package dev.sluice.traps;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.JoinResult;
import dev.sluice.Sluice;
import dev.sluice.internal.fd.PipePool;
import dev.sluice.io.TransferException;
import dev.sluice.net.StreamSocket;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Pair;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.ClosedChannelException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicLong;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@ExtendWith(LeakCheck.class)
@Timeout(60)
class CloseRaceTest {
    private static final int THREADS = 12;
    private static final long MILLIS = 3000;

    @Test
    @DisplayName("S29, S30: sockets closed and reopened under transfers never show a byte of another stream")
    void noByteInTheWrongPlace() throws Exception {
        long seed = System.nanoTime();
        System.out.println("close race seed " + seed);
        AtomicLong transfers = new AtomicLong();
        AtomicLong cut = new AtomicLong();
        AtomicLong moved = new AtomicLong();
        long end = System.nanoTime() + MILLIS * 1_000_000;
        List<CompletableFuture<Void>> workers = new ArrayList<>();
        for (int i = 0; i < THREADS; i++) {
            RandomGenerator random = Bytes.generator(seed + i);
            byte pattern = (byte) (i + 1);
            workers.add((i % 2 == 0 ? Workers.VIRTUAL : Workers.PLATFORM).start(() -> {
                while (System.nanoTime() - end < 0) {
                    race(pattern, random, cut, moved);
                    transfers.incrementAndGet();
                }
                return null;
            }));
        }
        for (CompletableFuture<Void> worker : workers) {
            Stage.get(worker);
        }
        System.out.println(transfers + " transfers, " + cut + " cut, " + moved + " bytes");
        assertThat(cut.get()).isPositive();
        assertThat(PipePool.shared().lent()).isZero();
    }

    private enum Workers {
        VIRTUAL,
        PLATFORM;

        <T> CompletableFuture<T> start(Bytes.Call<T> call) {
            return this == VIRTUAL ? Bytes.async(call) : Bytes.platform(call);
        }
    }

    private static void race(byte pattern, RandomGenerator random, AtomicLong cut, AtomicLong moved) throws Exception {
        Pair.Kind kind = random.nextBoolean() ? Pair.Kind.TCP : Pair.Kind.ABSTRACT;
        int length = 1 + random.nextInt(400_000);
        byte[] payload = new byte[length];
        java.util.Arrays.fill(payload, pattern);
        int pause = random.nextInt(2000);
        int victim = random.nextInt(5);
        try (Pair in = Pair.open(kind);
                Pair out = Pair.open(kind)) {
            CompletableFuture<Object> sent = Bytes.async(() -> {
                Bytes.write(in.near(), payload, 1000 + random.nextInt(length));
                return in.near().shutdownOutput();
            });
            CompletableFuture<Long> received = Bytes.async(() -> check(out.far(), pattern));
            StreamSocket[] victims = {in.near(), in.far(), out.near(), out.far()};
            CompletableFuture<Object> closer = Bytes.async(() -> {
                Thread.sleep(0, pause * 100);
                if (victim < victims.length) {
                    victims[victim].close();
                }
                return null;
            });
            try {
                Sluice.transfer(in.far(), out.near());
            } catch (TransferException e) {
                cut.incrementAndGet();
                byte[] residue = Stage.bytes(e.residue());
                for (byte b : residue) {
                    assertThat(b).isEqualTo(pattern);
                }
            } catch (ClosedChannelException e) {
                cut.incrementAndGet();
            }
            out.near().close();
            in.far().close();
            moved.addAndGet(Stage.get(received));
            sent.exceptionally(e -> null).join();
            Stage.get(closer);
        }
    }

    private static long check(StreamSocket socket, byte pattern) {
        long count = 0;
        ByteBuffer buffer = ByteBuffer.allocate(16 * 1024);
        try {
            while (socket.read(buffer.clear()) >= 0) {
                for (int i = 0; i < buffer.position(); i++) {
                    if (buffer.get(i) != pattern) {
                        throw new AssertionError(
                                "byte " + (count + i) + " is " + buffer.get(i) + " and not " + pattern);
                    }
                }
                count += buffer.position();
            }
        } catch (IOException e) {
            // Cut short; what came was right.
        }
        return count;
    }

    @ParameterizedTest
    @EnumSource(Dead.class)
    @DisplayName("S29: a join whose one direction fails before the other has started still ends")
    void joinOfADeadSocketEnds(Dead dead) throws Exception {
        for (int i = 0; i < 1000; i++) {
            try (Pair left = Pair.open(Pair.Kind.TCP);
                    Pair right = Pair.open(Pair.Kind.TCP)) {
                if (dead != Dead.SECOND) {
                    left.near().abort();
                }
                if (dead != Dead.FIRST) {
                    right.far().abort();
                }
                CompletableFuture<JoinResult> join = Bytes.async(() -> Sluice.join(left.far(), right.near()));
                assertThat(Stage.get(join).complete()).isFalse();
            }
        }
    }

    /** Which of the joined sockets was reset before the join. */
    enum Dead {
        FIRST,
        SECOND,
        BOTH
    }

    @Test
    @DisplayName("S29: closing at the very moment when a transfer starts ends it")
    void closeWhileStarting() throws Exception {
        for (int i = 0; i < 2000; i++) {
            try (Pair left = Pair.open(Pair.Kind.ABSTRACT);
                    Pair right = Pair.open(Pair.Kind.ABSTRACT)) {
                CompletableFuture<Object> transfer = Bytes.platform(() -> Sluice.transfer(left.far(), right.near()));
                StreamSocket victim = i % 2 == 0 ? left.far() : right.near();
                for (int spin = i % 50; spin > 0; spin--) {
                    Thread.onSpinWait();
                }
                victim.close();
                Throwable end = Stage.failure(transfer, IOException.class);
                if (end instanceof TransferException e) {
                    assertThat(e).hasCauseInstanceOf(AsynchronousCloseException.class);
                } else {
                    assertThat(end).isInstanceOf(ClosedChannelException.class);
                }
            }
        }
    }
}
