package dev.sluice.send;

import java.io.IOException;

/** What leases and receipts need of whatever carries their bytes. */
abstract class Transport {
    /** Takes in what the kernel has told meanwhile, without waiting; how many sends it released. */
    abstract int drain();

    /** Sees to it that what the kernel tells next is taken in when it comes. */
    abstract void watch();

    /** Whether the peer's acknowledgements can be asked for afterwards. */
    abstract boolean knowsAcknowledged();

    /** Whether everything up to this offset of the stream is acknowledged. */
    abstract boolean acknowledged(long end);

    /** Why no stage will be reached any more, or null. */
    abstract IOException ended();

    /** The kernel has let go of a send's memory, or never will. */
    abstract void landed(SendReceipt receipt);
}
