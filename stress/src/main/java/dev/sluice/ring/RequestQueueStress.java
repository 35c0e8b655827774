package dev.sluice.ring;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;
import org.openjdk.jcstress.infra.results.I_Result;

/** What the queue of requests promises to the thread that takes. */
public class RequestQueueStress {
    private RequestQueueStress() {}

    /** A request with a number that no ordering but the queue's own protects. */
    private static final class Numbered extends Request {
        int number;

        Numbered(int number) {
            this.number = number;
        }

        @Override
        void fill(Submission submission) {
            throw new AssertionError("never submitted");
        }
    }

    private static int number(Request request) {
        return request == null ? -1 : ((Numbered) request).number;
    }

    /** What was in the request before it was added is there when it is taken. */
    @JCStressTest
    @Outcome(
            id = {"-1", "7"},
            expect = ACCEPTABLE,
            desc = "not there yet, or with its content")
    @Outcome(expect = FORBIDDEN, desc = "taken before its content was visible")
    @State
    public static class Content {
        private final RequestQueue queue = new RequestQueue();

        @Actor
        public void add() {
            queue.add(new Numbered(7));
        }

        @Actor
        public void take(I_Result result) {
            result.r1 = number(queue.poll());
        }
    }

    /** What one thread adds comes out in that order. */
    @JCStressTest
    @Outcome(
            id = {"-1, -1", "-1, 1", "1, -1", "1, 2"},
            expect = ACCEPTABLE,
            desc = "in order")
    @Outcome(expect = FORBIDDEN, desc = "out of order, or twice")
    @State
    public static class Order {
        private final RequestQueue queue = new RequestQueue();

        @Actor
        public void add() {
            queue.add(new Numbered(1));
            queue.add(new Numbered(2));
        }

        @Actor
        public void take(II_Result result) {
            result.r1 = number(queue.poll());
            result.r2 = number(queue.poll());
        }
    }

    /** Of what two threads add nothing is lost and nothing comes twice. */
    @JCStressTest
    @Outcome(
            id = {"1, 2", "2, 1"},
            expect = ACCEPTABLE,
            desc = "each once")
    @Outcome(expect = FORBIDDEN, desc = "lost, or twice")
    @State
    public static class Adders {
        private final RequestQueue queue = new RequestQueue();

        @Actor
        public void one() {
            queue.add(new Numbered(1));
        }

        @Actor
        public void two() {
            queue.add(new Numbered(2));
        }

        @Arbiter
        public void take(II_Result result) {
            result.r1 = number(queue.poll());
            result.r2 = number(queue.poll());
        }
    }

    /** The same, taken while they add. Runs with three processors and more. */
    @JCStressTest
    @Outcome(
            id = {"1, 2", "2, 1"},
            expect = ACCEPTABLE,
            desc = "each once")
    @Outcome(expect = FORBIDDEN, desc = "lost, or twice")
    @State
    public static class AddersAndTaker {
        private final RequestQueue queue = new RequestQueue();
        private Request early;

        @Actor
        public void one() {
            queue.add(new Numbered(1));
        }

        @Actor
        public void two() {
            queue.add(new Numbered(2));
        }

        @Actor
        public void take() {
            early = queue.poll();
        }

        @Arbiter
        public void rest(II_Result result) {
            result.r1 = number(early == null ? queue.poll() : early);
            result.r2 = number(queue.poll());
        }
    }
}
