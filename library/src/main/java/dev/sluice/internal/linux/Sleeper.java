package dev.sluice.internal.linux;

/**
 * Whether a thread with a queue of work sleeps in the kernel, so that only who finds it asleep pays for an eventfd. The thread
 * says that it is about to sleep and then looks at its queue once more; others add to the queue and then ask. Both sides
 * write before they read, and volatile keeps that order: at least one of them sees the other.
 */
public final class Sleeper {
    private volatile boolean asleep;

    /** Of the thread, before its last look at the queue. */
    public void aboutToSleep() {
        asleep = true;
    }

    /** Of the thread, when it has slept, or need not. */
    public void awake() {
        asleep = false;
    }

    /** Of anybody, after adding to the queue: whether the caller has to signal. Of many, the first is enough. */
    public boolean mustBeWoken() {
        if (!asleep) {
            return false;
        }
        asleep = false;
        return true;
    }
}
