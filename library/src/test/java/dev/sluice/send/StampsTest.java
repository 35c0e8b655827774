package dev.sluice.send;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The keys of stamps, on paper. */
@Timeout(30)
class StampsTest {
    private final Stamps stamps = new Stamps();

    private SendReceipt send(long end, Stage upTo) {
        SendReceipt receipt = new SendReceipt(null, null, upTo);
        receipt.expect(end);
        stamps.add(receipt);
        return receipt;
    }

    @Test
    @DisplayName("T1, T2, #16: a stamp tells of its own send and of all before it, and of none after it")
    void mergedRequests() {
        SendReceipt one = send(1, Stage.ACKED);
        SendReceipt large = send(5_000_001, Stage.ACKED);
        SendReceipt third = send(5_000_002, Stage.ACKED);
        stamps.reached(Stage.SCHEDULED, 0, 1);
        assertThat(one.stage()).isEqualTo(Stage.SCHEDULED);
        assertThat(large.stage()).isEqualTo(Stage.ACCEPTED);
        stamps.reached(Stage.ACKED, 4_999_999, 2);
        assertThat(one.stage()).isEqualTo(Stage.ACKED);
        assertThat(large.stage()).as("all but its last byte").isEqualTo(Stage.ACCEPTED);
        stamps.reached(Stage.ACKED, 5_000_001, 3);
        assertThat(large.stage()).isEqualTo(Stage.ACKED);
        assertThat(third.stage()).isEqualTo(Stage.ACKED);
        assertThat(stamps.isEmpty()).isTrue();
    }

    @Test
    @DisplayName("T1, #16: the key wraps at 4 GiB")
    void wrap() {
        SendReceipt before = send((1L << 32) - 10, Stage.ACKED);
        SendReceipt across = send((1L << 32) + 10, Stage.ACKED);
        SendReceipt half = send((1L << 32) + (1L << 30), Stage.ACKED);
        stamps.reached(Stage.ACKED, -1, 1);
        assertThat(before.stage()).isEqualTo(Stage.ACKED);
        assertThat(across.stage()).isEqualTo(Stage.ACCEPTED);
        stamps.reached(Stage.ACKED, 9, 2);
        assertThat(across.stage()).isEqualTo(Stage.ACKED);
        assertThat(half.stage()).isEqualTo(Stage.ACCEPTED);
    }

    @Test
    @DisplayName("T3: the first stamp of a stage counts; one that comes late changes nothing")
    void firstWins() {
        SendReceipt send = send(10, Stage.ACKED);
        stamps.reached(Stage.ON_WIRE, 9, 100);
        stamps.reached(Stage.SCHEDULED, 9, 90);
        stamps.reached(Stage.ON_WIRE, 9, 200);
        assertThat(send.stage()).isEqualTo(Stage.ON_WIRE);
        assertThat(send.timestamp(Stage.ON_WIRE).orElseThrow().getNano()).isEqualTo(100);
        assertThat(send.timestamp(Stage.SCHEDULED).orElseThrow().getNano()).isEqualTo(90);
        assertThat(send.timestamp(Stage.ACKED)).isEmpty();
    }

    @Test
    @DisplayName("T3: who asked for less is done with less")
    void requestedStage() {
        SendReceipt send = send(10, Stage.SCHEDULED);
        stamps.reached(Stage.SCHEDULED, 9, 1);
        assertThat(stamps.isEmpty()).isTrue();
        assertThat(send.reached(Stage.SCHEDULED)).isTrue();
    }
}
