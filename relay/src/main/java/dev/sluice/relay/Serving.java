package dev.sluice.relay;

import dev.sluice.io.Endpoint;
import java.util.List;
import java.util.Map;

/** A service as it is now, at work: what a connection finds when it is accepted, and keeps until its end. */
final class Serving {
    private final Service service;
    private final Upstreams upstreams;
    private final Entrance entrance;

    private Serving(Service service, Upstreams upstreams, Entrance entrance) {
        this.service = service;
        this.upstreams = upstreams;
        this.entrance = entrance;
    }

    /**
     * A service whose group has not changed goes on with its turns where it was.
     *
     * @param before null if it is new
     * @param known the targets of all services, by their address
     */
    static Serving of(Service service, Serving before, Map<Endpoint, Upstream> known) {
        TargetGroup group = service.targets();
        Entrance entrance = before == null ? new Entrance() : before.entrance;
        if (before != null && before.service.targets().equals(group)) {
            return new Serving(service, before.upstreams, entrance);
        }
        List<Upstream> inOrder = group.targets().stream()
                .map(target -> known.get(target.endpoint()))
                .toList();
        return new Serving(service, new Upstreams(group, inOrder), entrance);
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
}
