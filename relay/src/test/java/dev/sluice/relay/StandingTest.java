package dev.sluice.relay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.sluice.relay.Standing.Claim;
import java.time.Duration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** When a target is taken, left and tried; the clock is the test's. */
@Timeout(60)
class StandingTest {
    private static final long SECOND = 1_000_000_000L;

    private final Standing standing = new Standing();
    private long now = 100 * SECOND;

    @BeforeEach
    void configure() {
        standing.health(Health.DEFAULT.backOff(Duration.ofSeconds(1), Duration.ofSeconds(60)));
    }

    /** How long until a connection may come, in steps of a millisecond. */
    private long pause() {
        long from = now;
        while (!standing.available(now)) {
            now += SECOND / 1000;
        }
        return now - from;
    }

    @Test
    @DisplayName("Left for a second after a failure, then twice as long each time, up to the longest; never in step")
    void backsOff() {
        for (int expected = 1; expected <= 64; expected *= 2) {
            standing.failed(standing.claim(now), now);
            long longest = Math.min(expected, 60) * SECOND;
            assertThat(pause()).isBetween(longest * 3 / 4, longest + SECOND / 1000);
        }
    }

    @Test
    @DisplayName("When the time has come, one connection tries it; the rest come if that one has got through")
    void oneTries() {
        standing.failed(Claim.TAKEN, now);
        pause();
        assertThat(standing.claim(now)).isEqualTo(Claim.TRIAL);
        assertThat(standing.available(now)).isFalse();
        assertThat(standing.claim(now + 1000 * SECOND)).isEqualTo(Claim.NONE);
        standing.reached();
        assertThat(standing.up()).isTrue();
        assertThat(standing.claim(now)).isEqualTo(Claim.TAKEN);
        assertThat(standing.claim(now)).isEqualTo(Claim.TAKEN);
        standing.failed(Claim.TAKEN, now);
        // It starts from the beginning.
        assertThat(pause()).isLessThanOrEqualTo(SECOND + SECOND / 1000);
    }

    @Test
    @DisplayName("If the one that tries goes away before it knows, the next one tries")
    void unknown() {
        standing.failed(Claim.TAKEN, now);
        pause();
        assertThat(standing.claim(now)).isEqualTo(Claim.TRIAL);
        standing.unknown(Claim.TRIAL);
        assertThat(standing.claim(now)).isEqualTo(Claim.TRIAL);
    }

    @Test
    @DisplayName("A hundred connections that were under way when it fell count as one failure")
    void herd() {
        for (int i = 0; i < 100; i++) {
            assertThat(standing.claim(now)).isEqualTo(Claim.TAKEN);
        }
        for (int i = 0; i < 50; i++) {
            standing.failed(Claim.TAKEN, now);
        }
        assertThat(pause()).isLessThanOrEqualTo(SECOND + SECOND / 1000);
        // Nor do those who fail, or go, while another one is on trial speak for it.
        assertThat(standing.claim(now)).isEqualTo(Claim.TRIAL);
        for (int i = 0; i < 50; i++) {
            standing.failed(Claim.TAKEN, now);
            standing.unknown(Claim.TAKEN);
        }
        assertThat(standing.claim(now)).isEqualTo(Claim.NONE);
        standing.failed(Claim.TRIAL, now);
        assertThat(pause()).isBetween(2 * SECOND * 3 / 4, 2 * SECOND + SECOND / 1000);
    }

    @Test
    @DisplayName("Checks count in a row: three bad ones to fall, two good ones to rise")
    void checks() {
        standing.health(Health.DEFAULT.check(Duration.ofSeconds(1), 2, 3));
        standing.checked(false, now);
        standing.checked(false, now);
        standing.checked(true, now);
        standing.checked(false, now);
        standing.checked(false, now);
        assertThat(standing.available(now)).isTrue();
        standing.checked(false, now);
        assertThat(standing.available(now)).isFalse();
        standing.checked(true, now);
        assertThat(standing.available(now)).isFalse();
        standing.checked(false, now);
        standing.checked(true, now);
        assertThat(standing.available(now)).isFalse();
        standing.checked(true, now);
        assertThat(standing.available(now)).isTrue();
    }

    @Test
    @DisplayName("Whoever is not checked any more is not down because of a check")
    void checksEnd() {
        standing.health(Health.DEFAULT.check(Duration.ofSeconds(1), 1, 1));
        standing.checked(false, now);
        assertThat(standing.up()).isFalse();
        standing.health(Health.DEFAULT);
        assertThat(standing.up()).isTrue();
    }

    @Test
    @DisplayName("A good check ends a back-off that is over, in place of a trial")
    void checkInsteadOfTrial() {
        standing.health(Health.DEFAULT.check(Duration.ofSeconds(1), 2, 3));
        standing.failed(Claim.TAKEN, now);
        standing.checked(true, now);
        assertThat(standing.up()).isFalse();
        pause();
        standing.checked(true, now);
        assertThat(standing.up()).isTrue();
    }

    @Test
    @DisplayName("Choices that can't be are refused")
    void refused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Health.DEFAULT.backOff(Duration.ofSeconds(2), Duration.ofSeconds(1)))
                .withMessageContaining("shorter");
        assertThatIllegalArgumentException().isThrownBy(() -> Health.DEFAULT.check(Duration.ofMillis(1), 1, 1));
        assertThatIllegalArgumentException().isThrownBy(() -> Health.DEFAULT.check(Duration.ofSeconds(1), 0, 1));
    }
}
