package dev.sluice.send;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** A zero-copy sender, at its close. */
@Name("dev.sluice.ZeroCopySender")
@Label("Zero-copy sender")
@Category("Sluice")
@Description("What a sender has done, told when it is closed")
@StackTrace(false)
final class SenderEvent extends Event {
    @Label("Peer")
    String peer;

    @Label("Sends")
    long sends;

    @Label("Bytes")
    @DataAmount
    long bytes;

    @Label("Zero-Copy Calls")
    long zeroCopyCalls;

    @Label("Copying Calls")
    long copyCalls;

    @Label("Copied by the Kernel")
    @Description("Reports of zero-copy calls that the kernel copied nevertheless")
    long copiedByKernel;

    @Label("Out of Memory")
    @Description("Zero-copy calls that were refused with ENOBUFS")
    long outOfMemory;

    @Label("Quarantined")
    @Description("Sends that the kernel never said to have let go of")
    int quarantined;

    @Label("Orderly")
    @Description("Whether it was closed without a reset")
    boolean orderly;
}
