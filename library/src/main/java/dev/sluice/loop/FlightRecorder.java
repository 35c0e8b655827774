package dev.sluice.loop;

import dev.sluice.io.Side;
import dev.sluice.io.TransferException;
import dev.sluice.io.TransferResult;

/**
 * What is told to the JDK's Flight Recorder, if the runtime has it: the module jdk.jfr is optional, so only this class
 * names the events, and only where they can be loaded. While nobody records, a pump costs a look at a flag at either end.
 */
final class FlightRecorder {
    private static final boolean PRESENT =
            ModuleLayer.boot().findModule("jdk.jfr").isPresent();

    private FlightRecorder() {}

    /** A pump starts; what is returned goes to {@link #end}. Null if nobody records. */
    static Object begin() {
        return PRESENT ? TransferEvent.begun() : null;
    }

    /** A pump has ended. */
    static void end(Object begun, Inlet source, Outlet sink, TransferResult result, TransferException failure) {
        if (PRESENT) {
            TransferEvent event = begun == null ? new TransferEvent() : (TransferEvent) begun;
            event.commit(source, sink, result, failure);
        }
    }

    /** Whether anybody wants to know of fallbacks. */
    static boolean recordsFallbacks() {
        return PRESENT && new FallbackEvent().isEnabled();
    }

    static void fallback(Side side, String name, String call, int errno, String reason) {
        if (PRESENT) {
            FallbackEvent event = new FallbackEvent();
            event.side = side.name();
            event.name = name;
            event.call = call;
            event.errno = errno;
            event.reason = reason;
            event.commit();
        }
    }
}
