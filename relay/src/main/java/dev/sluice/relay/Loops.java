package dev.sluice.relay;

import dev.sluice.loop.EventLoop;
import java.io.IOException;
import java.util.concurrent.atomic.AtomicInteger;

/** The event loops of a relay, and how many connections each has. */
final class Loops implements AutoCloseable {
    private static final AtomicInteger NUMBER = new AtomicInteger();

    private final EventLoop[] loops;
    private final AtomicInteger[] load;

    /** @param threads how many, or 0 for one per processor */
    Loops(int threads) throws IOException {
        int count = threads > 0 ? threads : Runtime.getRuntime().availableProcessors();
        this.loops = new EventLoop[count];
        this.load = new AtomicInteger[count];
        int number = NUMBER.incrementAndGet();
        try {
            for (int i = 0; i < count; i++) {
                loops[i] = EventLoop.open("sluice-relay-" + number + "-" + i);
                load[i] = new AtomicInteger();
            }
        } catch (IOException | RuntimeException e) {
            close();
            throw e;
        }
    }

    /** The one that accepts: if only one thread does, nobody slips in beyond a limit. */
    EventLoop accepting() {
        return loops[0];
    }

    /** The loop with the fewest connections gets one more. */
    EventLoop enter() {
        int chosen = 0;
        for (int i = 1; i < loops.length; i++) {
            if (load[i].get() < load[chosen].get()) {
                chosen = i;
            }
        }
        load[chosen].incrementAndGet();
        return loops[chosen];
    }

    /** A connection of the loop has ended. */
    void leave(EventLoop loop) {
        for (int i = 0; i < loops.length; i++) {
            if (loops[i] == loop) {
                load[i].decrementAndGet();
            }
        }
    }

    @Override
    public void close() {
        for (EventLoop loop : loops) {
            if (loop != null) {
                loop.close();
            }
        }
    }
}
