package dev.sluice.send;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.send.ZeroCopySender.Policy;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The adaptive policy, on paper. */
@Timeout(30)
class BackoffTest {
    private static final int SMALL = 1024;
    private static final int LARGE = 64 * 1024;

    private static Backoff remote() {
        return new Backoff("peer", Policy.ADAPTIVE, 16 * 1024, false, null);
    }

    /** How many sends go by copy until one flies. */
    private static int copiesUntilProbe(Backoff backoff) {
        int copies = 0;
        while (!backoff.zeroCopy(LARGE)) {
            copies++;
        }
        return copies;
    }

    @Test
    @DisplayName("M6, M15: a probe first, then all large buffers and no small one")
    void on() {
        Backoff backoff = remote();
        assertThat(backoff.zeroCopy(SMALL)).isFalse();
        assertThat(backoff.zeroCopy(LARGE)).as("the probe").isTrue();
        assertThat(backoff.zeroCopy(LARGE)).as("while it is out").isFalse();
        backoff.told(false);
        assertThat(backoff.switches()).isEqualTo(1);
        for (int i = 0; i < 10; i++) {
            assertThat(backoff.zeroCopy(LARGE)).isTrue();
            assertThat(backoff.zeroCopy(SMALL)).isFalse();
        }
    }

    @Test
    @DisplayName("a probe that never left is no reason to wait for its answer")
    void failedProbe() {
        Backoff backoff = remote();
        assertThat(backoff.zeroCopy(LARGE)).isTrue();
        assertThat(backoff.probing()).isTrue();
        backoff.forgetProbe();
        assertThat(backoff.probing()).isFalse();
        assertThat(backoff.zeroCopy(LARGE)).as("the next probe").isTrue();
    }

    @Test
    @DisplayName("M6: after a copied probe pauses double, and it is never given up")
    void pausesDouble() {
        Backoff backoff = remote();
        assertThat(copiesUntilProbe(backoff)).isZero();
        for (int pause = 256; pause <= 1 << 14; pause *= 2) {
            backoff.told(true);
            assertThat(copiesUntilProbe(backoff)).isEqualTo(pause - 1);
        }
        backoff.told(false);
        assertThat(backoff.mode()).isEqualTo(Backoff.Mode.ON);
    }

    @Test
    @DisplayName("M6: one copy among many changes nothing, three of four do")
    void mostlyCopied() {
        Backoff backoff = remote();
        backoff.zeroCopy(LARGE);
        backoff.told(false);
        backoff.told(true);
        backoff.told(false);
        backoff.told(true);
        assertThat(backoff.mode()).isEqualTo(Backoff.Mode.ON);
        backoff.told(true);
        assertThat(backoff.mode()).isEqualTo(Backoff.Mode.OFF);
        assertThat(backoff.reason()).contains("copied");
        assertThat(backoff.switches()).isEqualTo(2);
        assertThat(backoff.copied()).isEqualTo(3);
    }

    @Test
    @DisplayName("M8: no memory means a short pause")
    void refused() {
        Backoff backoff = remote();
        backoff.zeroCopy(LARGE);
        backoff.told(false);
        backoff.refused("ENOBUFS");
        assertThat(backoff.mode()).isEqualTo(Backoff.Mode.OFF);
        assertThat(backoff.refused()).isEqualTo(1);
        assertThat(backoff.reason()).isEqualTo("ENOBUFS");
        assertThat(copiesUntilProbe(backoff)).isEqualTo(31);
    }

    @Test
    @DisplayName("M2, M6: what can't be, and what is local, begins without a probe")
    void startsOff() {
        Backoff impossible = new Backoff("peer", Policy.ALWAYS, 0, false, "EOPNOTSUPP");
        assertThat(impossible.zeroCopy(LARGE)).isFalse();
        assertThat(impossible.reason()).isEqualTo("EOPNOTSUPP");
        assertThat(new Backoff("peer", Policy.NEVER, 0, false, null).zeroCopy(LARGE))
                .isFalse();
        Backoff local = new Backoff("peer", Policy.ADAPTIVE, 0, true, null);
        assertThat(copiesUntilProbe(local)).isEqualTo(255);
        assertThat(new Backoff("peer", Policy.ALWAYS, 0, true, null).zeroCopy(1))
                .isTrue();
    }
}
