package dev.sluice.send;

import dev.sluice.io.SluiceException;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/**
 * What became of one send. Two questions that are independent of each other: which {@linkplain Stage stage} its bytes have
 * reached, and whether the kernel has let go of the buffer. A copied send is released at once, long before anything is
 * acknowledged; an acknowledged one may still be read by a device.
 *
 * <p>All methods may be called from any thread. Those that wait park; an interrupt ends the wait and changes nothing.
 */
public final class SendReceipt {
    /** What the kernel did with the buffer, as far as it tells. */
    public enum Path {
        /** It was sent from the buffer itself. */
        ZERO_COPY,
        /** It was copied, by us or by the kernel. */
        COPIED,
        /** Not known yet, or one of several that the kernel reported together, saying it of the first one only. */
        UNKNOWN
    }

    /** Who has the memory. */
    public enum Custody {
        /** The kernel has let go of it. */
        RELEASED,
        /** The kernel may still read it. */
        HELD,
        /** The connection was given up, and the kernel never said that it has let go: nobody will write it again. */
        QUARANTINED
    }

    private static final long FIRST_LOOK_MILLIS = 1;
    private static final long LAST_LOOK_MILLIS = 64;

    private final Transport transport;
    private final BufferLease lease;
    private final Stage requested;

    /** When each stage was told of, in nanoseconds since 1970; null if none beyond QUEUED was asked for. */
    private final long[] times;

    /** Where the send ends in the stream; set before anybody has the receipt. */
    private long end;

    private int bytes;

    private Stage reached = Stage.ACCEPTED;

    /** The call that sends, and each zero-copy send that it made. */
    private int holds = 1;

    /** Whether the buffer is back, or lost for good: told only when it is so. */
    private boolean landed;

    private boolean quarantined;
    private int zeroCopy;
    private int copied;
    private int unknown;
    private IOException failure;

    private List<Waiting> waiting;

    /** Someone to be told; of the release if there is no stage. */
    private record Waiting(Stage stage, CompletableFuture<SendReceipt> future) {}

    SendReceipt(Transport transport, BufferLease lease, Stage requested) {
        this.transport = transport;
        this.lease = lease;
        this.requested = requested;
        this.times = beyondQueued(requested) ? new long[Stage.values().length] : null;
        if (times != null) {
            times[Stage.ACCEPTED.ordinal()] = now();
        }
    }

    static boolean beyondQueued(Stage stage) {
        return stage == Stage.SCHEDULED || stage == Stage.ON_WIRE || stage == Stage.ACKED;
    }

    private static long now() {
        Instant now = Instant.now();
        return now.getEpochSecond() * 1_000_000_000 + now.getNano();
    }

    /** How many bytes of the buffer the kernel has taken: all, unless a {@link SendException} brought this receipt. */
    public int bytes() {
        return bytes;
    }

    /** The stage that was asked for with the send. */
    public Stage requested() {
        return requested;
    }

    /** The last stage that is known to be reached. Asks nobody. */
    public synchronized Stage stage() {
        return reached;
    }

    /**
     * Whether the stage is reached, or a later one. Takes in what the kernel has told; for {@link Stage#ACKED} on TCP asks it
     * if need be. Never waits.
     */
    public boolean reached(Stage stage) {
        if (known(stage)) {
            return true;
        }
        transport.drain();
        return known(stage) || derived(stage);
    }

    private synchronized boolean known(Stage stage) {
        return reached.compareTo(stage) >= 0;
    }

    private boolean derived(Stage stage) {
        if (stage != Stage.CONFIRMED && transport.knowsAcknowledged() && transport.acknowledged(end)) {
            reach(Stage.ACKED, 0);
            return true;
        }
        return false;
    }

    /**
     * Waits until the stage is reached.
     *
     * @return false when the time passed first: it may still be reached
     * @throws SluiceException if it never will be, since the connection has ended
     * @throws IllegalStateException if nobody can tell, since the stage was not asked for with the send
     */
    public boolean await(Stage stage, Duration timeout) throws IOException, InterruptedException {
        if (reached(stage)) {
            return true;
        }
        requireTold(stage);
        transport.watch();
        long deadline = System.nanoTime() + timeout.toNanos();
        boolean told = stage == Stage.CONFIRMED || stage.compareTo(requested) <= 0;
        // A stamp may be lost, as the socket's receive buffer has no room for it: so never rely on it alone.
        long millis = told ? LAST_LOOK_MILLIS : FIRST_LOOK_MILLIS;
        while (true) {
            synchronized (this) {
                if (known(stage)) {
                    return true;
                }
                requirePossible();
                long left = (deadline - System.nanoTime() + 999_999) / 1_000_000;
                if (left <= 0) {
                    return false;
                }
                wait(Math.min(left, millis));
            }
            if (derived(stage)) {
                return true;
            }
            noteEnd();
            millis = Math.min(2 * millis, LAST_LOOK_MILLIS);
        }
    }

    private void requireTold(Stage stage) {
        boolean told = stage.compareTo(requested) <= 0
                || stage == Stage.CONFIRMED
                || stage == Stage.ACKED && transport.knowsAcknowledged();
        if (!told) {
            throw new IllegalStateException(
                    stage + " was not asked for with this send, and can't be found out later: send it"
                            + " with send(lease, Stage." + stage + ")");
        }
    }

    private void requirePossible() throws IOException {
        if (failure != null) {
            // A new one, so that each waiter's stack trace is its own.
            SluiceException again = failure instanceof SluiceException known
                    ? new SluiceException(known.getMessage(), known.call(), known.errno())
                    : new SluiceException(failure.getMessage(), "", 0);
            again.initCause(failure);
            throw again;
        }
    }

    private void noteEnd() {
        IOException end = transport.ended();
        if (end != null) {
            fail(end);
        }
    }

    /**
     * Completes with this receipt when the stage is reached, or exceptionally if it never will be; on a virtual thread.
     *
     * @throws IllegalStateException as {@link #await} does
     */
    public CompletionStage<SendReceipt> whenReached(Stage stage) {
        CompletableFuture<SendReceipt> future = new CompletableFuture<>();
        if (reached(stage)) {
            future.complete(this);
            return future;
        }
        requireTold(stage);
        if (stage != Stage.CONFIRMED) {
            // Waits in the stages' own way, asking where nobody tells.
            Thread.ofVirtual().name("sluice-receipt").start(() -> {
                try {
                    await(stage, Duration.ofNanos(Long.MAX_VALUE / 4));
                    future.complete(this);
                } catch (IOException | InterruptedException e) {
                    future.completeExceptionally(e);
                }
            });
            return future;
        }
        return tellLater(stage, future);
    }

    /** Completes with this receipt when the kernel has let go of the buffer, or has been given up: see {@link #custody}. */
    public CompletionStage<SendReceipt> whenReleased() {
        transport.drain();
        CompletionStage<SendReceipt> future = tellLater(null, new CompletableFuture<>());
        transport.watch();
        return future;
    }

    private CompletableFuture<SendReceipt> tellLater(Stage stage, CompletableFuture<SendReceipt> future) {
        synchronized (this) {
            if (!due(stage)) {
                waiting = waiting == null ? new ArrayList<>(1) : waiting;
                waiting.add(new Waiting(stage, future));
                return future;
            }
        }
        future.complete(this);
        return future;
    }

    private boolean due(Stage stage) {
        return stage == null ? landed : reached.compareTo(stage) >= 0;
    }

    /** When the stage was reached, by the clock of the system (CLOCK_REALTIME), if the kernel was asked to tell and did. */
    public synchronized Optional<Instant> timestamp(Stage stage) {
        long time = times == null ? 0 : times[stage.ordinal()];
        return time == 0
                ? Optional.empty()
                : Optional.of(Instant.ofEpochSecond(time / 1_000_000_000, time % 1_000_000_000));
    }

    /** The application's word that its peer has acted on the send; {@link Stage#CONFIRMED} is reached. */
    public void confirm() {
        reach(Stage.CONFIRMED, times == null ? 0 : now());
    }

    /** Whether the kernel has let go of the buffer; takes in what it has told. Says nothing of any stage. */
    public boolean isReleased() {
        if (custody() == Custody.HELD) {
            transport.drain();
        }
        return custody() == Custody.RELEASED;
    }

    /** Who has the memory. Asks nobody. */
    public synchronized Custody custody() {
        return !landed ? Custody.HELD : quarantined ? Custody.QUARANTINED : Custody.RELEASED;
    }

    /** Waits until the kernel has let go of the buffer, or will never say so. The answer is HELD when the time passed first. */
    public Custody awaitReleased(Duration timeout) throws InterruptedException {
        if (!isReleased()) {
            transport.watch();
        }
        long deadline = System.nanoTime() + timeout.toNanos();
        synchronized (this) {
            while (!landed) {
                long left = (deadline - System.nanoTime() + 999_999) / 1_000_000;
                if (left <= 0) {
                    break;
                }
                wait(left);
            }
            return custody();
        }
    }

    /** What the kernel did with the buffer: known once it is released, if at all. */
    public synchronized Path path() {
        if (copied > 0) {
            return Path.COPIED;
        }
        return landed && unknown == 0 && zeroCopy > 0 ? Path.ZERO_COPY : Path.UNKNOWN;
    }

    BufferLease lease() {
        return lease;
    }

    long end() {
        return end;
    }

    /** Everything was taken, or as much as will be. */
    void queued(int count, long streamEnd) {
        bytes = count;
        end = streamEnd;
    }

    void expect(long streamEnd) {
        end = streamEnd;
    }

    /** One more zero-copy send was made of it. */
    synchronized void hold() {
        holds++;
    }

    /** The zero-copy send was none. */
    synchronized void unhold() {
        holds--;
    }

    /** Whether a part of the buffer is lost. */
    synchronized boolean doomed() {
        return quarantined;
    }

    /** A part was copied by us. */
    synchronized void copied() {
        copied++;
    }

    /** A hold ends. The caller's own has no path. */
    void land(Path path, boolean quarantine) {
        List<Waiting> told;
        synchronized (this) {
            if (path != null) {
                switch (path) {
                    case ZERO_COPY -> zeroCopy++;
                    case COPIED -> copied++;
                    case UNKNOWN -> unknown++;
                }
            }
            quarantined |= quarantine;
            if (--holds > 0) {
                return;
            }
        }
        lease.land(quarantined);
        transport.landed(this);
        synchronized (this) {
            landed = true;
            told = takeDue();
        }
        tell(told);
    }

    /** A stage is reached, at that time if it is known. */
    void reach(Stage stage, long nanos) {
        List<Waiting> told;
        synchronized (this) {
            if (times != null && nanos != 0 && times[stage.ordinal()] == 0) {
                // The first one counts: stacked devices and retransmissions tell again.
                times[stage.ordinal()] = nanos;
            }
            if (reached.compareTo(stage) >= 0) {
                return;
            }
            reached = stage;
            told = takeDue();
        }
        tell(told);
    }

    /** All bytes are in the queue. */
    void reachQueued() {
        reach(Stage.QUEUED, times == null ? 0 : now());
    }

    /** No later stage will be reached, other than by the application's word. */
    synchronized void fail(IOException cause) {
        if (failure == null) {
            failure = cause;
            notifyAll();
        }
    }

    private List<Waiting> takeDue() {
        notifyAll();
        if (waiting == null) {
            return List.of();
        }
        List<Waiting> due = new ArrayList<>(waiting);
        due.removeIf(one -> !due(one.stage));
        waiting.removeAll(due);
        return due;
    }

    /** On threads of their own: what hangs on a future may block, and whoever drains must not. */
    private void tell(List<Waiting> told) {
        for (Waiting one : told) {
            Thread.ofVirtual().name("sluice-receipt").start(() -> one.future.complete(this));
        }
    }

    @Override
    public synchronized String toString() {
        return bytes + " bytes " + reached + ", " + custody() + ", " + path();
    }
}
