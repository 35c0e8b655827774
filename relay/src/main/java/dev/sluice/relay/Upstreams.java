package dev.sluice.relay;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/** The targets of a group at work. */
final class Upstreams {
    private final List<Upstream> upstreams;
    private final AtomicInteger turn = new AtomicInteger();

    Upstreams(List<Upstream> upstreams) {
        this.upstreams = upstreams;
    }

    /** The targets in the order in which a new connection tries them. */
    Iterator<Upstream> inTurn() {
        if (upstreams.size() == 1) {
            return upstreams.iterator();
        }
        List<Upstream> inTurn = new ArrayList<>(upstreams);
        Collections.rotate(inTurn, -Math.floorMod(turn.getAndIncrement(), inTurn.size()));
        return inTurn.iterator();
    }

    /** For a connection that has not come to try one. */
    Upstream any() {
        return upstreams.getFirst();
    }
}
