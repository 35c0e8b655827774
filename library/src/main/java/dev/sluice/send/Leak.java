package dev.sluice.send;

import java.lang.ref.Cleaner;

/**
 * Notices that a lease was forgotten: neither sent nor closed, and out of anybody's reach. Then its buffer goes back, and the
 * log says where it was leased. Switched on by {@code -Dsluice.leaks=on}, since it costs a stack trace per lease.
 */
final class Leak implements Runnable {
    private static final System.Logger LOG = System.getLogger("dev.sluice");
    private static final Cleaner CLEANER = Cleaner.create();

    private final BufferPool pool;
    private final int index;
    private final Throwable leased = new Throwable("leased here");
    private Cleaner.Cleanable cleanable;
    private boolean returned;

    private Leak(BufferPool pool, int index) {
        this.pool = pool;
        this.index = index;
    }

    static boolean enabled() {
        return System.getProperty("sluice.leaks", "off").equals("on");
    }

    static Leak watch(BufferLease lease, BufferPool pool, int index) {
        if (!pool.findsLeaks()) {
            return null;
        }
        Leak leak = new Leak(pool, index);
        leak.cleanable = CLEANER.register(lease, leak);
        pool.remember(index, leak.leased);
        return leak;
    }

    void returned() {
        returned = true;
        cleanable.clean();
    }

    @Override
    public void run() {
        if (!returned) {
            LOG.log(
                    System.Logger.Level.WARNING,
                    "buffer " + index + " of " + pool + " was leased and forgotten",
                    leased);
            pool.lost(index);
        }
    }
}
