package dev.sluice.ring;

/** What an entry may be besides its operation, see io_uring_enter(2). In the order of their bits, under their names there. */
public enum EntryFlag {
    FIXED_FILE,
    IO_DRAIN,
    IO_LINK,
    IO_HARDLINK,
    ASYNC,
    BUFFER_SELECT,
    CQE_SKIP_SUCCESS;

    int bit() {
        return 1 << ordinal();
    }
}
