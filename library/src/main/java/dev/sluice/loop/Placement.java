package dev.sluice.loop;

import dev.sluice.internal.linux.Processors;
import dev.sluice.internal.linux.Sockets;

/**
 * Where and when the thread of a loop runs, if it moves bulk to a reader on this machine and the machine has two processors.
 *
 * <p>Whoever feeds a stream of bulk, the loop, and whoever reads it keep both busy, so two of the three share one. If these
 * are the loop and the reader, pages go from one processor's caches to the other's once; if the loop is alone, twice, which
 * costs it half as much again (measured, see the benchmarks). The scheduler knows nothing of pages, so the loop moves. But
 * a reader that has to be waited for has the most to do of the three, and keeps its processor to itself.
 *
 * <p>And a loop that finds little lets the other one go first, and finds more afterwards.
 *
 * <p>Both keep messages waiting that go through the same loop, which stays as it is while there are any.
 *
 * <p>With more processors the scheduler finds one for each, and where there is one, nothing is to be chosen.
 */
final class Placement {
    private static final int PROCESSORS = 2;

    /** One move per so many turns at most, and none where every fourth turn or so has to wait for the sink. */
    private static final int PATIENCE = 4;

    /** For so many turns after a message there is no move, and no yielding: some milliseconds. */
    private static final int RESPECT = 64;

    /** A pipeful of less is hardly worth the calls that it takes. */
    private static final int FEW = 128 * 1024;

    private boolean asked;
    private boolean choice;

    /** Turns that the reader was elsewhere, less those that it was here. */
    private int apart;

    /** Turns that are left since the last message. */
    private int respect;

    /**
     * After a turn of bulk that the sink had room for.
     *
     * @param pipeful the bytes of its last splice from the source
     */
    void delivered(int socket, long pipeful) {
        if (respect > 0) {
            respect--;
            return;
        }
        if (!choice()) {
            return;
        }
        if (pipeful < FEW) {
            Thread.yield();
        }
        // Where the last segment came in, which on this machine is where the peer's thread ran.
        int there = Sockets.option(socket, Sockets.SOL_SOCKET, Sockets.SO_INCOMING_CPU);
        if (there < 0) {
            return;
        }
        if (there == Processors.current()) {
            apart = Math.max(apart - 1, -PATIENCE);
        } else if (++apart >= PATIENCE) {
            apart = 0;
            choice = Processors.visit(there, PROCESSORS);
        }
    }

    /** After a turn of bulk that ended because the sink was full. */
    void waitsForReader() {
        apart = -PATIENCE;
    }

    /** Before a turn of anything but bulk. */
    void servesOthers() {
        respect = RESPECT;
    }

    private boolean choice() {
        if (!asked) {
            asked = true;
            choice = Processors.visit(Processors.current(), PROCESSORS);
        }
        return choice;
    }
}
