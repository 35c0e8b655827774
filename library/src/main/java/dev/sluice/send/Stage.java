package dev.sluice.send;

/**
 * How far a send has come, in order: who has reached one has reached those before it. None of them is called "sent".
 *
 * <p>Whether the kernel still reads the buffer is a separate question, and no stage answers it: see
 * {@link SendReceipt#isReleased}.
 */
public enum Stage {
    /** Taken by the library. Proves nothing about the kernel, which may not even have been asked yet. */
    ACCEPTED,

    /**
     * In the socket's queue: what an ordinary send(2) that returned has reached. Does not prove that a byte has left: Nagle's
     * algorithm, congestion or a closed window may hold it for any time.
     */
    QUEUED,

    /**
     * The last byte has been handed to the queueing discipline of a device (SCM_TSTAMP_SCHED), the closest to "next in
     * line". Does not prove that it has left the machine: the discipline may hold or drop it.
     */
    SCHEDULED,

    /**
     * A driver has taken the last byte (SCM_TSTAMP_SND). Does not prove that it is on any cable, nor that it arrives; a lost
     * segment goes back to be sent again. Some devices never tell: wait for it with a deadline.
     */
    ON_WIRE,

    /**
     * The peer's TCP has acknowledged the last byte, and all before it. Does not prove that the application behind it has
     * read it or ever will, nor that this kernel is done with the buffer.
     */
    ACKED,

    /** The application says that the peer's application has acted on it: {@link SendReceipt#confirm}. */
    CONFIRMED
}
