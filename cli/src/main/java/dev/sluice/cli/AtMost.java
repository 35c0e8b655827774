package dev.sluice.cli;

import java.util.function.Consumer;
import java.util.function.Supplier;

/** So many messages per second; the rest is counted, and told as one. Safe for use by many threads. */
final class AtMost {
    private static final long SECOND = 1_000_000_000;

    private final int perSecond;
    private final String what;
    private final Consumer<String> out;
    private long start = System.nanoTime();
    private int said;
    private long unsaid;

    /** @param what of which there were more than were said, such as "connections failed" */
    AtMost(int perSecond, String what, Consumer<String> out) {
        this.perSecond = perSecond;
        this.what = what;
        this.out = out;
    }

    synchronized void say(Supplier<String> message) {
        if (System.nanoTime() - start >= SECOND) {
            summarize();
            start = System.nanoTime();
            said = 0;
        }
        if (said < perSecond) {
            said++;
            out.accept(message.get());
        } else {
            unsaid++;
        }
    }

    /** Says how many were not said so far, if there are any. */
    synchronized void summarize() {
        if (unsaid > 0) {
            out.accept(unsaid + " more " + what);
            unsaid = 0;
        }
    }
}
