package dev.sluice.ring;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import dev.sluice.internal.linux.Sleeper;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.III_Result;
import org.openjdk.jcstress.infra.results.II_Result;

/** Nobody goes to sleep over work that nobody will wake it for. */
public class SleeperStress {
    private SleeperStress() {}

    private static Request request() {
        return new Request() {
            @Override
            void fill(Submission submission) {
                throw new AssertionError("never submitted");
            }
        };
    }

    private static int number(boolean yes) {
        return yes ? 1 : 0;
    }

    /** The ring's thread. Whether it slept, and whether it was woken. */
    @JCStressTest
    @Outcome(
            id = {"0, 0", "0, 1", "1, 1"},
            expect = ACCEPTABLE,
            desc = "saw the work, or was woken, or both")
    @Outcome(id = "1, 0", expect = FORBIDDEN, desc = "a lost wake-up")
    @State
    public static class RingThreads {
        private final RequestQueue queue = new RequestQueue();
        private final Sleeper sleeper = new Sleeper();

        @Actor
        public void sleep(II_Result result) {
            sleeper.aboutToSleep();
            result.r1 = number(queue.isEmpty());
        }

        @Actor
        public void submit(II_Result result) {
            queue.add(request());
            result.r2 = number(sleeper.mustBeWoken());
        }
    }

    /** With two that submit, one of whom may have cleared what the other looks for. Runs with three processors and more. */
    @JCStressTest
    @Outcome(
            id = {"1, 0, 0"},
            expect = FORBIDDEN,
            desc = "a lost wake-up")
    @Outcome(expect = ACCEPTABLE, desc = "saw the work, or was woken, or both")
    @State
    public static class TwoSubmitters {
        private final RequestQueue queue = new RequestQueue();
        private final Sleeper sleeper = new Sleeper();

        @Actor
        public void sleep(III_Result result) {
            sleeper.aboutToSleep();
            result.r1 = number(queue.isEmpty());
        }

        @Actor
        public void one(III_Result result) {
            queue.add(request());
            result.r2 = number(sleeper.mustBeWoken());
        }

        @Actor
        public void two(III_Result result) {
            queue.add(request());
            result.r3 = number(sleeper.mustBeWoken());
        }
    }

    /** An event loop, which was awake before, with its own kind of queue. */
    @JCStressTest
    @Outcome(
            id = {"0, 0", "0, 1", "1, 1"},
            expect = ACCEPTABLE,
            desc = "saw the work, or was woken, or both")
    @Outcome(id = "1, 0", expect = FORBIDDEN, desc = "a lost wake-up")
    @State
    public static class EventLoops {
        private final Queue<Integer> tasks = new ConcurrentLinkedQueue<>();
        private final Sleeper sleeper = new Sleeper();

        @Actor
        public void sleep(II_Result result) {
            sleeper.awake();
            sleeper.aboutToSleep();
            result.r1 = number(tasks.isEmpty());
        }

        @Actor
        public void execute(II_Result result) {
            tasks.add(1);
            result.r2 = number(sleeper.mustBeWoken());
        }
    }
}
