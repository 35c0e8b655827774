package dev.sluice.ring;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.sluice.internal.fd.Descriptor;
import dev.sluice.internal.linux.Errno;
import dev.sluice.internal.linux.Files;
import dev.sluice.internal.linux.Rings;
import dev.sluice.io.SluiceException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Set;

/**
 * One io_uring(7): a queue of submissions to the kernel and a queue of completions from it, in shared memory.
 *
 * <p>A ring belongs to the platform thread that opened it; other threads get a {@link WrongThreadException}. (The kernel
 * cancels the requests of a thread that exits, and a virtual thread may find itself on another thread at any time.)
 * {@link SharedRing} is for everybody. Nothing here allocates, except where it says so; of a system call the JDK's linker makes
 * one small object, which the compiler removes as a rule, but not always.
 *
 * <p>Submissions are queued by {@link #next} and handed over by {@link #submit}; {@link #submitAndWait} waits, and the thread
 * then blocks in the kernel, where no interrupt reaches it. Completions are taken by {@link #reap}, or one by one by
 * {@link #peek} and {@link #advance}, in no particular order.
 */
public final class Ring implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(Ring.class.getName());

    /** A request that the kernel does not give up, such as a read of a dead disk, is not waited for longer. */
    private static final long PATIENCE_NANOS = 1_000_000_000;

    private static final long PAGE = 4096;

    private final int fd;
    private final Arena arena;
    private final RingSetup setup;
    private final MemorySegment argument;
    private final MemorySegment cell;
    private final MemorySegment known;

    /** What the kernel reads the time-outs of waits from without being told where, or null. */
    private MemorySegment waits;

    /** The ring's number for this thread, or −1. */
    private final int number;

    private final Submission submission = new Submission(this);
    private final Completion completion = new Completion();
    private final boolean poller;
    private final int features;
    private final RingRegistry registry;
    private Queues queues;
    private boolean closed;

    /** Where the next entry goes. What lies before it belongs to the kernel once the shared tail has been set to it. */
    private int tail;

    /** How far the kernel is known to have taken entries; it may be further. */
    private int knownHead;

    private long inFlight;

    Ring(int fd, RingSetup setup, MemorySegment params) throws IOException {
        this.fd = fd;
        this.setup = setup;
        this.arena = setup.arena();
        this.features = Rings.features(params);
        this.poller = setup.has(SetupFlag.SQPOLL);
        this.argument = arena.allocate(Rings.GETEVENTS_SIZE + 16, 8);
        this.cell = Rings.cell(arena);
        this.known = arena.allocate(Rings.RSRC_UPDATE_SIZE, 8);
        this.registry = new RingRegistry(this, fd, arena);
        try {
            use(Queues.map(fd, params, setup));
        } catch (IOException | RuntimeException e) {
            Files.close(fd);
            arena.close();
            throw e;
        }
        this.number = setup.isLocked() ? -1 : Rings.know(fd, known);
    }

    /** The whole page is the kernel's to read; only its beginning is used. While the ring is disabled. */
    void registerWaits() throws IOException {
        MemorySegment page = arena.allocate(PAGE, PAGE);
        page.set(JAVA_INT, Rings.REG_WAIT_FLAGS, Rings.IORING_REG_WAIT_TS);
        registry.waits(page);
        waits = page;
    }

    private void use(Queues mapped) {
        queues = mapped;
        tail = mapped.submissionTail();
        knownHead = mapped.submissionHead();
        submission.over(mapped.submissions, mapped.submissionSize, mapped.scratch);
    }

    /**
     * Opens a ring of so many submissions, rounded up to a power of two, and four times as many completions, with the
     * flags that suit a thread of its own as far as the kernel knows them. See {@link RingSetup} for more.
     *
     * @throws SluiceException with the errno of io_uring_setup(2) and what to do about it
     * @throws IllegalStateException on a virtual thread
     */
    public static Ring open(int entries) throws IOException {
        return new RingSetup().entries(entries).open();
    }

    /**
     * Starts a ring that was opened with {@link SetupFlag#R_DISABLED}. Till then files, buffers and whatever else can be
     * registered, and entries be queued, but not handed over. What {@link RingSetup#allow} left out is refused from now on.
     *
     * @throws SluiceException EBADFD if the ring was not disabled
     */
    public void enable() throws IOException {
        registry.call("io_uring_register ENABLE_RINGS", Rings.IORING_REGISTER_ENABLE_RINGS, 0, 0);
        setup.enabled();
    }

    /** The flags in effect: those asked for, and of the usual ones those that the kernel knows. */
    public Set<SetupFlag> flags() {
        return setup.effective();
    }

    /** What the kernel says of its rings. */
    public Set<Feature> features() {
        EnumSet<Feature> set = EnumSet.noneOf(Feature.class);
        for (Feature feature : Feature.values()) {
            if ((features & 1 << feature.ordinal()) != 0) {
                set.add(feature);
            }
        }
        return set;
    }

    /** Whether the kernel knows the operation. Asked anew at each call, which allocates. */
    public boolean supports(Operation operation) throws IOException {
        return registry.supports(operation.ordinal());
    }

    /** What can be registered with the ring: files, buffers, buffer rings, an eventfd. */
    public RingRegistry registry() {
        return registry;
    }

    /** The descriptor of the ring, to be polled, or to be sent {@linkplain Submission#message messages}. */
    public int fd() {
        return fd;
    }

    /** How many submissions there is room for. */
    public int room() {
        return queues.submissionCount - queued();
    }

    /** How many submissions the kernel has not taken yet. */
    public int queued() {
        return tail - queues.submissionHead();
    }

    /** The free-running counters of the queues, as the kernel sees them; the difference of two is what is between. */
    public int submissionHead() {
        return queues.submissionHead();
    }

    /** The counter of what has been queued, whether handed over or not. */
    public int submissionTail() {
        return tail;
    }

    /** The counter of what has been taken of the completions. */
    public int completionHead() {
        return queues.completionHead;
    }

    /** The counter of the completions that came. */
    public int completionTail() {
        return queues.completionTail();
    }

    /** How many completions fit. */
    public int completionCapacity() {
        return queues.completionCount;
    }

    /** Whether completions wait in the kernel for room in the queue: nothing is lost, but reaping is overdue. */
    public boolean overflown() {
        return (queues.flags() & Rings.IORING_SQ_CQ_OVERFLOW) != 0;
    }

    /**
     * How many requests have not had their last completion. Those with {@link Submission#skipSuccess} are not counted; if
     * they fail, and when another ring sends a message, there is a completion of nobody, which makes the number smaller.
     */
    public long inFlight() {
        return inFlight;
    }

    /** An entry, all zero, for the next request: a no-op unless something is made of it. */
    public Submission next() {
        if (tail - knownHead >= queues.submissionCount && tail - refreshHead() >= queues.submissionCount) {
            throw new IllegalStateException(
                    "the submission queue is full: submit() first, and if that takes nothing, reap() first");
        }
        // Counted after the entry has been touched, which another thread would not have got past.
        submission.at(tail & queues.submissionMask);
        tail++;
        inFlight++;
        return submission;
    }

    private int refreshHead() {
        knownHead = queues.submissionHead();
        return knownHead;
    }

    /** Takes back the last entry, which the kernel was offered and did not take; not for a ring with a poller. */
    void takeBack() {
        tail--;
        inFlight--;
        publish();
    }

    /** Whether completions ring the eventfd that is registered; what came before it was switched on is to be looked for. */
    void ringing(boolean on) {
        queues.completionFlags(on ? 0 : Rings.IORING_CQ_EVENTFD_DISABLED);
    }

    void uncounted() {
        inFlight--;
    }

    /** Makes the queued entries visible to the kernel, whose own thread takes them if it polls; no system call. */
    public void publish() {
        queues.submissionTail(tail);
    }

    /**
     * Hands over what is queued.
     *
     * @return how many entries the kernel took. Fewer than were {@link #queued} mean that it is short of something: reap,
     *     and submit again
     * @throws SluiceException with the errno of io_uring_enter(2)
     */
    public int submit() throws IOException {
        publish();
        int count = queued();
        if (poller) {
            return wakePoller(0, 0) ? count : 0;
        }
        return count == 0 ? 0 : enter(count, 0, 0, 0);
    }

    /** Hands over what is queued, and waits until so many completions are there; or fewer, after a signal. */
    public int submitAndWait(int completions) throws IOException {
        return submitAndWait(completions, Long.MAX_VALUE, 0);
    }

    /** The same, but at most for so long. */
    public int submitAndWait(int completions, long timeoutNanos) throws IOException {
        return submitAndWait(completions, timeoutNanos, 0);
    }

    /**
     * The same, but after the shorter time one completion is enough. Since 6.12; without {@link Feature#MIN_TIMEOUT} only
     * the longer one counts.
     */
    public int submitAndWait(int completions, long timeoutNanos, long minimumNanos) throws IOException {
        publish();
        int count = queued();
        int flags = Rings.IORING_ENTER_GETEVENTS;
        long address = 0;
        if (timeoutNanos != Long.MAX_VALUE) {
            boolean minimum = minimumNanos > 0 && (features & 1 << Feature.MIN_TIMEOUT.ordinal()) != 0;
            int micros = minimum ? (int) Math.ceilDiv(minimumNanos, 1000) : 0;
            flags |= Rings.IORING_ENTER_EXT_ARG;
            if (waits == null) {
                Rings.timespec(argument, Rings.GETEVENTS_SIZE, Math.max(0, timeoutNanos));
                argument.set(JAVA_INT, Rings.GETEVENTS_MIN_WAIT_USEC, micros);
                argument.set(JAVA_LONG, Rings.GETEVENTS_TS, argument.address() + Rings.GETEVENTS_SIZE);
                address = argument.address();
            } else {
                Rings.timespec(waits, 0, Math.max(0, timeoutNanos));
                waits.set(JAVA_INT, Rings.REG_WAIT_MIN_WAIT_USEC, micros);
                flags |= Rings.IORING_ENTER_EXT_ARG_REG;
            }
        }
        if (poller) {
            flags |= needsWakeUp() ? Rings.IORING_ENTER_SQ_WAKEUP : 0;
        }
        return enter(count, completions, flags, address);
    }

    private boolean wakePoller(int complete, int flags) throws IOException {
        if (needsWakeUp()) {
            enter(queued(), complete, flags | Rings.IORING_ENTER_SQ_WAKEUP, 0);
        }
        return true;
    }

    private boolean needsWakeUp() {
        // Otherwise the poller could see the old tail and fall asleep, and we the flag from before it did.
        VarHandle.fullFence();
        return (queues.flags() & Rings.IORING_SQ_NEED_WAKEUP) != 0;
    }

    private int enter(int submit, int complete, int flags, long address) throws IOException {
        int result = number < 0
                ? Rings.enter(cell, fd, submit, complete, flags, address)
                : Rings.enter(cell, number, submit, complete, flags | Rings.IORING_ENTER_REGISTERED_RING, address);
        return switch (result) {
            // The time is over; a signal came; too little memory; completions wait for room: all of them temporary.
            case -Errno.ETIME, -Errno.EINTR, -Errno.EAGAIN, -Errno.EBUSY -> 0;
            case -Errno.EBADFD ->
                throw new SluiceException(
                        "ring: io_uring_enter: EBADFD; the ring is disabled, enable() it first",
                        "io_uring_enter",
                        Errno.EBADFD);
            default -> {
                if (result < 0) {
                    throw Descriptor.failure("io_uring_enter", "ring", result);
                }
                yield result;
            }
        };
    }

    /** Takes completions. */
    @FunctionalInterface
    public interface Handler {
        /** Called once per completion, which is gone when this returns. */
        void completed(Completion completion);
    }

    /**
     * Hands the completions that are there to the handler, which may queue submissions but not reap. Whatever it throws ends
     * the call; the completion at hand counts as taken. Never waits.
     *
     * @return how many there were
     */
    public int reap(Handler handler) throws IOException {
        int count = 0;
        Completion next;
        try {
            while ((next = peek()) != null) {
                count++;
                try {
                    handler.completed(next);
                } finally {
                    taken();
                }
            }
        } finally {
            // Once for all of them.
            queues.publishHead();
        }
        return count;
    }

    /** The next completion, or null if there is none; never waits. Stays until {@link #advance}. */
    public Completion peek() throws IOException {
        Queues q = queues;
        if (q.completionHead == q.knownTail && q.completionHead == (q.knownTail = q.completionTail())) {
            q.publishHead();
            // Those that did not fit, or that were deferred, come only to whoever enters, once there is room.
            if ((q.flags() & (Rings.IORING_SQ_CQ_OVERFLOW | Rings.IORING_SQ_TASKRUN)) == 0) {
                return null;
            }
            enter(0, 0, Rings.IORING_ENTER_GETEVENTS, 0);
            if (q.completionHead == (q.knownTail = q.completionTail())) {
                return null;
            }
        }
        return completion.at(q.completions, q.completionAt());
    }

    /** Takes the completion that {@link #peek} gave. */
    public void advance() {
        if (queues.completionHead == queues.knownTail) {
            throw new IllegalStateException("no completion was peeked at");
        }
        taken();
        queues.publishHead();
    }

    private void taken() {
        Queues q = queues;
        boolean last = (q.completions.get(JAVA_INT, q.completionAt() + Rings.CQE_FLAGS) & Rings.IORING_CQE_F_MORE) == 0;
        if (last && inFlight > 0) {
            inFlight--;
        }
        q.completionHead++;
    }

    /**
     * Makes the queues larger or smaller, with all that is in them; since 6.13, for rings of {@link SetupFlag#DEFER_TASKRUN}.
     *
     * @throws SluiceException EINVAL if the kernel can't or what is queued does not fit
     */
    public void resize(int entries, int completions) throws IOException {
        RingSetup.require(entries, completions);
        publish();
        MemorySegment params = Queues.parameters(arena, entries, completions);
        registry.call("io_uring_register RESIZE_RINGS", Rings.IORING_REGISTER_RESIZE_RINGS, params.address(), 1);
        // The kernel leaves this to those who remember it from the setup.
        params.set(JAVA_INT, Rings.PARAMS_FEATURES, features);
        Queues old = queues;
        int known = old.completionHead;
        use(Queues.map(fd, params, setup));
        queues.completionHead = known;
        queues.knownTail = known;
        old.close();
    }

    /**
     * Cancels what is in flight, waits up to a second for the completions, and closes the ring. Completions that were not
     * reaped are lost, their requests done. If a request can't be cancelled in that time, the kernel may go on using its
     * buffer: that is logged, and {@link #inFlight} says how many there are. Memory of the ring's own that they may use is
     * then never freed. See {@link #drain} for more patience.
     */
    @Override
    public void close() {
        if (closed) {
            return;
        }
        boolean quiet = false;
        try {
            quiet = drain(Duration.ofNanos(PATIENCE_NANOS));
        } catch (IOException e) {
            LOG.log(System.Logger.Level.WARNING, "ring: " + e.getMessage());
        }
        closed = true;
        if (!quiet) {
            LOG.log(
                    System.Logger.Level.WARNING,
                    "ring closed with {0} requests in flight; their buffers must not be used again",
                    inFlight);
        }
        registry.close(quiet);
        queues.close();
        if (number >= 0) {
            Rings.forget(fd, known);
        }
        Files.close(fd);
        arena.close();
    }

    /**
     * Cancels everything in flight and waits for the last completions, which are dropped.
     *
     * @return whether none is left
     */
    public boolean drain(Duration patience) throws IOException {
        if (setup.has(SetupFlag.R_DISABLED)) {
            // What is queued never reached the kernel, and never will.
            return true;
        }
        long deadline = System.nanoTime() + patience.toNanos();
        boolean cancelled = false;
        while (true) {
            submitQueued();
            if (inFlight > 0 && !cancelled) {
                registry.cancelAll(Math.max(0, deadline - System.nanoTime()));
                cancelled = true;
            }
            while (peek() != null) {
                advance();
            }
            long left = deadline - System.nanoTime();
            if (inFlight == 0 || left <= 0) {
                return inFlight == 0;
            }
            submitAndWait(1, left);
        }
    }

    private void submitQueued() throws IOException {
        if (queued() > 0) {
            submit();
        }
    }

    @Override
    public String toString() {
        return "ring of " + queues.submissionCount + "/" + queues.completionCount + " " + flags();
    }
}
