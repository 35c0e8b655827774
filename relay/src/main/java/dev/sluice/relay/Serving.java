package dev.sluice.relay;

import dev.sluice.io.Endpoint;
import java.util.List;
import java.util.Map;

/** A service as it is now, at work: what a connection finds when it is accepted, and keeps until its end. */
final class Serving {
    private final Service service;
    private final Upstreams upstreams;

    /** @param known the targets of all services, by their address */
    Serving(Service service, Map<Endpoint, Upstream> known) {
        this.service = service;
        List<Upstream> inOrder = service.targets().targets().stream()
                .map(target -> known.get(target.endpoint()))
                .toList();
        this.upstreams = new Upstreams(inOrder);
    }

    Service service() {
        return service;
    }

    Timeouts timeouts() {
        return service.timeouts();
    }

    Upstreams upstreams() {
        return upstreams;
    }
}
