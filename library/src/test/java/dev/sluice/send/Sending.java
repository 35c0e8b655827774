package dev.sluice.send;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.testkit.Bytes;
import java.time.Duration;
import java.util.Arrays;
import java.util.function.BooleanSupplier;

/** What the tests of sends share. */
final class Sending {
    static final Duration LONG = Duration.ofSeconds(20);

    private Sending() {}

    /** A lease with random bytes of the seed. */
    static BufferLease filled(BufferPool pool, long seed, int length) throws InterruptedException {
        return pool.lease().put(Bytes.random(seed, length));
    }

    static void assertSame(byte[] actual, byte[] expected) {
        assertThat(Arrays.mismatch(actual, expected))
                .as("first byte that differs")
                .isEqualTo(-1);
    }

    static void assertReleased(SendReceipt receipt) throws InterruptedException {
        assertThat(receipt.awaitReleased(LONG)).isEqualTo(SendReceipt.Custody.RELEASED);
    }

    /** Waits for something that comes by itself. */
    static void await(String what, BooleanSupplier condition) throws InterruptedException {
        long deadline = System.nanoTime() + LONG.toNanos();
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() - deadline > 0) {
                throw new AssertionError("not within " + LONG + ": " + what);
            }
            Thread.sleep(2);
        }
    }
}
