package dev.sluice.send;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Iterator;

/**
 * Sends whose stages the kernel was asked to tell, in their order. A stamp carries a key modulo 2³²: of a stream the offset
 * of a byte, of datagrams their number. It tells of everything up to there, since a request may be merged with a later one
 * (T2), and a stamp be lost.
 */
final class Stamps {
    private final ArrayDeque<SendReceipt> pending = new ArrayDeque<>();

    /** Ends at {@link SendReceipt#end}. */
    synchronized void add(SendReceipt receipt) {
        pending.addLast(receipt);
    }

    /** The send failed and will not get to its end. */
    synchronized void remove(SendReceipt receipt) {
        pending.remove(receipt);
    }

    synchronized void reached(Stage stage, int key, long nanos) {
        for (Iterator<SendReceipt> sends = pending.iterator(); sends.hasNext(); ) {
            SendReceipt send = sends.next();
            if (key - (int) (send.end() - 1) < 0) {
                return;
            }
            send.reach(stage, nanos);
            if (stage.compareTo(send.requested()) >= 0) {
                sends.remove();
            }
        }
    }

    synchronized boolean isEmpty() {
        return pending.isEmpty();
    }

    synchronized void fail(IOException cause) {
        for (SendReceipt send : pending) {
            send.fail(cause);
        }
        pending.clear();
    }
}
