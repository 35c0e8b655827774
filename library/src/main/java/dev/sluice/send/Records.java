package dev.sluice.send;

/**
 * What is told to the JDK's Flight Recorder, if the runtime has it: the module jdk.jfr is optional, so only this class names
 * the events.
 */
final class Records {
    private static final boolean PRESENT =
            ModuleLayer.boot().findModule("jdk.jfr").isPresent();

    private Records() {}

    /** The adaptive policy of a socket changed its mind. */
    static void switched(String peer, Backoff backoff) {
        if (PRESENT) {
            ZeroCopyEvent event = new ZeroCopyEvent();
            if (event.shouldCommit()) {
                event.peer = peer;
                event.mode = backoff.mode().name();
                event.reason = backoff.reason();
                event.commit();
            }
        }
    }

    /** A sender is closed. */
    static void closed(String peer, ZeroCopySender.Stats stats, boolean orderly) {
        if (PRESENT) {
            SenderEvent event = new SenderEvent();
            if (event.shouldCommit()) {
                event.peer = peer;
                event.sends = stats.sends();
                event.bytes = stats.bytes();
                event.zeroCopyCalls = stats.zeroCopyCalls();
                event.copyCalls = stats.copyCalls();
                event.copiedByKernel = stats.copiedByKernel();
                event.outOfMemory = stats.outOfMemory();
                event.quarantined = stats.quarantined();
                event.orderly = orderly;
                event.commit();
            }
        }
    }
}
