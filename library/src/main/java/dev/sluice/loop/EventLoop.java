package dev.sluice.loop;

import dev.sluice.internal.fd.Descriptor;
import dev.sluice.internal.linux.Errno;
import dev.sluice.internal.linux.Files;
import dev.sluice.internal.linux.Native;
import dev.sluice.internal.linux.Polling;
import dev.sluice.internal.linux.Sleeper;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.PriorityQueue;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * One platform thread that waits for readiness (epoll(7), edge-triggered), runs tasks and fires timers.
 *
 * <p>Nothing that runs here may block: a task of a loop delays every transfer of the loop. All methods may be called from
 * any thread. An exception of a task is logged and the loop goes on.
 */
public final class EventLoop implements Executor, AutoCloseable {
    private static final System.Logger LOG = System.getLogger(EventLoop.class.getName());
    private static final int EVENTS_PER_WAIT = 256;
    private static final int MAX_CANCELLED = 256;

    /** In the place of a watch's index: the event is for the eventfd that wakes the loop. */
    private static final long WAKE_UP = -1;

    private final int epoll;
    private final int wakeUp;
    private final Polling polling;
    private final Thread thread;

    private final Queue<Runnable> tasks = new ConcurrentLinkedQueue<>();
    private final Sleeper sleeper = new Sleeper();
    private volatile boolean stopped;
    private boolean released;

    /** Of this thread alone: pumps to be stepped in turn, those that may take long, timers, and where it runs. */
    private final ArrayDeque<Runnable> turns = new ArrayDeque<>();

    private final ArrayDeque<Runnable> longTurns = new ArrayDeque<>();

    private final PriorityQueue<Timer> timers = new PriorityQueue<>();
    private final Placement placement = new Placement();

    /** Roughly how many timers in the queue will do nothing when they are due. */
    private final AtomicInteger cancelled = new AtomicInteger();

    /** Watches by their index, which epoll hands back with each event. Changed under the lock, read by the loop. */
    private volatile Watch[] watches = new Watch[64];

    private final Object registry = new Object();

    private int[] freeIndexes = new int[64];
    private int freeCount;
    private int usedIndexes;

    private EventLoop(String name, int epoll, int wakeUp) {
        this.epoll = epoll;
        this.wakeUp = wakeUp;
        this.polling = new Polling(Arena.ofAuto(), EVENTS_PER_WAIT);
        this.thread = Thread.ofPlatform().daemon().name(name).unstarted(this::run);
    }

    /**
     * Starts a loop of the caller's own.
     *
     * @throws IOException if no descriptor is left for it
     * @throws UnsupportedOperationException if this is not Linux, or native access is denied
     */
    public static EventLoop open(String name) throws IOException {
        if (!Native.available()) {
            throw new UnsupportedOperationException("the event loop " + Native.unavailable());
        }
        int epoll = Polling.create();
        if (epoll < 0) {
            throw Descriptor.failure("epoll_create1", name, epoll);
        }
        int wakeUp = Polling.eventFd();
        int added = wakeUp < 0
                ? wakeUp
                : Polling.control(epoll, Polling.ADD, wakeUp, Polling.EPOLLIN | Polling.EPOLLET, WAKE_UP);
        if (added < 0) {
            Files.close(epoll);
            if (wakeUp >= 0) {
                Files.close(wakeUp);
            }
            throw Descriptor.failure("eventfd", name, added);
        }
        EventLoop loop = new EventLoop(name, epoll, wakeUp);
        loop.thread.start();
        return loop;
    }

    /**
     * One of the loops that serve everybody, in turn: as many as there are processors, at most eight, started when first
     * asked for and never closed.
     */
    public static EventLoop shared() throws IOException {
        return Shared.next();
    }

    private static final class Shared {
        private static final EventLoop[] LOOPS =
                new EventLoop[Math.clamp(Runtime.getRuntime().availableProcessors(), 1, 8)];
        private static final AtomicInteger NEXT = new AtomicInteger();

        static EventLoop next() throws IOException {
            int index = Math.floorMod(NEXT.getAndIncrement(), LOOPS.length);
            synchronized (LOOPS) {
                if (LOOPS[index] == null) {
                    LOOPS[index] = open("sluice-loop-" + index);
                }
                return LOOPS[index];
            }
        }
    }

    /** Whether the calling thread is this loop's. */
    public boolean inLoop() {
        return Thread.currentThread() == thread;
    }

    /** For who runs on the loop's thread. */
    Placement placement() {
        return placement;
    }

    /**
     * Runs the task on the loop's thread, soon.
     *
     * @throws RejectedExecutionException once the loop is closed
     */
    @Override
    public void execute(Runnable task) {
        if (stopped) {
            throw new RejectedExecutionException("the event loop " + thread.getName() + " is closed");
        }
        if (inLoop()) {
            turns.addLast(task);
            return;
        }
        tasks.add(task);
        if (sleeper.mustBeWoken()) {
            signal();
        }
    }

    /**
     * As {@link #execute}, for what moves a lot at a time. Between any two of these the loop looks who has become ready, so
     * nobody's message waits for more than one of them, however many streams of bulk there are.
     */
    void executeLong(Runnable task) {
        if (inLoop() && !stopped) {
            longTurns.addLast(task);
        } else {
            execute(task);
        }
    }

    /** Runs the task on the loop's thread after the delay, to the millisecond. */
    public Timer schedule(long delayNanos, Runnable task) {
        Timer timer = new Timer(this, System.nanoTime() + delayNanos, task);
        if (inLoop()) {
            timers.add(timer);
        } else {
            execute(() -> timers.add(timer));
        }
        return timer;
    }

    /** A task that waits for its time. */
    public static final class Timer implements Comparable<Timer> {
        private final EventLoop loop;
        private final long due;
        private volatile Runnable task;

        private Timer(EventLoop loop, long due, Runnable task) {
            this.loop = loop;
            this.due = due;
            this.task = task;
        }

        /** The task will not be run, unless it is running already. */
        public void cancel() {
            if (task != null) {
                task = null;
                loop.cancelled.incrementAndGet();
            }
        }

        @Override
        public int compareTo(Timer other) {
            return Long.compare(due - other.due, 0);
        }
    }

    /** Registers both directions for as long as the descriptor lives; returns the watch's index. */
    int register(Descriptor descriptor, Watch watch) throws IOException {
        int interest = Polling.EPOLLIN | Polling.EPOLLPRI | Polling.EPOLLOUT | Polling.EPOLLRDHUP | Polling.EPOLLET;
        synchronized (registry) {
            if (released) {
                throw new RejectedExecutionException("the event loop " + thread.getName() + " is closed");
            }
            int index = freeCount > 0 ? freeIndexes[--freeCount] : usedIndexes++;
            if (index == watches.length) {
                int size = 2 * index;
                freeIndexes = Arrays.copyOf(freeIndexes, size);
                watches = Arrays.copyOf(watches, size);
            }
            Watch[] table = watches;
            table[index] = watch;
            watches = table;
            int result = Polling.control(epoll, Polling.ADD, descriptor.fd(), interest, index);
            if (result < 0) {
                table[index] = null;
                freeIndexes[freeCount++] = index;
                throw descriptor.failure("epoll_ctl", result);
            }
            return index;
        }
    }

    /**
     * Ends the registration. It has to be done before the descriptor is closed: epoll watches the open file, which lives
     * on if somebody else holds a duplicate of the descriptor.
     */
    void unregister(Descriptor descriptor, int index) {
        synchronized (registry) {
            if (released) {
                return;
            }
            Polling.control(epoll, Polling.DELETE, descriptor.fd(), 0, 0);
            watches[index] = null;
            freeIndexes[freeCount++] = index;
        }
    }

    private void run() {
        while (!stopped) {
            int count = await();
            for (int i = 0; i < count; i++) {
                long data = polling.eventData(i);
                if (data == WAKE_UP) {
                    continue;
                }
                Watch watch = watches[(int) data];
                // A stale event finds no watch, or a newer one, for which it is a spurious wake-up.
                if (watch != null) {
                    watch.event(polling.eventMask(i));
                }
            }
            if (!turns.isEmpty()) {
                placement.servesOthers();
            }
            for (int i = turns.size(); i > 0; i--) {
                runSafely(turns.pollFirst());
            }
            if (!longTurns.isEmpty()) {
                runSafely(longTurns.pollFirst());
            }
            Runnable task;
            for (int i = 0; i < EVENTS_PER_WAIT && (task = tasks.poll()) != null; i++) {
                runSafely(task);
            }
            fireTimers();
        }
        synchronized (registry) {
            released = true;
            Files.close(epoll);
            Files.close(wakeUp);
        }
    }

    private int await() {
        int timeout = timeout();
        if (timeout != 0) {
            sleeper.aboutToSleep();
            // A task added before we were seen asleep rang no bell.
            if (!tasks.isEmpty() || stopped) {
                timeout = 0;
            }
        }
        int count = polling.await(epoll, timeout);
        sleeper.awake();
        if (count < 0) {
            throw new IllegalStateException("epoll_wait: " + Errno.name(-count));
        }
        return count;
    }

    private int timeout() {
        if (!turns.isEmpty() || !longTurns.isEmpty() || !tasks.isEmpty()) {
            return 0;
        }
        Timer next = timers.peek();
        if (next == null) {
            return -1;
        }
        long nanos = next.due - System.nanoTime();
        return nanos <= 0 ? 0 : (int) Math.min(Integer.MAX_VALUE, (nanos + 999_999) / 1_000_000);
    }

    private void fireTimers() {
        if (cancelled.get() > MAX_CANCELLED && cancelled.get() > timers.size() / 2) {
            // Most timers are there for what hardly ever happens: they would pile up until they are due.
            timers.removeIf(timer -> timer.task == null);
            cancelled.set(0);
        }
        Timer next;
        while ((next = timers.peek()) != null && (next.task == null || next.due - System.nanoTime() <= 0)) {
            Runnable task = timers.poll().task;
            if (task != null) {
                runSafely(task);
            }
        }
    }

    private static void runSafely(Runnable task) {
        try {
            task.run();
        } catch (Throwable t) {
            LOG.log(System.Logger.Level.ERROR, "a task of an event loop failed", t);
        }
    }

    /** Stops the thread after its current round. What still waits for the loop waits for ever; close what uses it first. */
    @Override
    public void close() {
        stopped = true;
        signal();
    }

    /** Once the loop has ended, its numbers may be somebody else's (S30). */
    private void signal() {
        synchronized (registry) {
            if (!released) {
                Polling.signal(wakeUp);
            }
        }
    }
}
