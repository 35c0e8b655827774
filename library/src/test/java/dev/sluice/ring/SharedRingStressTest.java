package dev.sluice.ring;

import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.internal.linux.Errno;
import dev.sluice.internal.linux.Files;
import dev.sluice.internal.linux.Polling;
import dev.sluice.internal.linux.Sockets;
import dev.sluice.io.Endpoint;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.LeakCheck;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.SocketTimeoutException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicLong;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/**
 * Mixed operations of 64 threads, half of them virtual, through a ring of 8 entries, with time-outs and interrupts at random.
 * {@code -Dsluice.test.ring=10000000} makes that many, {@code -Dsluice.test.seed} repeats a run.
 */
@Timeout(3600)
@ExtendWith(LeakCheck.class)
class SharedRingStressTest {
    private static final int THREADS = 64;
    private static final int BLOCK = 256;
    private static final long OPERATIONS = Long.getLong("sluice.test.ring", 100_000);
    private static final long SEED = Long.getLong("sluice.test.seed", System.nanoTime());

    @TempDir
    Path directory;

    private final AtomicLong left = new AtomicLong(OPERATIONS);
    private final AtomicLong timeouts = new AtomicLong();
    private final AtomicLong interrupts = new AtomicLong();

    @Test
    @DisplayName("U5, U8: nothing is lost, mixed up or left behind")
    void mixed() throws Exception {
        System.out.println("shared ring: seed " + SEED);
        int file = Wait.file(directory.resolve("file"));
        try (SharedRing ring = SharedRing.open(8)) {
            Assumptions.assumeTrue(ring.reason() == null, ring.reason());
            List<CompletableFuture<Void>> ends = new ArrayList<>();
            List<Thread> threads = new ArrayList<>();
            for (int i = 0; i < THREADS; i++) {
                CompletableFuture<Void> end = new CompletableFuture<>();
                int number = i;
                Thread.Builder builder =
                        i % 2 == 0 ? Thread.ofVirtual() : Thread.ofPlatform().daemon();
                threads.add(builder.start(() -> {
                    try (Worker worker = new Worker(ring, file, number)) {
                        worker.run();
                        end.complete(null);
                    } catch (Throwable t) {
                        end.completeExceptionally(t);
                    }
                }));
                ends.add(end);
            }
            RandomGenerator random = Bytes.generator(SEED - 1);
            while (left.get() > 0 && ends.stream().noneMatch(CompletableFuture::isCompletedExceptionally)) {
                Thread.sleep(1);
                threads.get(random.nextInt(THREADS)).interrupt();
            }
            for (CompletableFuture<Void> end : ends) {
                end.get();
            }
            System.out.printf(
                    "%d operations, %d timed out, %d interrupted, %d system calls of the ring%n",
                    OPERATIONS, timeouts.get(), interrupts.get(), ring.systemCalls());
        } finally {
            Files.close(file);
        }
    }

    /** One thread: a part of the file, a connection, an eventfd that nobody rings. */
    private final class Worker implements AutoCloseable {
        private final SharedRing ring;
        private final int file;
        private final int number;
        private final RandomGenerator random;
        private final Arena arena = Arena.ofConfined();
        private final MemorySegment out = arena.allocate(BLOCK, 8);
        private final MemorySegment in = arena.allocate(BLOCK, 8);
        private final int event = Polling.eventFd();
        private final int near;
        private final int far;
        private long sent;

        Worker(SharedRing ring, int file, int number) {
            this.ring = ring;
            this.file = file;
            this.number = number;
            this.random = Bytes.generator(SEED + number);
            Endpoint address = new Endpoint.Abstract("sluice-stress-" + SEED + "-" + number);
            int listener = Sockets.stream(Sockets.AF_UNIX);
            Sockets.bind(listener, address);
            Sockets.listen(listener, 1);
            near = Sockets.stream(Sockets.AF_UNIX);
            Sockets.connect(near, address);
            far = Sockets.accept(listener);
            Files.close(listener);
        }

        void run() throws IOException {
            while (left.getAndDecrement() > 0) {
                switch (random.nextInt(5)) {
                    case 0 -> assertThat(again(Submission::nop)).isZero();
                    case 1 -> file();
                    case 2 -> connection();
                    case 3 -> timeOut();
                    default -> badDescriptor();
                }
            }
        }

        /** Until nobody interrupts it; a cancelled operation has done nothing. */
        private int again(SharedRing.Entry entry) throws IOException {
            while (true) {
                try {
                    int result = ring.perform(entry);
                    Thread.interrupted();
                    return result;
                } catch (SocketTimeoutException e) {
                    throw e;
                } catch (InterruptedIOException e) {
                    interrupts.incrementAndGet();
                    assertThat(Thread.interrupted()).isTrue();
                }
            }
        }

        private void file() throws IOException {
            long at = (long) (number * 16 + random.nextInt(16)) * BLOCK;
            stamp(random.nextLong());
            boolean async = random.nextInt(4) == 0;
            assertThat(again(s -> {
                        s.write(file, out, at);
                        if (async) {
                            s.async();
                        }
                    }))
                    .isEqualTo(BLOCK);
            in.fill((byte) 0);
            assertThat(again(s -> s.read(file, in, at))).isEqualTo(BLOCK);
            assertThat(in.mismatch(out)).isEqualTo(-1);
        }

        private void stamp(long value) {
            for (int i = 0; i < BLOCK; i += 8) {
                out.set(JAVA_LONG, i, value + i);
            }
        }

        private void connection() throws IOException {
            int count = 1 + random.nextInt(3);
            for (int i = 0; i < count; i++) {
                stamp(sent + i);
                assertThat(again(s -> s.send(near, out, 0))).isEqualTo(BLOCK);
            }
            for (int i = 0; i < count; i++) {
                assertThat(again(s -> s.receive(far, in, 0x100))).isEqualTo(BLOCK);
                assertThat(in.get(JAVA_LONG, 0)).isEqualTo(sent++);
            }
        }

        private void timeOut() throws IOException {
            try {
                long nanos = 1 + random.nextInt(2_000_000);
                boolean receive = random.nextBoolean();
                SharedRing.Entry entry = receive ? s -> s.receive(far, in, 0) : s -> s.poll(event, Polling.EPOLLIN);
                ring.perform(entry, Duration.ofNanos(nanos));
                throw new AssertionError("nothing was there to end it");
            } catch (SocketTimeoutException e) {
                timeouts.incrementAndGet();
            } catch (InterruptedIOException e) {
                interrupts.incrementAndGet();
            }
            Thread.interrupted();
        }

        private void badDescriptor() throws IOException {
            assertThat(again(s -> s.read(1 << 20, in, 0))).isEqualTo(-Errno.EBADF);
        }

        @Override
        public void close() {
            Files.close(near);
            Files.close(far);
            Files.close(event);
            arena.close();
        }
    }
}
