package dev.sluice.relay;

import dev.sluice.io.Endpoint;
import java.io.IOException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A service as it is now, at work: what a connection finds when it is accepted, and keeps until its end. */
final class Serving {
    private final Service service;
    private final Map<TargetGroup, Upstreams> groups;
    private final Upstreams own;
    private final Map<String, Upstreams> byName = new HashMap<>();
    private final AcceptProxy.Trust proxies;
    private final Entrance entrance;
    private final List<MirrorPoint> mirrors;

    private Serving(Service service, Map<TargetGroup, Upstreams> groups, Entrance entrance, List<MirrorPoint> mirrors) {
        this.service = service;
        this.groups = groups;
        this.own = groups.get(service.targets());
        service.serverNames()
                .ifPresent(names -> names.groups().forEach((name, group) -> byName.put(name, groups.get(group))));
        this.proxies = service.acceptProxy().map(AcceptProxy::trust).orElse(null);
        this.entrance = entrance;
        this.mirrors = mirrors;
    }

    /**
     * A service goes on with the turns of each group that has not changed where they were.
     *
     * @param before null if it is new
     * @param known the targets of all services, by their address
     * @throws IOException if its recordings have no place to go
     */
    static Serving of(Service service, Serving before, Map<Endpoint, Upstream> known) throws IOException {
        List<MirrorPoint> mirrors = MirrorPoint.of(service, before == null ? List.of() : before.mirrors, known);
        Map<TargetGroup, Upstreams> groups = new HashMap<>();
        for (TargetGroup group : service.choices()) {
            Upstreams same = before == null ? null : before.groups.get(group);
            groups.put(group, same != null ? same : new Upstreams(group, known));
        }
        return new Serving(service, groups, before == null ? new Entrance() : before.entrance, mirrors);
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

    /** The service's own targets. */
    Upstreams upstreams() {
        return own;
    }

    /** Of the server with this name, empty for none; null if there are none for it. */
    Upstreams upstreams(String name) {
        Upstreams found = ServerNames.find(byName, name);
        boolean only = service.serverNames().map(ServerNames::onlyThese).orElse(false);
        return found != null || only ? found : own;
    }

    /** Who is believed to know the client; null if nobody is asked. */
    AcceptProxy.Trust proxies() {
        return proxies;
    }

    List<MirrorPoint> mirrors() {
        return mirrors;
    }
}
