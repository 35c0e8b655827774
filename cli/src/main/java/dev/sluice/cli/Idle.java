package dev.sluice.cli;

import dev.sluice.relay.Relay;
import java.time.Duration;

/** For how long a relay has had no connection, as seen by somebody who looks from time to time. */
final class Idle {
    private final Relay relay;
    private long accepted;
    private long since = System.nanoTime();

    Idle(Relay relay) {
        this.relay = relay;
    }

    /** Whether it has been for so long. */
    boolean lasts(Duration time) {
        long acceptedSoFar = relay.stats().accepted();
        if (relay.sessions() > 0 || acceptedSoFar != accepted) {
            accepted = acceptedSoFar;
            since = System.nanoTime();
        }
        return System.nanoTime() - since >= time.toNanos();
    }
}
