package dev.sluice.relay;

import dev.sluice.io.Endpoint;
import dev.sluice.loop.EventLoop;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * A configuration at work: its services, listeners and targets, of which the next one takes over what it names, too.
 *
 * @param config null before the first
 * @param services by name
 * @param acceptors in the order of the configuration
 * @param targets of all services, by address
 */
record Setup(
        RelayConfig config, Map<String, Serving> services, List<Acceptor> acceptors, Map<Endpoint, Upstream> targets) {
    static final Setup NONE = new Setup(null, Map.of(), List.of(), Map.of());

    /** Binds what is new, and touches nothing else. If that fails, all is as before. */
    Setup next(Relay relay, RelayConfig next) throws IOException {
        Map<Endpoint, Upstream> nextTargets = new LinkedHashMap<>();
        Map<String, Serving> nextServices = new LinkedHashMap<>();
        for (Service service : next.services()) {
            for (TargetGroup group : service.groups()) {
                for (Target target : group.targets()) {
                    Endpoint name = target.endpoint();
                    Upstream known = targets.get(name);
                    nextTargets.computeIfAbsent(name, _ -> known != null ? known : new Upstream(name, relay.lookups()));
                }
            }
            nextServices.put(service.name(), Serving.of(service, services.get(service.name()), nextTargets));
        }
        return new Setup(next, nextServices, listeners(relay, next, nextServices), nextTargets);
    }

    private List<Acceptor> listeners(Relay relay, RelayConfig next, Map<String, Serving> serving) throws IOException {
        List<Acceptor> left = new ArrayList<>(acceptors);
        List<Acceptor> bound = new ArrayList<>();
        List<Acceptor> all = new ArrayList<>();
        try {
            for (Service service : next.services()) {
                for (Endpoint listen : service.listen()) {
                    Optional<Acceptor> kept = choose(left, listen, service.name());
                    if (kept.isPresent()) {
                        left.remove(kept.get());
                        all.add(kept.get());
                    } else {
                        bound.add(new Acceptor(relay, relay.accepting(), listen, serving.get(service.name())));
                        all.add(bound.getLast());
                    }
                }
            }
        } catch (IOException | RuntimeException e) {
            bound.forEach(Acceptor::abandon);
            throw e;
        }
        return all;
    }

    /** Any port is another one each time; so only the same service gets the one that it had. */
    private static Optional<Acceptor> choose(List<Acceptor> from, Endpoint listen, String service) {
        return from.stream()
                .filter(acceptor -> acceptor.configured().equals(listen))
                .filter(acceptor -> !RelayConfig.anyPort(listen)
                        || acceptor.serving().service().name().equals(service))
                .findFirst();
    }

    /** New connections are treated in this way from now on. */
    void serve(Setup before, EventLoop checking) {
        for (Service service : config.services()) {
            Serving serving = services.get(service.name());
            serving.entrance().serve(serving);
            for (TargetGroup group : service.groups()) {
                group.targets().forEach(target -> {
                    Upstream upstream = targets.get(target.endpoint());
                    upstream.addresses().interval(config.resolveInterval());
                    upstream.health(group.health(), checking);
                });
            }
        }
        int i = 0;
        for (Service service : config.services()) {
            for (int n = 0; n < service.listen().size(); n++) {
                Acceptor acceptor = acceptors.get(i++);
                acceptor.serve(services.get(service.name()));
                if (!before.acceptors.contains(acceptor)) {
                    acceptor.start();
                }
            }
        }
    }

    List<Upstream> targetsGoneSince(Setup before) {
        return missing(before.targets.values(), targets.values());
    }

    List<Acceptor> closedSince(Setup before) {
        return missing(before.acceptors, acceptors);
    }

    /** Services whose connections are cut off if they are with other targets than these. */
    Map<String, Set<Endpoint>> closingSince(Setup before) {
        Map<String, Set<Endpoint>> closing = new HashMap<>();
        for (Service old : before.config.services()) {
            Serving now = services.get(old.name());
            TargetGroup group = now == null ? old.targets() : now.service().targets();
            if (group.onRemove() == OnRemove.CLOSE) {
                closing.put(old.name(), now == null ? Set.of() : addresses(now.service()));
            }
        }
        return closing;
    }

    private static Set<Endpoint> addresses(Service service) {
        return service.groups().stream()
                .flatMap(group -> group.targets().stream())
                .map(Target::endpoint)
                .collect(Collectors.toSet());
    }

    Changes changesSince(Setup before, int cut) {
        List<String> changed = services.values().stream()
                .filter(serving -> {
                    Serving old = before.services.get(serving.service().name());
                    return old != null && !old.service().equals(serving.service());
                })
                .map(serving -> serving.service().name())
                .toList();
        return new Changes(
                endpoints(missing(acceptors, before.acceptors)),
                endpoints(missing(before.acceptors, acceptors)),
                missing(services.keySet(), before.services.keySet()),
                changed,
                missing(before.services.keySet(), services.keySet()),
                cut);
    }

    private static List<Endpoint> endpoints(List<Acceptor> acceptors) {
        return acceptors.stream().map(Acceptor::endpoint).toList();
    }

    private static <T> List<T> missing(Collection<T> from, Collection<T> in) {
        return from.stream().filter(item -> !in.contains(item)).toList();
    }
}
