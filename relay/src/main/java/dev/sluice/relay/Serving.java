package dev.sluice.relay;

import dev.sluice.io.Endpoint;
import java.io.IOException;
import java.util.List;
import java.util.Map;

/** A service as it is now, at work: what a connection finds when it is accepted, and keeps until its end. */
final class Serving {
    private final Service service;
    private final Upstreams upstreams;
    private final Entrance entrance;
    private final List<MirrorPoint> mirrors;

    private Serving(Service service, Upstreams upstreams, Entrance entrance, List<MirrorPoint> mirrors) {
        this.service = service;
        this.upstreams = upstreams;
        this.entrance = entrance;
        this.mirrors = mirrors;
    }

    /**
     * A service whose group has not changed goes on with its turns where it was.
     *
     * @param before null if it is new
     * @param known the targets of all services, by their address
     * @throws IOException if its recordings have no place to go
     */
    static Serving of(Service service, Serving before, Map<Endpoint, Upstream> known) throws IOException {
        List<MirrorPoint> mirrors = MirrorPoint.of(service, before == null ? List.of() : before.mirrors, known);
        TargetGroup group = service.targets();
        Entrance entrance = before == null ? new Entrance() : before.entrance;
        if (before != null && before.service.targets().equals(group)) {
            return new Serving(service, before.upstreams, entrance, mirrors);
        }
        List<Upstream> inOrder = group.targets().stream()
                .map(target -> known.get(target.endpoint()))
                .toList();
        return new Serving(service, new Upstreams(group, inOrder), entrance, mirrors);
    }

    Service service() {
        return service;
    }

    Timeouts timeouts() {
        return service.timeouts();
    }

    Entrance entrance() {
        return entrance;
    }

    RelayStats.OfService stats() {
        return entrance.stats(service.name());
    }

    Upstreams upstreams() {
        return upstreams;
    }

    List<MirrorPoint> mirrors() {
        return mirrors;
    }
}
