package dev.sluice.loop;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** The kernel's route was not to be had on one side of a pump. */
@Name("dev.sluice.Fallback")
@Label("Fallback")
@Category("Sluice")
@Description("A side of a transfer that the kernel's route was refused for; its bytes take another")
@StackTrace(false)
final class FallbackEvent extends Event {
    @Label("Side")
    String side;

    @Label("Name")
    @Description("The address or path of that side")
    String name;

    @Label("Call")
    @Description("The system call that was refused; empty if none was tried")
    String call;

    @Label("Errno")
    int errno;

    @Label("Reason")
    String reason;
}
