package dev.sluice.send;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.testkit.Bytes;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The ids of the kernel, on paper. */
@Timeout(30)
class OutstandingTest {
    private static SendReceipt receipt() {
        return new SendReceipt(null, null, Stage.QUEUED);
    }

    @ParameterizedTest
    @ValueSource(ints = {0, -1, -5, Integer.MAX_VALUE - 3, 1 << 20})
    @DisplayName("M3, M4, #10: ids go on across 2³² and 2³¹, in any order, each once")
    void anyOrder(int first) {
        Outstanding outstanding = new Outstanding(first);
        SendReceipt[] receipts = new SendReceipt[100];
        for (int i = 0; i < receipts.length; i++) {
            outstanding.add(receipts[i] = receipt());
        }
        List<Integer> order = new ArrayList<>();
        for (int i = 0; i < receipts.length; i++) {
            order.add(i);
        }
        Collections.shuffle(order, new Random(first));
        for (int i : order) {
            assertThat(outstanding.take(first + i)).isSameAs(receipts[i]);
            assertThat(outstanding.take(first + i)).as("twice").isNull();
        }
        assertThat(outstanding.size()).isZero();
        assertThat(outstanding.take(first + 100)).as("the next one").isNull();
        assertThat(outstanding.take(first - 1)).as("one before").isNull();
    }

    @Test
    @DisplayName("M3: a call that took nothing has used no id")
    void undo() {
        Outstanding outstanding = new Outstanding(-1);
        SendReceipt one = receipt();
        SendReceipt two = receipt();
        outstanding.add(one);
        outstanding.add(receipt());
        outstanding.undo();
        outstanding.add(two);
        assertThat(outstanding.take(0)).isSameAs(two);
        assertThat(outstanding.take(-1)).isSameAs(one);
        outstanding.add(receipt());
        outstanding.undo();
        assertThat(outstanding.size()).isZero();
    }

    @Test
    @DisplayName("M4: a range is counted modulo 2³², and never beyond what can be out")
    void reach() {
        Outstanding outstanding = new Outstanding(-2);
        for (int i = 0; i < 5; i++) {
            outstanding.add(receipt());
        }
        assertThat(outstanding.reach(-2, 2)).isEqualTo(5);
        assertThat(outstanding.reach(-1, 0)).isEqualTo(2);
        assertThat(outstanding.reach(0, 0)).isEqualTo(1);
        assertThat(outstanding.reach(0, -1)).as("all 2³² ids").isEqualTo(3);
    }

    @Test
    @DisplayName("M4: a long random life beside a plain map")
    void randomLife() {
        long seed = System.nanoTime();
        var random = Bytes.generator(seed);
        int next = -500;
        Outstanding outstanding = new Outstanding(next);
        Map<Integer, SendReceipt> model = new java.util.HashMap<>();
        for (int step = 0; step < 20_000; step++) {
            int what = random.nextInt(10);
            if (what < 5) {
                SendReceipt receipt = receipt();
                outstanding.add(receipt);
                model.put(next++, receipt);
            } else if (what == 5) {
                outstanding.add(receipt());
                outstanding.undo();
            } else if (!model.isEmpty()) {
                int low = outstanding.oldest() + random.nextInt(3);
                int count = outstanding.reach(low, low + random.nextInt(8));
                for (int i = 0; i < count; i++) {
                    assertThat(outstanding.take(low + i))
                            .as("seed %d, step %d", seed, step)
                            .isSameAs(model.remove(low + i));
                }
            }
            assertThat(outstanding.size()).as("seed %d, step %d", seed, step).isEqualTo(model.size());
        }
        Map<SendReceipt, Boolean> rest = new IdentityHashMap<>();
        for (SendReceipt receipt : outstanding.clear()) {
            rest.put(receipt, true);
        }
        assertThat(rest).hasSize(model.size());
        assertThat(outstanding.size()).isZero();
    }
}
