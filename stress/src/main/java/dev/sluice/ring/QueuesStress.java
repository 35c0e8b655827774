package dev.sluice.ring;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import dev.sluice.internal.linux.Rings;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;
import org.openjdk.jcstress.infra.results.I_Result;

/**
 * The memory shared with the kernel, on the heap: one actor goes by {@link Queues}, the other is the kernel, with the
 * acquire and release that the real one has.
 */
public class QueuesStress {
    private static final VarHandle WORD = JAVA_INT.varHandle();
    private static final int SUBMISSION_HEAD = 0;
    private static final int SUBMISSION_TAIL = 4;
    private static final int FLAGS = 8;
    private static final int COMPLETION_HEAD = 12;
    private static final int COMPLETION_TAIL = 16;
    private static final int ZERO = 20;
    private static final int ARRAY = 24;
    private static final int COMPLETIONS = 32;
    private static final MemorySegment PARAMS = parameters();
    private static final RingSetup SETUP = new RingSetup();
    private static final Arena HEAP = new Heap();

    private QueuesStress() {}

    private static MemorySegment parameters() {
        MemorySegment params = MemorySegment.ofArray(new long[(int) Rings.PARAMS_SIZE / Long.BYTES]);
        params.set(JAVA_INT, Rings.PARAMS_SQ_ENTRIES, 1);
        params.set(JAVA_INT, Rings.PARAMS_CQ_ENTRIES, 1);
        params.set(JAVA_INT, Rings.PARAMS_SQ_OFF + Rings.SQ_OFF_HEAD, SUBMISSION_HEAD);
        params.set(JAVA_INT, Rings.PARAMS_SQ_OFF + Rings.SQ_OFF_TAIL, SUBMISSION_TAIL);
        params.set(JAVA_INT, Rings.PARAMS_SQ_OFF + Rings.SQ_OFF_FLAGS, FLAGS);
        params.set(JAVA_INT, Rings.PARAMS_SQ_OFF + Rings.SQ_OFF_RING_MASK, ZERO);
        params.set(JAVA_INT, Rings.PARAMS_SQ_OFF + Rings.SQ_OFF_ARRAY, ARRAY);
        params.set(JAVA_INT, Rings.PARAMS_CQ_OFF + Rings.CQ_OFF_HEAD, COMPLETION_HEAD);
        params.set(JAVA_INT, Rings.PARAMS_CQ_OFF + Rings.CQ_OFF_TAIL, COMPLETION_TAIL);
        params.set(JAVA_INT, Rings.PARAMS_CQ_OFF + Rings.CQ_OFF_RING_MASK, ZERO);
        params.set(JAVA_INT, Rings.PARAMS_CQ_OFF + Rings.CQ_OFF_CQES, COMPLETIONS);
        return params;
    }

    /** A ring of one submission and one completion. */
    static class Memory {
        final MemorySegment shared = MemorySegment.ofArray(new long[6]);
        final MemorySegment entries = MemorySegment.ofArray(new long[8]);
        final Queues queues = new Queues(HEAP, shared, shared, entries, PARAMS, SETUP);

        int acquire(int at) {
            return (int) WORD.getAcquire(shared, (long) at);
        }

        void release(int at, int value) {
            WORD.setRelease(shared, (long) at, value);
        }
    }

    private static final class Heap implements Arena {
        @Override
        public MemorySegment allocate(long size, long alignment) {
            return MemorySegment.ofArray(new long[(int) (size / Long.BYTES)]);
        }

        @Override
        public MemorySegment.Scope scope() {
            throw new UnsupportedOperationException();
        }

        @Override
        public void close() {}
    }

    /** An entry is there when the tail covers it. */
    @JCStressTest
    @Outcome(
            id = {"0, -1", "1, 7"},
            expect = ACCEPTABLE,
            desc = "no entry yet, or all of it")
    @Outcome(expect = FORBIDDEN, desc = "a tail before its entry")
    @State
    public static class Submitted extends Memory {
        @Actor
        public void submit() {
            queues.submissions.set(JAVA_INT, 0, 7);
            queues.submissionTail(1);
        }

        @Actor
        public void kernel(II_Result result) {
            result.r1 = acquire(SUBMISSION_TAIL);
            result.r2 = result.r1 == 0 ? -1 : entries.get(JAVA_INT, 0);
        }
    }

    /** An entry is used again only after the kernel has read it. */
    @JCStressTest
    @Outcome(id = "0", expect = ACCEPTABLE, desc = "the entry as it was")
    @Outcome(expect = FORBIDDEN, desc = "overwritten under the kernel")
    @State
    public static class UsedAgain extends Memory {
        @Actor
        public void kernel(I_Result result) {
            result.r1 = entries.get(JAVA_INT, 0);
            release(SUBMISSION_HEAD, 1);
        }

        @Actor
        public void submit() {
            if (queues.submissionHead() == 1) {
                queues.submissions.set(JAVA_INT, 0, 7);
            }
        }
    }

    /** A completion is there when the tail covers it. */
    @JCStressTest
    @Outcome(
            id = {"0, -1", "1, 7"},
            expect = ACCEPTABLE,
            desc = "no completion yet, or all of it")
    @Outcome(expect = FORBIDDEN, desc = "a tail before its completion")
    @State
    public static class Completed extends Memory {
        @Actor
        public void kernel() {
            shared.set(JAVA_INT, COMPLETIONS, 7);
            release(COMPLETION_TAIL, 1);
        }

        @Actor
        public void reap(II_Result result) {
            result.r1 = queues.completionTail();
            result.r2 = result.r1 == 0 ? -1 : queues.completions.get(JAVA_INT, queues.completionAt());
        }
    }

    /** The kernel writes over a completion only after it has been read. */
    @JCStressTest
    @Outcome(id = "0", expect = ACCEPTABLE, desc = "the completion as it was")
    @Outcome(expect = FORBIDDEN, desc = "overwritten under the reader")
    @State
    public static class Taken extends Memory {
        @Actor
        public void reap(I_Result result) {
            result.r1 = queues.completions.get(JAVA_INT, queues.completionAt());
            queues.completionHead++;
            queues.publishHead();
        }

        @Actor
        public void kernel() {
            if (acquire(COMPLETION_HEAD) == 1) {
                shared.set(JAVA_INT, COMPLETIONS, 7);
            }
        }
    }
}
