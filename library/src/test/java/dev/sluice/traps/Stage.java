package dev.sluice.traps;

import dev.sluice.testkit.Bytes;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;
import java.util.function.LongSupplier;

/** What the trap tests share: threads at both ends of a transfer, and ways to see that it stalls. */
final class Stage {
    private static final long PATIENCE_SECONDS = 20;

    private Stage() {}

    /** The result, which has to come while others may stall for ever. */
    static <T> T get(CompletableFuture<T> future) throws Exception {
        return future.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    }

    /** The exception that the call ended with. */
    static <T extends Throwable> T failure(CompletableFuture<?> future, Class<T> type) throws Exception {
        try {
            throw new AssertionError("expected a " + type.getSimpleName() + ", got " + get(future));
        } catch (ExecutionException e) {
            if (type.isInstance(e.getCause())) {
                return type.cast(e.getCause());
            }
            throw new AssertionError("expected a " + type.getSimpleName(), e.getCause());
        } catch (TimeoutException e) {
            throw new AssertionError("no end after " + PATIENCE_SECONDS + " s", e);
        }
    }

    /** Waits for something that comes by itself, under a generous limit. */
    static void await(String what, BooleanSupplier condition) throws InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() - deadline > 0) {
                throw new AssertionError("not within " + PATIENCE_SECONDS + " s: " + what);
            }
            Thread.sleep(5);
        }
    }

    /** Waits until the figure has not moved for a while: whoever moved it has to wait for somebody. */
    static void awaitStill(LongSupplier figure) throws InterruptedException {
        long last = figure.getAsLong();
        for (int still = 0; still < 15; ) {
            Thread.sleep(10);
            long now = figure.getAsLong();
            still = now == last ? still + 1 : 0;
            last = now;
        }
    }

    /** CPU time that the library's threads use while the test does nothing for a second. */
    static Duration idleCpu() throws InterruptedException {
        long before = libraryCpu();
        Thread.sleep(1000);
        Duration used = Duration.ofNanos(libraryCpu() - before);
        System.out.println("CPU time of the library's threads in a second of stall: " + used);
        return used;
    }

    private static long libraryCpu() {
        ThreadMXBean threads = ManagementFactory.getThreadMXBean();
        long sum = 0;
        for (long id : threads.getAllThreadIds()) {
            var info = threads.getThreadInfo(id);
            if (info != null && info.getThreadName().startsWith("sluice-")) {
                sum += Math.max(0, threads.getThreadCpuTime(id));
            }
        }
        return sum;
    }

    /** Writes the bytes in the background and counts them. */
    static final class Feeder {
        final AtomicLong written = new AtomicLong();
        final CompletableFuture<Void> done;

        Feeder(WritableByteChannel to, byte[] bytes, int chunk) {
            done = Bytes.async(() -> {
                ByteBuffer rest = ByteBuffer.wrap(bytes);
                while (rest.hasRemaining()) {
                    ByteBuffer part = rest.slice(rest.position(), Math.min(chunk, rest.remaining()));
                    int count = to.write(part);
                    rest.position(rest.position() + count);
                    written.addAndGet(count);
                }
                return null;
            });
        }

        void awaitStalled() throws InterruptedException {
            await("the first byte", () -> written.get() > 0);
            awaitStill(written::get);
        }
    }

    /** Reads everything in the background, {@code chunk} bytes at a time with a pause after each. */
    static CompletableFuture<byte[]> reader(ReadableByteChannel from, int chunk, long pauseMicros) {
        return Bytes.async(() -> {
            var all = new java.io.ByteArrayOutputStream();
            ByteBuffer buffer = ByteBuffer.allocate(chunk);
            while (from.read(buffer.clear()) >= 0) {
                all.write(buffer.array(), 0, buffer.position());
                if (pauseMicros > 0) {
                    TimeUnit.MICROSECONDS.sleep(pauseMicros);
                }
            }
            return all.toByteArray();
        });
    }

    static byte[] bytes(ByteBuffer buffer) {
        byte[] bytes = new byte[buffer.remaining()];
        buffer.get(bytes);
        return bytes;
    }

    /** Writes a buffer of any kind to its end. */
    static void writeAll(WritableByteChannel to, ByteBuffer buffer) throws IOException {
        while (buffer.hasRemaining()) {
            to.write(buffer);
        }
    }
}
