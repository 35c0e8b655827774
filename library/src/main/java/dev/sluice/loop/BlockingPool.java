package dev.sluice.loop;

import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The few platform threads on which steps run that may block on a disk (S37): never a loop, never a carrier of virtual
 * threads. Steps are at most a pipeful long, so that everybody gets a turn.
 */
public final class BlockingPool {
    private static final int THREADS = Math.clamp(2L * Runtime.getRuntime().availableProcessors(), 4, 32);
    private static final AtomicInteger NUMBER = new AtomicInteger();
    private static final ThreadPoolExecutor POOL = new ThreadPoolExecutor(
            THREADS,
            THREADS,
            10,
            TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(),
            task -> Thread.ofPlatform()
                    .daemon()
                    .name("sluice-file-" + NUMBER.incrementAndGet())
                    .unstarted(task));

    static {
        POOL.allowCoreThreadTimeOut(true);
    }

    private BlockingPool() {}

    public static Executor shared() {
        return POOL;
    }

    /** Whether steps wait for a thread. */
    static boolean contended() {
        return !POOL.getQueue().isEmpty();
    }
}
