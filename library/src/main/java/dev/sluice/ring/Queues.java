package dev.sluice.ring;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import dev.sluice.internal.fd.Descriptor;
import dev.sluice.internal.linux.Rings;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;

/** The memory that a ring shares with the kernel, and in which order it is read and written. */
final class Queues implements AutoCloseable {
    private static final VarHandle WORD = ValueLayout.JAVA_INT.varHandle();

    final int submissionCount;
    final int submissionMask;
    final long submissionSize;
    final int completionCount;
    final MemorySegment submissions;
    final MemorySegment completions;
    final MemorySegment scratch;

    private final Arena arena;
    private final MemorySegment head;
    private final MemorySegment tail;
    private final long submissionHeadAt;
    private final long submissionTailAt;
    private final long flagsAt;
    private final long completionHeadAt;
    private final long completionTailAt;
    private final long completionFlagsAt;
    private final long completionsAt;
    private final int completionShift;
    private final int completionMask;

    /** Of the owner: what has been taken, which the kernel is told by {@link #publishHead}. */
    int completionHead;

    /** How far completions are known to reach, so that not every one of them costs a look at the kernel's counter. */
    int knownTail;

    /** Over memory that is there; {@link #map} has it from the kernel. */
    Queues(
            Arena arena,
            MemorySegment head,
            MemorySegment tail,
            MemorySegment submissions,
            MemorySegment params,
            RingSetup setup) {
        this.arena = arena;
        this.head = head;
        this.tail = tail;
        this.submissions = submissions;
        int entries = params.get(JAVA_INT, Rings.PARAMS_SQ_ENTRIES);
        submissionCount = entries;
        completionCount = params.get(JAVA_INT, Rings.PARAMS_CQ_ENTRIES);
        submissionSize = entrySize(setup);
        completionShift = completionShift(setup);
        completionsAt = params.get(JAVA_INT, Rings.PARAMS_CQ_OFF + Rings.CQ_OFF_CQES);
        completions = tail;
        scratch = arena.allocate(entries * Submission.SCRATCH, 8);
        submissionHeadAt = params.get(JAVA_INT, Rings.PARAMS_SQ_OFF + Rings.SQ_OFF_HEAD);
        submissionTailAt = params.get(JAVA_INT, Rings.PARAMS_SQ_OFF + Rings.SQ_OFF_TAIL);
        flagsAt = params.get(JAVA_INT, Rings.PARAMS_SQ_OFF + Rings.SQ_OFF_FLAGS);
        completionHeadAt = params.get(JAVA_INT, Rings.PARAMS_CQ_OFF + Rings.CQ_OFF_HEAD);
        completionTailAt = params.get(JAVA_INT, Rings.PARAMS_CQ_OFF + Rings.CQ_OFF_TAIL);
        completionFlagsAt = params.get(JAVA_INT, Rings.PARAMS_CQ_OFF + Rings.CQ_OFF_FLAGS);
        submissionMask = head.get(JAVA_INT, params.get(JAVA_INT, Rings.PARAMS_SQ_OFF + Rings.SQ_OFF_RING_MASK));
        completionMask = tail.get(JAVA_INT, params.get(JAVA_INT, Rings.PARAMS_CQ_OFF + Rings.CQ_OFF_RING_MASK));
        if (!setup.has(SetupFlag.NO_SQARRAY)) {
            long arrayAt = params.get(JAVA_INT, Rings.PARAMS_SQ_OFF + Rings.SQ_OFF_ARRAY);
            // The indirection of old kernels, of no use to us: each place of the queue is its own entry.
            for (int i = 0; i < entries; i++) {
                head.set(JAVA_INT, arrayAt + 4L * i, i);
            }
        }
        completionHead = tail.get(JAVA_INT, completionHeadAt);
        knownTail = completionHead;
    }

    static Queues map(int ring, MemorySegment params, RingSetup setup) throws IOException {
        int entries = params.get(JAVA_INT, Rings.PARAMS_SQ_ENTRIES);
        long results = params.get(JAVA_INT, Rings.PARAMS_CQ_ENTRIES);
        boolean array = !setup.has(SetupFlag.NO_SQARRAY);
        long arrayAt = params.get(JAVA_INT, Rings.PARAMS_SQ_OFF + Rings.SQ_OFF_ARRAY);
        long submissionBytes = array ? arrayAt + 4L * entries : 0;
        long completionBytes =
                params.get(JAVA_INT, Rings.PARAMS_CQ_OFF + Rings.CQ_OFF_CQES) + (results << completionShift(setup));
        boolean single = (Rings.features(params) & 1 << Feature.SINGLE_MMAP.ordinal()) != 0;
        Arena arena = setup.arena();
        try {
            long both = Math.max(submissionBytes, completionBytes);
            MemorySegment head = map(arena, ring, single ? both : submissionBytes, Rings.IORING_OFF_SQ_RING);
            MemorySegment tail = single ? head : map(arena, ring, completionBytes, Rings.IORING_OFF_CQ_RING);
            MemorySegment submissions = map(arena, ring, entries * entrySize(setup), Rings.IORING_OFF_SQES);
            return new Queues(arena, head, tail, submissions, params, setup);
        } catch (IOException e) {
            arena.close();
            throw e;
        }
    }

    private static long entrySize(RingSetup setup) {
        return setup.has(SetupFlag.SQE128) ? 2 * Rings.SQE_SIZE : Rings.SQE_SIZE;
    }

    private static int completionShift(RingSetup setup) {
        return setup.has(SetupFlag.CQE32) ? 5 : 4;
    }

    private static MemorySegment map(Arena arena, int ring, long size, long offset) throws IOException {
        int[] error = new int[1];
        MemorySegment memory = Rings.map(arena, ring, size, offset, error);
        if (memory == null) {
            throw Descriptor.failure("mmap", "ring", error[0]);
        }
        return memory;
    }

    static MemorySegment parameters(Arena arena, int entries, int completions) {
        MemorySegment params = arena.allocate(Rings.PARAMS_SIZE, 8);
        params.set(JAVA_INT, Rings.PARAMS_SQ_ENTRIES, entries);
        params.set(JAVA_INT, Rings.PARAMS_CQ_ENTRIES, completions);
        params.set(JAVA_INT, Rings.PARAMS_FLAGS, SetupFlag.CQSIZE.bit());
        return params;
    }

    /** Acquire: an entry may be used again only after the kernel has read it. */
    int submissionHead() {
        return (int) WORD.getAcquire(head, submissionHeadAt);
    }

    int submissionTail() {
        return head.get(JAVA_INT, submissionTailAt);
    }

    /** Release: the kernel must see the entries before the tail that covers them. */
    void submissionTail(int value) {
        WORD.setRelease(head, submissionTailAt, value);
    }

    int flags() {
        return (int) WORD.getOpaque(head, flagsAt);
    }

    /** Acquire: what the completions say is visible after it. */
    int completionTail() {
        return (int) WORD.getAcquire(tail, completionTailAt);
    }

    long completionAt() {
        return completionsAt + ((long) (completionHead & completionMask) << completionShift);
    }

    /** Release: the kernel may write over the entries only after we have read them. */
    void publishHead() {
        WORD.setRelease(tail, completionHeadAt, completionHead);
    }

    /** Volatile: completions that are looked for afterwards are not missed by both sides. */
    void completionFlags(int value) {
        WORD.setVolatile(tail, completionFlagsAt, value);
    }

    @Override
    public void close() {
        arena.close();
    }
}
