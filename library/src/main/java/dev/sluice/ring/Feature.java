package dev.sluice.ring;

/** What a kernel says of its rings at setup, see io_uring_setup(2). In the order of their bits. */
public enum Feature {
    SINGLE_MMAP,
    NODROP,
    SUBMIT_STABLE,
    RW_CUR_POS,
    CUR_PERSONALITY,
    FAST_POLL,
    POLL_32BITS,
    SQPOLL_NONFIXED,
    EXT_ARG,
    NATIVE_WORKERS,
    RSRC_TAGS,
    CQE_SKIP,
    LINKED_FILE,
    REG_REG_RING,
    RECVSEND_BUNDLE,
    MIN_TIMEOUT,
    RW_ATTR,
    NO_IOWAIT
}
