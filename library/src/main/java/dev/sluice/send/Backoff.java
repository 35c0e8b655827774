package dev.sluice.send;

/**
 * Decides, buffer by buffer, whether zero copy is worth trying on a socket, from what the kernel said of those before. Never
 * waits for an answer.
 *
 * <p>A first send is a probe. If the kernel says that it copied, which costs more than copying at once, the next 256 sends
 * are copied, then there is another probe, then 512 and so on: routes change, so it is never given up.
 */
final class Backoff {
    /** What the sends do at the moment. */
    enum Mode {
        /** One is out to learn what becomes of it; others copy meanwhile. */
        PROBING,
        /** Large sends are zero-copy. */
        ON,
        /** Sends copy for a while. */
        OFF
    }

    private static final int FIRST_PAUSE = 256;
    private static final int LONGEST_PAUSE = 1 << 18;
    private static final int PAUSE_AFTER_REFUSAL = 32;

    /** So many of the last four have to be copied for a pause. */
    private static final int TOO_MANY = 3;

    private final String peer;
    private ZeroCopySender.Policy policy;
    private final int threshold;

    private Mode mode;
    private int pause = FIRST_PAUSE;
    private int left;
    private boolean probeOut;
    private int lastFour;
    private String reason;

    private long copied;
    private long refused;
    private long switches;

    /**
     * @param peer for the records
     * @param local whether the peer is on this machine, where the kernel always copies
     * @param impossible why the socket can't do it at all, or null
     */
    Backoff(String peer, ZeroCopySender.Policy policy, int threshold, boolean local, String impossible) {
        this.peer = peer;
        this.policy = impossible == null ? policy : ZeroCopySender.Policy.NEVER;
        this.threshold = threshold;
        this.mode = policy == ZeroCopySender.Policy.ALWAYS ? Mode.ON : Mode.PROBING;
        this.reason = "no zero-copy send so far";
        if (impossible != null) {
            reason = impossible;
            mode = Mode.OFF;
        } else if (policy == ZeroCopySender.Policy.NEVER) {
            reason = "zero copy is switched off for this sender";
            mode = Mode.OFF;
        } else if (local && policy == ZeroCopySender.Policy.ADAPTIVE) {
            reason = "the peer is on this machine, where the kernel copies in any case";
            mode = Mode.OFF;
            left = pause;
        }
    }

    /** Whether a buffer of this length goes by zero copy. */
    synchronized boolean zeroCopy(int length) {
        if (policy != ZeroCopySender.Policy.ADAPTIVE) {
            return policy == ZeroCopySender.Policy.ALWAYS && length > 0;
        }
        if (mode == Mode.OFF && --left <= 0) {
            mode = Mode.PROBING;
            probeOut = false;
        }
        if (length < threshold || mode == Mode.OFF || probeOut) {
            return false;
        }
        probeOut = mode == Mode.PROBING;
        return true;
    }

    /** The send that was to be the probe took nothing: the next one may be it. */
    synchronized void forgetProbe() {
        probeOut = false;
    }

    /** Whether an answer would change what the next sends do. */
    synchronized boolean probing() {
        return probeOut;
    }

    /** The kernel told of one send. */
    synchronized void told(boolean byCopy) {
        copied += byCopy ? 1 : 0;
        lastFour = (lastFour << 1 | (byCopy ? 1 : 0)) & 0xF;
        if (policy != ZeroCopySender.Policy.ADAPTIVE) {
            reason = byCopy ? "the kernel copied" : "the kernel sent from the buffers";
            return;
        }
        if (mode == Mode.PROBING) {
            probeOut = false;
            if (byCopy) {
                pause(
                        "the kernel copied what was sent by zero copy: loopback, a tap, or a device without scatter-gather");
            } else {
                pause = FIRST_PAUSE;
                change(Mode.ON, "the kernel sent from the buffers");
            }
        } else if (mode == Mode.ON && Integer.bitCount(lastFour) >= TOO_MANY) {
            pause("the kernel copied most of the last sends");
        }
    }

    private void pause(String why) {
        left = pause;
        pause = Math.min(2 * pause, LONGEST_PAUSE);
        lastFour = 0;
        change(Mode.OFF, why);
    }

    /** The kernel had no memory for a zero-copy send. */
    synchronized void refused(String why) {
        refused++;
        reason = why;
        if (policy == ZeroCopySender.Policy.ADAPTIVE && mode != Mode.OFF) {
            left = PAUSE_AFTER_REFUSAL;
            change(Mode.OFF, why);
        }
    }

    private void change(Mode to, String why) {
        mode = to;
        reason = why;
        switches++;
        Records.switched(peer, this);
    }

    /** The socket turned out not to be able to. */
    synchronized void impossible(String why) {
        policy = ZeroCopySender.Policy.NEVER;
        mode = Mode.OFF;
        reason = why;
    }

    /** How many reports of the kernel said that it copied. */
    synchronized long copied() {
        return copied;
    }

    /** How often the kernel had no memory. */
    synchronized long refused() {
        return refused;
    }

    /** How often the mode changed by what the kernel told. */
    synchronized long switches() {
        return switches;
    }

    synchronized Mode mode() {
        return mode;
    }

    synchronized String reason() {
        return reason;
    }
}
