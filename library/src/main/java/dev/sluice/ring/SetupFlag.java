package dev.sluice.ring;

/** How a ring is set up, see io_uring_setup(2). In the order of their bits, under their names there. */
public enum SetupFlag {
    IOPOLL,
    SQPOLL,
    SQ_AFF,
    CQSIZE,
    CLAMP,
    ATTACH_WQ,
    R_DISABLED,
    SUBMIT_ALL,
    COOP_TASKRUN,
    TASKRUN_FLAG,
    SQE128,
    CQE32,
    SINGLE_ISSUER,
    DEFER_TASKRUN,
    NO_MMAP,
    REGISTERED_FD_ONLY,
    NO_SQARRAY,
    HYBRID_IOPOLL,
    CQE_MIXED,
    SQE_MIXED,
    SQ_REWIND;

    int bit() {
        return 1 << ordinal();
    }
}
