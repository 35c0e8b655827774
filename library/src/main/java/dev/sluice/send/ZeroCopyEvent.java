package dev.sluice.send;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** A sender's adaptive policy changed its mind. */
@Name("dev.sluice.ZeroCopy")
@Label("Zero-copy policy")
@Category("Sluice")
@Description("A sender begins or ends trying zero copy")
@StackTrace(false)
final class ZeroCopyEvent extends Event {
    @Label("Peer")
    String peer;

    @Label("Mode")
    @Description("PROBING: one send is out to learn; ON: large sends are zero-copy; OFF: sends copy for a while")
    String mode;

    @Label("Reason")
    String reason;
}
