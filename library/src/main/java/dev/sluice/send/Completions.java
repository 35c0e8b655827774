package dev.sluice.send;

import dev.sluice.internal.fd.Descriptor;
import dev.sluice.internal.linux.ErrorQueue;
import dev.sluice.io.SluiceException;
import java.io.IOException;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The zero-copy sends of a socket that are out, and its error queue, which tells of their release and of stages. Any thread
 * may read the queue; one does at a time.
 */
final class Completions {
    private final Descriptor descriptor;
    private final Backoff backoff;
    private final Stamps stamps;
    private final Outstanding outstanding = new Outstanding(0);
    private final ReentrantLock draining = new ReentrantLock();
    private final ErrorQueue queue = new ErrorQueue();
    private volatile IOException gap;

    Completions(Descriptor descriptor, Backoff backoff, Stamps stamps) {
        this.descriptor = descriptor;
        this.backoff = backoff;
        this.stamps = stamps;
    }

    /** Before a zero-copy call, since its completion may be read before the call returns. */
    void expect(SendReceipt receipt) {
        receipt.hold();
        outstanding.add(receipt);
    }

    /** The call took nothing, so there will be no completion. */
    void undo(SendReceipt receipt) {
        outstanding.undo();
        receipt.unhold();
    }

    /** How many calls are out. */
    int out() {
        return outstanding.size();
    }

    /** Why something may have been missed, or null. */
    IOException gap() {
        return gap;
    }

    /** Takes in what the kernel has told; how many calls it released. */
    int drain() {
        if (!descriptor.acquire()) {
            return 0;
        }
        try {
            return drainHeld();
        } finally {
            descriptor.release();
        }
    }

    /** By a user of the descriptor, or by whoever closes it. */
    int drainHeld() {
        int released = 0;
        draining.lock();
        try {
            while (true) {
                switch (queue.next(descriptor.fd())) {
                    case EMPTY -> {
                        return released;
                    }
                    case RELEASED -> released += released(queue.low(), queue.high(), queue.copied());
                    case STAMP -> stamp();
                    // A completion may be lost for good: what is out stays out, and nothing more is put at risk.
                    case TRUNCATED ->
                        gap = new SluiceException(
                                descriptor.name() + ": a completion of a zero-copy send was lost (MSG_CTRUNC)", "", 0);
                    case NETWORK_ERROR, UNKNOWN -> {}
                }
            }
        } finally {
            draining.unlock();
        }
    }

    private int released(int low, int high, boolean copied) {
        backoff.told(copied);
        int released = 0;
        int count = outstanding.reach(low, high);
        for (int i = 0; i < count; i++) {
            SendReceipt receipt = outstanding.take(low + i);
            if (receipt != null) {
                released++;
                // Of the others in the range the kernel does not tell (M5).
                SendReceipt.Path told = copied ? SendReceipt.Path.COPIED : SendReceipt.Path.ZERO_COPY;
                receipt.land(i == 0 ? told : SendReceipt.Path.UNKNOWN, false);
            }
        }
        return released;
    }

    private void stamp() {
        Stage stage = switch (queue.stage()) {
            case ErrorQueue.SCM_TSTAMP_SCHED -> Stage.SCHEDULED;
            case ErrorQueue.SCM_TSTAMP_SND -> Stage.ON_WIRE;
            case ErrorQueue.SCM_TSTAMP_ACK -> Stage.ACKED;
            default -> null;
        };
        if (stage != null) {
            stamps.reached(stage, queue.key(), queue.nanos());
        }
    }

    /** Whatever the kernel did not tell of will never be written again; how many that are. */
    int quarantine() {
        SendReceipt[] rest = outstanding.clear();
        for (SendReceipt receipt : rest) {
            receipt.land(SendReceipt.Path.UNKNOWN, true);
        }
        return rest.length;
    }
}
