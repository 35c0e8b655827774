package dev.sluice.loop;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Who shares a bucket gets what the others left. */
@Timeout(30)
class RateTest {
    @Test
    void whatOneTakesTheOtherMisses() {
        // A byte per second: nothing flows in while the test runs. A bucket holds 16 KiB at least.
        Rate shared = new Rate(1);
        Rate one = new Rate(1, shared);
        Rate two = new Rate(1, shared);
        assertThat(one.allowed()).isEqualTo(16_384);
        one.take(10_000);
        assertThat(two.allowed()).isBetween(6_384L, 16_000L);
        assertThat(two.nanosUntilWorthwhile()).isNotPositive();
        two.take(6_384);
        assertThat(one.allowed()).isLessThan(1_000);
        assertThat(two.nanosUntilWorthwhile()).isPositive();
    }
}
