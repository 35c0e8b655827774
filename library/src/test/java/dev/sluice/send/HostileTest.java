package dev.sluice.send;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.net.StreamSocket;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Pair;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * Receivers that are slow, reset, never read or vanish, and callers who race sends, closes, interrupts and waits, by a random
 * schedule. Every message has a pattern of its own, and vandals overwrite each buffer the instant it is free: no byte may
 * arrive that was not in the buffer when it was sent.
 */
@ExtendWith(LeakCheck.class)
@Timeout(120)
class HostileTest {
    private static final int BUFFER = 48 * 1024;
    private static final int BUFFERS = 6;
    private static final int HEADER = 16;
    private static final int MAGIC = 0x51D1CE00;
    private static final int ROUNDS = 60;

    /** Also run with a ring, see {@link RingHostileTest}. */
    ZeroCopySender.Builder over(StreamSocket socket) throws Exception {
        return ZeroCopySender.over(socket);
    }

    private final AtomicLong messages = new AtomicLong();

    @Test
    @DisplayName("M13, M14, M18, R14: no foreign byte arrives and every buffer comes back, whatever both sides do")
    void randomSchedule() throws Exception {
        long seed = Long.getLong("sluice.seed", System.nanoTime());
        System.out.println("hostile schedule, -Dsluice.seed=" + seed);
        RandomGenerator random = Bytes.generator(seed);
        for (int round = 0; round < ROUNDS; round++) {
            try (BufferPool pool = BufferPool.open(BUFFER, BUFFERS)) {
                AtomicBoolean over = new AtomicBoolean();
                CompletableFuture<Void> vandal = Bytes.async(() -> vandalise(pool, over));
                try {
                    round(pool, random);
                    Sending.await("every buffer is back", () -> pool.stats().inFlight() == 0);
                    assertThat(pool.stats().quarantined())
                            .as("on loopback a reset frees all")
                            .isZero();
                } catch (Exception | AssertionError e) {
                    throw new AssertionError("seed " + seed + ", round " + round, e);
                } finally {
                    over.set(true);
                    vandal.get();
                }
                // Whoever was told of a release may be at it still.
                Sending.await("every buffer is free", () -> pool.stats().free() == BUFFERS);
            }
        }
        System.out.println(messages + " messages arrived whole");
        assertThat(messages.get()).isPositive();
    }

    private static Void vandalise(BufferPool pool, AtomicBoolean over) throws InterruptedException {
        byte[] garbage = new byte[BUFFER];
        java.util.Arrays.fill(garbage, (byte) 0xEE);
        while (!over.get()) {
            try {
                pool.lease(Duration.ofMillis(5)).put(garbage).close();
            } catch (TimeoutException e) {
                // All are in flight.
            }
            Thread.yield();
        }
        return null;
    }

    private void round(BufferPool pool, RandomGenerator random) throws Exception {
        Pair.Kind kind = random.nextInt(4) == 0 ? Pair.Kind.TCP6 : Pair.Kind.TCP;
        try (Pair pair = Pair.open(kind)) {
            if (random.nextBoolean()) {
                pair.near().sendBuffer(16 * 1024);
            }
            if (random.nextBoolean()) {
                pair.far().receiveBuffer(8 * 1024);
            }
            ZeroCopySender.Builder builder = over(pair.near())
                    .policy(random.nextInt(4) == 0 ? ZeroCopySender.Policy.ADAPTIVE : ZeroCopySender.Policy.ALWAYS)
                    .threshold(1)
                    .linger(Duration.ofMillis(random.nextInt(60)));
            if (random.nextBoolean()) {
                builder.maxInFlight(BUFFER * 2);
            }
            if (random.nextBoolean()) {
                builder.timeout(Duration.ofMillis(1 + random.nextInt(50)));
            }
            ZeroCopySender sender = builder.open();
            long receiverSeed = random.nextLong();
            CompletableFuture<Void> receiver = Bytes.async(() -> receive(pair.far(), Bytes.generator(receiverSeed)));
            List<Thread> callers = new ArrayList<>();
            List<CompletableFuture<Void>> ends = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                long callerSeed = random.nextLong();
                CompletableFuture<Void> end = new CompletableFuture<>();
                Runnable work = () -> {
                    try {
                        call(sender, pool, Bytes.generator(callerSeed));
                        end.complete(null);
                    } catch (Throwable t) {
                        end.completeExceptionally(t);
                    }
                };
                callers.add(
                        random.nextBoolean()
                                ? Thread.ofVirtual().unstarted(work)
                                : Thread.ofPlatform().unstarted(work));
                ends.add(end);
            }
            callers.forEach(Thread::start);
            for (int i = random.nextInt(4); i > 0; i--) {
                Thread.sleep(random.nextInt(10));
                callers.get(random.nextInt(callers.size())).interrupt();
            }
            Thread.sleep(random.nextInt(60));
            switch (random.nextInt(5)) {
                case 0 -> sender.abort();
                case 1 -> pair.near().close();
                case 2 -> pair.far().abort();
                case 3 -> sender.close(Duration.ofMillis(random.nextInt(30)));
                default -> {}
            }
            sender.close();
            for (CompletableFuture<Void> end : ends) {
                end.get(30, TimeUnit.SECONDS);
            }
            pair.far().close();
            receiver.get(30, TimeUnit.SECONDS);
        }
    }

    /** Sends until it can't any more. */
    private static void call(ZeroCopySender sender, BufferPool pool, RandomGenerator random) throws Exception {
        List<SendReceipt> receipts = new ArrayList<>();
        try {
            for (int i = 0; i < 200; i++) {
                BufferLease lease = pool.lease(Duration.ofMillis(200));
                try {
                    fill(lease, random);
                    Stage upTo = random.nextInt(3) == 0 ? Stage.ACKED : Stage.QUEUED;
                    boolean frozen = random.nextInt(8) == 0;
                    if (frozen) {
                        lease.freeze();
                    }
                    receipts.add(sender.send(lease, upTo));
                    if (frozen) {
                        lease.close();
                        lease = null;
                    }
                } catch (IOException e) {
                    boolean gone =
                            e instanceof SendException part && part.receipt().isPresent();
                    if (!gone || lease.state() == BufferLease.State.FROZEN) {
                        lease.close();
                    }
                    return;
                }
                SendReceipt receipt = receipts.get(random.nextInt(receipts.size()));
                switch (random.nextInt(6)) {
                    case 0 -> receipt.awaitReleased(Duration.ofMillis(random.nextInt(20)));
                    case 1 -> receipt.await(Stage.ACKED, Duration.ofMillis(random.nextInt(20)));
                    case 2 -> receipt.whenReleased().thenAccept(done -> vandaliseNow(pool));
                    case 3 -> sender.drain();
                    case 4 -> receipt.isReleased();
                    default -> {}
                }
            }
        } catch (IOException | InterruptedException | TimeoutException e) {
            // The schedule's doing.
        }
    }

    private static void vandaliseNow(BufferPool pool) {
        try {
            pool.lease(Duration.ZERO).put(new byte[BUFFER]).close();
        } catch (InterruptedException | TimeoutException | IllegalStateException e) {
            // Somebody else was faster, or the pool is closed.
        }
    }

    /** A header of magic, length and seed, and a pattern that belongs to the seed. */
    private static void fill(BufferLease lease, RandomGenerator random) {
        int length = 1 + random.nextInt(BUFFER - HEADER);
        long pattern = random.nextLong();
        lease.put(ByteBuffer.allocate(HEADER)
                .putInt(MAGIC)
                .putInt(length)
                .putLong(pattern)
                .flip());
        lease.put(Bytes.random(pattern, length));
    }

    private Void receive(StreamSocket socket, RandomGenerator random) throws Exception {
        int manner = random.nextInt(5);
        if (manner == 0) {
            // Never reads; closed, with all that is unread, by the schedule.
            return null;
        }
        int patience = manner == 1 ? 1 + random.nextInt(20) : Integer.MAX_VALUE;
        try {
            ByteBuffer header = ByteBuffer.allocate(HEADER);
            for (int i = 0; i < patience; i++) {
                read(socket, header.clear(), random, manner);
                header.flip();
                int magic = header.getInt();
                if (magic != MAGIC) {
                    throw new AssertionError("message " + i + " begins with " + Integer.toHexString(magic));
                }
                byte[] expected = new byte[header.getInt()];
                Bytes.generator(header.getLong()).nextBytes(expected);
                ByteBuffer payload = ByteBuffer.allocate(expected.length);
                boolean whole = false;
                try {
                    read(socket, payload, random, manner);
                    whole = true;
                } finally {
                    // Also of a message that was cut off every byte is right.
                    int differs = java.util.Arrays.mismatch(
                            payload.array(), 0, payload.position(), expected, 0, payload.position());
                    if (differs >= 0) {
                        throw new AssertionError("byte " + differs + " of message " + i + " is "
                                + Integer.toHexString(payload.get(differs) & 0xFF));
                    }
                }
                if (whole) {
                    messages.incrementAndGet();
                }
            }
            if (random.nextBoolean()) {
                socket.abort();
            } else {
                socket.close();
            }
        } catch (IOException e) {
            // The end, or a reset.
        }
        return null;
    }

    private static void read(StreamSocket socket, ByteBuffer buffer, RandomGenerator random, int manner)
            throws IOException, InterruptedException {
        while (buffer.hasRemaining()) {
            if (socket.read(buffer) < 0) {
                throw new java.io.EOFException();
            }
            if (manner == 2 && random.nextInt(4) == 0) {
                Thread.sleep(1);
            }
        }
    }
}
