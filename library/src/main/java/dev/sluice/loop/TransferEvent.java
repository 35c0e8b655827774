package dev.sluice.loop;

import dev.sluice.io.Route;
import dev.sluice.io.TransferException;
import dev.sluice.io.TransferResult;
import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** One pump, from its start to its end: a transfer, or one direction of a join. */
@Name("dev.sluice.Transfer")
@Label("Transfer")
@Category("Sluice")
@Description("Bytes moved one way; a join is two of them. Without duration if the recording began meanwhile")
@StackTrace(false)
final class TransferEvent extends Event {
    @Label("Source")
    String source;

    @Label("Sink")
    String sink;

    @Label("Bytes")
    @Description("What the sink accepted")
    @DataAmount
    long bytes;

    @Label("Route")
    @Description("The way that most bytes went")
    String route;

    @Label("Reason")
    @Description("Why that way")
    String reason;

    @Label("Spliced")
    @DataAmount
    long spliced;

    @Label("Sent from a file")
    @DataAmount
    long sendfile;

    @Label("Copied between files in the kernel")
    @DataAmount
    long copyFileRange;

    @Label("Copied")
    @DataAmount
    long copied;

    @Label("Mirrors")
    int mirrors;

    @Label("Detached Mirrors")
    int detachedMirrors;

    @Label("Outcome")
    @Description("COMPLETE, or why it ended before its end")
    String outcome;

    @Label("Failure")
    @Description("What the exception says, if there was one")
    String failure;

    static TransferEvent begun() {
        TransferEvent event = new TransferEvent();
        if (!event.isEnabled()) {
            return null;
        }
        event.begin();
        return event;
    }

    void commit(Inlet from, Outlet to, TransferResult result, TransferException stopped) {
        end();
        if (!shouldCommit()) {
            return;
        }
        source = from.name();
        sink = to.name();
        bytes = result.bytes();
        route = result.route().name();
        reason = result.reason();
        spliced = result.byRoute().getOrDefault(Route.SPLICE, 0L);
        sendfile = result.byRoute().getOrDefault(Route.SENDFILE, 0L);
        copyFileRange = result.byRoute().getOrDefault(Route.COPY_FILE_RANGE, 0L);
        copied = result.byRoute().getOrDefault(Route.COPY, 0L);
        mirrors = result.mirrors().size();
        detachedMirrors = (int) result.mirrors().stream()
                .filter(mirror -> mirror.failure().isPresent())
                .count();
        outcome = stopped == null ? "COMPLETE" : stopped.reason().name();
        failure = stopped == null ? null : stopped.getMessage();
        commit();
    }
}
