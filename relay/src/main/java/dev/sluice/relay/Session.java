package dev.sluice.relay;

import dev.sluice.JoinResult;
import dev.sluice.Sluice;
import dev.sluice.io.Endpoint;
import dev.sluice.io.Route;
import dev.sluice.net.StreamSocket;
import dev.sluice.relay.SessionRecord.Direction;
import dev.sluice.relay.SessionRecord.End;
import java.io.IOException;
import java.net.SocketTimeoutException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;

/** One connection, from its accept to its end, on a virtual thread that is parked for nearly all of it. */
final class Session {
    /** How long a side may take to acknowledge what it was given, before it is reset (S36). */
    private static final Duration ACKNOWLEDGEMENT = Duration.ofSeconds(2);

    private final StreamSocket client;
    private final Endpoint listener;
    private final List<Endpoint> targets;
    private final RelayOptions options;
    private final Instant start = Instant.now();
    private final long startNanos = System.nanoTime();

    private Endpoint target;
    private volatile boolean cut;

    /** @param targets to be tried in this order until one is reached */
    Session(StreamSocket client, Endpoint listener, List<Endpoint> targets, RelayOptions options) {
        this.client = client;
        this.listener = listener;
        this.targets = targets;
        this.options = options;
        this.target = targets.getFirst();
    }

    /** Says that the interrupt which follows is meant to end the connection. */
    void cut() {
        cut = true;
    }

    /** Forwards until both sides have ended; both are closed then. */
    SessionRecord forward() {
        try (StreamSocket connected = connect()) {
            tune(client);
            tune(connected);
            JoinResult joined = join(connected);
            Ending clientEnding = Ending.of(joined.forward(), joined.backward(), cut);
            Ending targetEnding = Ending.of(joined.backward(), joined.forward(), cut);
            if (!joined.complete()) {
                part(connected, targetEnding);
                part(client, clientEnding);
            }
            return record(
                    direction(joined.forward(), clientEnding),
                    direction(joined.backward(), targetEnding),
                    Ending.error(joined));
        } catch (IOException | RuntimeException | Error e) {
            // Not a FIN: the client would take it for the end of an empty answer.
            client.abort();
            return failed(e);
        } finally {
            client.close();
        }
    }

    private StreamSocket connect() throws IOException {
        IOException last = null;
        for (Endpoint next : targets) {
            target = next;
            try {
                return StreamSocket.connect(next, options.connectTimeout());
            } catch (IOException e) {
                last = e;
            }
            if (cut) {
                break;
            }
        }
        throw last;
    }

    private static void tune(StreamSocket socket) throws IOException {
        socket.noDelay(true).keepAlive(true);
    }

    private JoinResult join(StreamSocket connected) throws IOException {
        return options.route().isPresent()
                ? Sluice.join(client, connected, options.route().get())
                : Sluice.join(client, connected);
    }

    /**
     * Closes a side of a connection that broke. A close with input unread, like a reset, makes the kernel throw away what
     * the peer has not acknowledged yet; so that comes first.
     */
    private void part(StreamSocket side, Ending ending) throws IOException {
        if (!ending.gone() && !cut) {
            side.awaitAcknowledged(ACKNOWLEDGEMENT);
        }
        if (ending.reset()) {
            side.abort();
        } else {
            side.close();
        }
    }

    private static Direction direction(JoinResult.Direction moved, Ending from) {
        return new Direction(
                moved.result().bytes(), moved.result().route(), moved.result().reason(), from.end());
    }

    private SessionRecord failed(Throwable e) {
        End end = cut ? End.DRAIN : e instanceof SocketTimeoutException ? End.TIMEOUT : End.ERROR;
        Direction nothing = new Direction(0, options.route().orElse(Route.SPLICE), "nothing was moved", end);
        return record(nothing, nothing, e.getMessage() == null ? e.toString() : e.getMessage());
    }

    private SessionRecord record(Direction toTarget, Direction toClient, String error) {
        Duration duration = Duration.ofNanos(System.nanoTime() - startNanos);
        return new SessionRecord(start, duration, client.remoteEndpoint(), listener, target, toTarget, toClient, error);
    }
}
