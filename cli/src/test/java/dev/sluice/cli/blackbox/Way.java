package dev.sluice.cli.blackbox;

/** A direction of a session. */
enum Way {
    /** From the client to the target. */
    REQUEST,
    /** From the target to the client. */
    REPLY;

    /** Its half of a session's record. */
    Ended.Direction of(Ended record) {
        return this == REQUEST ? record.fromClient() : record.fromTarget();
    }

    Way opposite() {
        return this == REQUEST ? REPLY : REQUEST;
    }
}
