package dev.sluice.relay;

import dev.sluice.io.Endpoint;
import dev.sluice.net.StreamListener;
import dev.sluice.net.StreamSocket;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Forwards each connection to one of its targets, bytes both ways through the kernel, until both sides have ended.
 *
 * <pre>{@code
 * try (Relay relay = Relay.start(Endpoint.parse(":8080"), List.of(Endpoint.parse("db:5432")), RelayOptions.DEFAULT)) {
 *     ...
 *     relay.drain(Duration.ofSeconds(30));
 * }
 * }</pre>
 *
 * <p>The targets take turns; one that can't be reached is passed over for the next. The end of one direction is passed on
 * while the other goes on. A reset is passed on too, once everything before it has been delivered; so is any other
 * failure, because a side that was given less than the whole stream must not take it for complete.
 *
 * <p>Safe for use by many threads.
 */
public final class Relay implements AutoCloseable {
    /** How long sessions that were cut off may take to be gone: they only have to notice. */
    private static final long CUT_NANOS = 5_000_000_000L;

    private final StreamListener listener;
    private final List<Endpoint> targets;
    private final RelayOptions options;
    private final Sessions sessions;
    private final Acceptor acceptor;
    private final AtomicInteger turn = new AtomicInteger();

    private Relay(StreamListener listener, List<Endpoint> targets, RelayOptions options) {
        this.listener = listener;
        this.targets = targets;
        this.options = options;
        this.sessions = new Sessions(options.onEnd());
        this.acceptor = new Acceptor(listener, this::accepted);
    }

    /**
     * Listens, and accepts from now on. The targets are not contacted before a client comes.
     *
     * @param listen port 0 lets the kernel choose a free one, see {@link #endpoint()}
     * @param targets at least one
     * @throws dev.sluice.io.SluiceException with the errno of bind(2) or listen(2)
     * @throws UnsupportedOperationException if this is not Linux, or native access is denied
     */
    public static Relay start(Endpoint listen, List<Endpoint> targets, RelayOptions options) throws IOException {
        if (targets.isEmpty()) {
            throw new IllegalArgumentException("a relay needs at least one target");
        }
        Objects.requireNonNull(options, "options");
        Relay relay = new Relay(StreamListener.listen(listen), List.copyOf(targets), options);
        relay.acceptor.start();
        return relay;
    }

    private void accepted(StreamSocket client) {
        List<Endpoint> inTurn = new ArrayList<>(targets);
        Collections.rotate(inTurn, -Math.floorMod(turn.getAndIncrement(), inTurn.size()));
        sessions.start(new Session(client, listener.endpoint(), inTurn, options));
    }

    /** The address that connections are accepted on, with the port that the kernel chose. */
    public Endpoint endpoint() {
        return listener.endpoint();
    }

    /** How many connections are alive. */
    public int sessions() {
        return sessions.count();
    }

    /**
     * Ends in good order: accepts who has connected already, stops listening, lets all connections finish for as long as
     * the timeout allows, then cuts off the rest. Those are reset, so that nobody takes a cut for the end of a stream.
     *
     * @return how many connections were cut off
     * @throws InterruptedException if interrupted while waiting; connections go on then
     */
    public int drain(Duration timeout) throws InterruptedException {
        acceptor.stop();
        if (sessions.awaitNone(timeout.toNanos())) {
            return 0;
        }
        int cut = sessions.cut();
        sessions.awaitNone(CUT_NANOS);
        return cut;
    }

    /** Stops listening and cuts off all connections; does not wait for them to be gone. */
    @Override
    public void close() {
        listener.close();
        sessions.cut();
    }
}
