package dev.sluice.relay;

import dev.sluice.io.Endpoint;
import dev.sluice.io.Route;
import dev.sluice.relay.SessionRecord.End;
import java.util.List;
import java.util.Map;

/**
 * The counters of a relay at one moment. Bytes are those of connections that have ended; the others' are in
 * {@link Relay#live}.
 *
 * @param accepted how many connections were accepted
 * @param active how many are alive
 * @param bytesToTargets what targets' sockets have accepted
 * @param bytesToClients what clients' sockets have accepted
 * @param byRoute how many bytes went which way, both directions together
 * @param clientEnds how many clients ended how
 * @param targetEnds how many targets ended how
 * @param services one line per service, in the order of the configuration
 * @param listeners one line per listener, in the order of the configuration
 * @param targets one line per target, those of mirrors among them, in the order of the configuration; one that several
 *     services share has one line
 * @param mirrors one line per mirroring of each service, in the order of the configuration
 * @param pipesLent how many kernel pipes hold bytes on the way at the moment, of the whole process
 * @param pipesSmall how many pipes could not be had in the size asked for, ever, of the whole process
 */
public record RelayStats(
        long accepted,
        int active,
        long bytesToTargets,
        long bytesToClients,
        Map<Route, Long> byRoute,
        Map<End, Long> clientEnds,
        Map<End, Long> targetEnds,
        List<OfService> services,
        List<OfListener> listeners,
        List<OfTarget> targets,
        List<OfMirror> mirrors,
        int pipesLent,
        long pipesSmall) {
    public RelayStats {
        byRoute = Map.copyOf(byRoute);
        clientEnds = Map.copyOf(clientEnds);
        targetEnds = Map.copyOf(targetEnds);
        services = List.copyOf(services);
        listeners = List.copyOf(listeners);
        targets = List.copyOf(targets);
        mirrors = List.copyOf(mirrors);
    }

    /**
     * One service.
     *
     * @param service its name
     * @param active how many connections have a place in it
     * @param waiting how many wait for one, or for one at a target
     * @param refused how many were reset for a limit of the service
     * @param bytesToTarget what targets' sockets have accepted of its connections
     * @param bytesToClient what clients' sockets have accepted
     */
    public record OfService(
            String service, int active, int waiting, long refused, long bytesToTarget, long bytesToClient) {}

    /**
     * One listener.
     *
     * @param service the name of its service
     * @param endpoint the address, with the port that the kernel chose
     * @param accepted how many connections came to it
     * @param active how many of them are alive
     */
    public record OfListener(String service, Endpoint endpoint, long accepted, long active) {}

    /**
     * One target.
     *
     * @param target as it was configured
     * @param connected how many connections reached it
     * @param failed how many did not
     * @param active how many are alive
     * @param up whether new connections go there; if none of a group is up, they do all the same
     */
    public record OfTarget(Endpoint target, long connected, long failed, long active, boolean up) {}

    /**
     * One mirroring. A copy is of one direction of one connection.
     *
     * @param service the name of its service
     * @param mirror where the copies go
     * @param begun how many copies began
     * @param active how many of them are alive
     * @param missing how many were not there when their stream began, which went on without them
     * @param failed how many are cut short, or were slow or broken at the end
     * @param bytes what the copies that have ended got
     * @param missed how many bytes are missing in recordings that leave gaps
     */
    public record OfMirror(
            String service,
            String mirror,
            long begun,
            long active,
            long missing,
            long failed,
            long bytes,
            long missed) {}
}
