package dev.sluice.send;

import dev.sluice.internal.fd.Descriptor;
import dev.sluice.internal.linux.Sockets;

/** How far the peer's TCP has acknowledged what a sender sent, found out by asking. All but {@link #known} use the descriptor. */
final class Acknowledgements {
    private final Descriptor descriptor;

    /** What of them belongs to what was sent before, SYN included; negative if nobody can tell. */
    private final long before;

    private volatile long reached;

    /** Of a descriptor in use. */
    Acknowledgements(Descriptor descriptor, boolean possible) {
        this.descriptor = descriptor;
        this.before = possible ? before(descriptor.fd()) : -1;
    }

    /** What is acknowledged, and what is on its way: so much was sent before. Asked until nothing moved meanwhile. */
    private static long before(int fd) {
        long before;
        long way;
        do {
            before = Sockets.acknowledged(fd);
            way = Sockets.unacknowledged(fd);
        } while (before >= 0 && before != Sockets.acknowledged(fd));
        return before < 0 || way < 0 ? -1 : before + way;
    }

    /** Whether the kernel knows of any at all: TCP does. */
    boolean known() {
        return before >= 0;
    }

    /** Whether they reach to that offset of the stream, of which so much was sent. */
    boolean reach(long end, long sent) {
        if (reached < end && known() && descriptor.acquire()) {
            learn(sent);
            descriptor.release();
        }
        return reached >= end;
    }

    /** By a user of the descriptor. */
    void learn(long sent) {
        // The kernel may count a byte for FIN, too.
        reached = Math.max(reached, Math.min(Sockets.acknowledged(descriptor.fd()) - before, sent));
    }

    /** Whether the connection has ended, so that none will come any more. */
    boolean ended() {
        if (!known() || !descriptor.acquire()) {
            return false;
        }
        try {
            return Sockets.tcpClosed(descriptor.fd());
        } finally {
            descriptor.release();
        }
    }

    /** Whether more will come; by a user of the descriptor. */
    boolean pending() {
        return known() && !Sockets.tcpClosed(descriptor.fd()) && Sockets.unacknowledged(descriptor.fd()) > 0;
    }
}
