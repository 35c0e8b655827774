package dev.sluice.relay;

import dev.sluice.io.Endpoint;
import dev.sluice.io.Route;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.Stream;

/**
 * One thing that a {@link Relay} does: where connections come in, where they go, and how they are treated. Immutable: each
 * method gives a service that differs in one choice.
 *
 * <pre>{@code
 * Service.of("web", Endpoint.parse(":443"), Endpoint.parse("web1:443"), Endpoint.parse("web2:443"))
 *         .timeouts(Timeouts.DEFAULT.idle(Duration.ofMinutes(10)));
 * }</pre>
 *
 * @param name for records, counters and reloads, by which it is the same service as before; one line, not blank
 * @param listen where connections come in, at least one address; port 0 lets the kernel choose a free one
 * @param targets where they go to
 * @param timeouts how long what may take
 * @param acceptProxy who tells by a PROXY header whom a connection is for; empty for connections without headers
 * @param access who may connect; who may not is reset
 * @param limits how much it takes on
 * @param serverNames which connections go elsewhere than to the targets, by the name in their TLS greeting
 * @param route the route to take wherever it is possible, to test and to compare; empty for the best
 * @param mirrors where the streams are copied to, at most {@value #MAX_MIRRORS}
 */
public record Service(
        String name,
        List<Endpoint> listen,
        TargetGroup targets,
        Timeouts timeouts,
        Optional<AcceptProxy> acceptProxy,
        AccessList access,
        Limits limits,
        Optional<ServerNames> serverNames,
        Optional<Route> route,
        List<Mirroring> mirrors) {
    public static final int MAX_MIRRORS = 8;

    public Service {
        listen = List.copyOf(listen);
        Objects.requireNonNull(targets, "targets");
        Objects.requireNonNull(timeouts, "timeouts");
        Objects.requireNonNull(access, "access");
        Objects.requireNonNull(limits, "limits");
        Objects.requireNonNull(acceptProxy, "acceptProxy");
        Objects.requireNonNull(serverNames, "serverNames");
        Objects.requireNonNull(route, "route");
        mirrors = List.copyOf(mirrors);
        if (name.isBlank() || name.codePoints().anyMatch(Character::isISOControl)) {
            throw new IllegalArgumentException("a service needs a name in one line");
        }
        if (listen.isEmpty()) {
            throw new IllegalArgumentException("service " + name + " listens nowhere");
        }
        serverNames.ifPresent(names -> names.groups().forEach((host, group) -> {
            if (group.onRemove() != targets.onRemove()) {
                throw new IllegalArgumentException("service " + name + ": the targets of " + host
                        + " are removed in another way than its own; that is one choice for all");
            }
        }));
        if (mirrors.size() > MAX_MIRRORS) {
            throw new IllegalArgumentException(
                    "service " + name + " has " + mirrors.size() + " mirrors, which is more than " + MAX_MIRRORS);
        }
    }

    /** For everybody, with {@link Timeouts#DEFAULT}, {@link Limits#NONE} and the best route. */
    public static Service of(String name, List<Endpoint> listen, TargetGroup targets) {
        return new Service(
                name,
                listen,
                targets,
                Timeouts.DEFAULT,
                Optional.empty(),
                AccessList.OPEN,
                Limits.NONE,
                Optional.empty(),
                Optional.empty(),
                List.of());
    }

    /** One listener, and targets that take turns. */
    public static Service of(String name, Endpoint listen, Endpoint... targets) {
        return of(name, List.of(listen), TargetGroup.of(targets));
    }

    /** All groups that its connections may go to. */
    List<TargetGroup> choices() {
        return Stream.concat(
                        Stream.of(targets), serverNames.stream().flatMap(names -> names.groups().values().stream()))
                .distinct()
                .toList();
    }

    /** The same, and those of the copies. */
    List<TargetGroup> groups() {
        return Stream.concat(
                        choices().stream(),
                        mirrors.stream()
                                .filter(MirrorTargets.class::isInstance)
                                .map(mirror -> ((MirrorTargets) mirror).targets()))
                .toList();
    }

    /** With other {@link #listen() listeners}. */
    public Service listen(List<Endpoint> endpoints) {
        return with(draft -> draft.listen = endpoints);
    }

    /** With other {@link #targets()}. */
    public Service targets(TargetGroup group) {
        return with(draft -> draft.targets = group);
    }

    /** With other {@link #timeouts()}. */
    public Service timeouts(Timeouts times) {
        return with(draft -> draft.timeouts = times);
    }

    /** With {@link #acceptProxy()}. */
    public Service acceptProxy(AcceptProxy proxies) {
        return with(draft -> draft.acceptProxy = Optional.of(proxies));
    }

    /** With another {@link #access()}. */
    public Service access(AccessList list) {
        return with(draft -> draft.access = list);
    }

    /** With other {@link #limits()}. */
    public Service limits(Limits others) {
        return with(draft -> draft.limits = others);
    }

    /** With {@link #serverNames()}. */
    public Service serverNames(ServerNames names) {
        return with(draft -> draft.serverNames = Optional.of(names));
    }

    /** With a {@link #route()} of choice. */
    public Service route(Route wanted) {
        return with(draft -> draft.route = Optional.of(wanted));
    }

    /** With other {@link #mirrors()}. */
    public Service mirrors(Mirroring... others) {
        return with(draft -> draft.mirrors = List.of(others));
    }

    private Service with(Consumer<Draft> change) {
        Draft draft = new Draft();
        change.accept(draft);
        return new Service(
                name,
                draft.listen,
                draft.targets,
                draft.timeouts,
                draft.acceptProxy,
                draft.access,
                draft.limits,
                draft.serverNames,
                draft.route,
                draft.mirrors);
    }

    /** This service, open to one change. */
    private final class Draft {
        private List<Endpoint> listen = Service.this.listen;
        private TargetGroup targets = Service.this.targets;
        private Timeouts timeouts = Service.this.timeouts;
        private Optional<AcceptProxy> acceptProxy = Service.this.acceptProxy;
        private AccessList access = Service.this.access;
        private Limits limits = Service.this.limits;
        private Optional<ServerNames> serverNames = Service.this.serverNames;
        private Optional<Route> route = Service.this.route;
        private List<Mirroring> mirrors = Service.this.mirrors;
    }
}
