package dev.sluice.cli.blackbox;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/**
 * Sessions that go every way there is, side by side: each peer writes, rests, stops reading and ends as a seed tells it
 * to. What must hold for all of them: what arrives is what was sent, and an end of a stream means that it was all.
 */
@BlackBox
class ScheduleTest {
    private static final long SEED = Long.getLong("sluice.test.seed", System.nanoTime());
    private static final int SESSIONS = 300;
    private static final int AT_ONCE = 60;

    @Test
    void everyEndIsTrue() throws Exception {
        System.out.println("schedules of -Dsluice.test.seed=" + SEED);
        try (Stage stage = Stage.tcp()) {
            SplittableRandom seeds = new SplittableRandom(SEED);
            for (int done = 0; done < SESSIONS; done += AT_ONCE) {
                List<Schedule> schedules = new ArrayList<>();
                for (int i = 0; i < AT_ONCE; i++) {
                    schedules.add(new Schedule(seeds.nextLong(), stage.open()));
                }
                Parallel.run(schedules.stream()
                        .map(schedule -> (Parallel.Action) schedule::run)
                        .toList());
                // Each has ended on both sides, so each has ended in the middle.
                for (int i = 0; i < AT_ONCE; i++) {
                    stage.relay().record();
                }
            }
            assertThat(stage.relay().recordsWaiting()).isZero();
        }
    }
}
