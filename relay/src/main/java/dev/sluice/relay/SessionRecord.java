package dev.sluice.relay;

import dev.sluice.io.Endpoint;
import dev.sluice.io.MirrorResult;
import dev.sluice.io.Route;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * What became of one connection.
 *
 * @param service the name of its service
 * @param start when it was accepted
 * @param duration from then to its end
 * @param client the address of the client, as the header of a trusted proxy names it if there is one
 * @param peer the address that the connection came from: the client's, or that proxy's
 * @param listener the address it came to
 * @param target the address it was forwarded to, or the last one that was tried
 * @param connectTime from its accept until the target was reached; zero if none was
 * @param tries how many targets were tried, the one that was reached among them
 * @param toTarget from the client to the target
 * @param toClient from the target to the client
 * @param error what went wrong, in one line, or an empty string
 */
public record SessionRecord(
        String service,
        Instant start,
        Duration duration,
        Endpoint client,
        Endpoint peer,
        Endpoint listener,
        Endpoint target,
        Duration connectTime,
        int tries,
        Direction toTarget,
        Direction toClient,
        String error) {
    public SessionRecord {
        Objects.requireNonNull(service, "service");
        Objects.requireNonNull(connectTime, "connectTime");
        Objects.requireNonNull(start, "start");
        Objects.requireNonNull(duration, "duration");
        Objects.requireNonNull(client, "client");
        Objects.requireNonNull(peer, "peer");
        Objects.requireNonNull(listener, "listener");
        Objects.requireNonNull(target, "target");
        Objects.requireNonNull(toTarget, "toTarget");
        Objects.requireNonNull(toClient, "toClient");
        Objects.requireNonNull(error, "error");
    }

    /**
     * One direction.
     *
     * @param bytesIn how many bytes were read from the side that they came from
     * @param bytes how many bytes the receiving side's kernel accepted
     * @param route the way that most of them went
     * @param byRoute how many went which way
     * @param reason why that way
     * @param end how the side that they came from ended
     * @param mirrors its copies, those that were not there among them: they have a failure and no bytes
     */
    public record Direction(
            long bytesIn,
            long bytes,
            Route route,
            Map<Route, Long> byRoute,
            String reason,
            End end,
            List<MirrorResult> mirrors) {
        public Direction {
            mirrors = List.copyOf(mirrors);
            byRoute = Map.copyOf(byRoute);
            Objects.requireNonNull(route, "route");
            Objects.requireNonNull(reason, "reason");
            Objects.requireNonNull(end, "end");
        }
    }

    /** How one side of a connection ended. */
    public enum End {
        /** It finished its stream. */
        FIN,
        /** It reset the connection, or had a reset of the other side passed on to it. */
        RST,
        /** It did not answer, or one of the relay's own times was up. */
        TIMEOUT,
        /** The relay cut it off: it was drained and the time was up, or the target was removed, {@link OnRemove#CLOSE}. */
        DRAIN,
        /** The relay did not let it in: a limit of its service, its access list, or how the connection began; see the record's {@code error}. */
        REFUSED,
        /** Anything else; see the record's {@code error}. */
        ERROR
    }
}
