package dev.sluice.cli;

import dev.sluice.io.Endpoint;
import dev.sluice.relay.AcceptProxy;
import dev.sluice.relay.AccessList;
import dev.sluice.relay.Balance;
import dev.sluice.relay.Health;
import dev.sluice.relay.Limits;
import dev.sluice.relay.OnRemove;
import dev.sluice.relay.ProxyProtocol;
import dev.sluice.relay.Service;
import dev.sluice.relay.Target;
import dev.sluice.relay.TargetGroup;
import dev.sluice.relay.Timeouts;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** A service of the relay while it is being read, from a {@code [service.NAME]} table or from a command line. */
final class ServiceDraft {
    /** What the command line has as its arguments. */
    private static final List<Key<ServiceDraft>> PLACES = List.of(
            Key.inFile("listen", Kind.LISTEN, (draft, listen) -> draft.listen = listen),
            Key.inFile("targets", Kind.listOf(TargetDraft.KIND), (draft, targets) -> draft.targets = targets));

    /** On the command line, {@code --max-connections} is that of the whole relay. */
    private static final Key<ServiceDraft> MAX_CONNECTIONS = Key.inFile(
            "max-connections",
            Kind.number(0, Integer.MAX_VALUE),
            (draft, number) -> draft.limits = draft.limits.maxConnections(number));

    /** What a file may also have under {@code [defaults]}, for all its services. */
    static final List<Key<ServiceDraft>> DEFAULTS = List.of(
            Key.of(
                    "balance",
                    Kind.choice(Balance.class),
                    "Which target is the first to be tried (round-robin).",
                    (draft, balance) -> draft.balance = balance),
            Key.of(
                    "tries",
                    Kind.number(1, TargetGroup.MAX_TRIES),
                    "How many targets a connection tries (3).",
                    (draft, tries) -> draft.tries = tries),
            Key.of(
                    "on-remove",
                    Kind.choice(OnRemove.class),
                    "What becomes of a target's connections when a reload takes it out (drain).",
                    (draft, what) -> draft.onRemove = what),
            Key.of(
                    "connect-timeout",
                    Kind.TIME,
                    "How long to wait for a target (10s).",
                    (draft, time) -> draft.timeouts = draft.timeouts.connect(time)),
            Key.of(
                    "idle-timeout",
                    Kind.TIME,
                    "End a connection on which nothing has moved for this long (1h; 0s: never).",
                    (draft, time) -> draft.timeouts = draft.timeouts.idle(time)),
            Key.of(
                    "half-close-timeout",
                    Kind.TIME,
                    "The same once one direction has ended (60s; 0s: as long as idle-timeout).",
                    (draft, time) -> draft.timeouts = draft.timeouts.halfClose(time)),
            Key.of(
                    "max-lifetime",
                    Kind.TIME,
                    "End a connection after this long in any case (0s: never).",
                    (draft, time) -> draft.timeouts = draft.timeouts.lifetime(time)),
            Key.of(
                    "keepalive",
                    Kind.TIME,
                    "Ask a TCP peer that is silent for this long whether it is there (60s; 0s: never).",
                    (draft, time) -> draft.timeouts = draft.timeouts.keepAlive(time)),
            Key.of(
                    "user-timeout",
                    Kind.TIME,
                    "End a connection whose peer has acknowledged nothing, or had no room for more, for this long"
                            + " (5m; 0s: as long as the kernel does).",
                    (draft, time) -> draft.timeouts = draft.timeouts.user(time)),
            Key.of(
                    "back-off",
                    Kind.TIME,
                    "How long a target that can't be reached is left at first; each time doubles it (1s).",
                    (draft, time) -> draft.backOff = time),
            Key.of(
                    "longest-back-off",
                    Kind.TIME,
                    "No longer than this (1m).",
                    (draft, time) -> draft.longestBackOff = time),
            Key.of(
                    "check-interval",
                    Kind.TIME,
                    "Connect to each target this often, to see whether it is there (0s: never).",
                    (draft, time) -> draft.checkInterval = time),
            Key.of(
                    "check-rise",
                    Kind.number(1, Integer.MAX_VALUE),
                    "After so many good checks, the target is taken again (2).",
                    (draft, checks) -> draft.rise = checks),
            Key.of(
                    "check-fall",
                    Kind.number(1, Integer.MAX_VALUE),
                    "After so many bad ones, it is left (3).",
                    (draft, checks) -> draft.fall = checks),
            Key.of(
                    "accept-proxy",
                    Kind.listOf(Kind.text("RANGE", "a range such as \"10.0.0.0/8\"", ServiceDraft::proxy)),
                    "Take the client's address from the PROXY header that each connection begins with; all come from"
                            + " proxies in these ranges, others are reset (none; unix: for Unix sockets).",
                    (draft, ranges) -> draft.acceptProxy = Optional.of(AcceptProxy.of(ranges.toArray(String[]::new)))),
            Key.of(
                    "proxy-protocol",
                    Kind.choice(ProxyProtocol.class),
                    "Tell targets the client's address in a PROXY header of this version (none).",
                    (draft, version) -> draft.proxyProtocol = version),
            Key.of(
                    "access",
                    Kind.listOf(Kind.text("RULE", "a rule such as \"allow 10.0.0.0/8\"", ServiceDraft::rule)),
                    "Who may connect: 'allow RANGE' or 'deny RANGE', the first that has the address decides (everybody).",
                    (draft, rules) -> draft.access = AccessList.of(rules)),
            MAX_CONNECTIONS,
            Key.of(
                    "queue-length",
                    Kind.number(0, Integer.MAX_VALUE),
                    "So many connections wait for a place in the service or at a target; more are reset (1000).",
                    (draft, length) -> draft.limits = draft.limits.queue(length, draft.limits.queueTime())),
            Key.of(
                    "queue-time",
                    Kind.TIME,
                    "They wait for so long, then they are reset (10s).",
                    (draft, time) -> draft.limits = draft.limits.queue(draft.limits.queueLength(), time)),
            Key.of(
                    "connection-rate",
                    Kind.number(0, Integer.MAX_VALUE),
                    "Accept so many connections per second, more wait in the backlog (0: as they come).",
                    (draft, rate) -> draft.limits = draft.limits.connectionRate(rate)),
            Key.of(
                    "client-rate",
                    Kind.number(0, Integer.MAX_VALUE),
                    "Serve so many connections of a client address per second, more are reset (0: as they come).",
                    (draft, rate) -> draft.limits = draft.limits.clientRate(rate)),
            Key.of(
                    "byte-rate",
                    Kind.SIZE,
                    "Move so many bytes per second in each direction of a connection (0: as fast as it goes).",
                    (draft, rate) -> draft.limits = draft.limits.byteRate(rate)),
            Key.of(
                    "service-byte-rate",
                    Kind.SIZE,
                    "The same for all connections of the service together (0: as fast as it goes).",
                    (draft, rate) -> draft.limits = draft.limits.serviceByteRate(rate)),
            Key.of(
                    "route",
                    Kind.choice(RouteChoice.class),
                    "Take this route where it is possible, to test and to compare (auto).",
                    (draft, route) -> draft.route = route));

    static final List<Key<ServiceDraft>> KEYS =
            Stream.concat(PLACES.stream(), DEFAULTS.stream()).toList();

    List<Listen> listen = List.of();
    List<Target> targets = List.of();
    private Balance balance = Balance.ROUND_ROBIN;
    private int tries = 3;
    private OnRemove onRemove = OnRemove.DRAIN;
    private Timeouts timeouts = Timeouts.DEFAULT;
    private Optional<AcceptProxy> acceptProxy = Optional.empty();
    private ProxyProtocol proxyProtocol = ProxyProtocol.NONE;
    private AccessList access = AccessList.OPEN;
    private Limits limits = Limits.NONE;
    private Duration backOff = Health.DEFAULT.backOff();
    private Duration longestBackOff = Health.DEFAULT.longestBackOff();
    private Duration checkInterval = Health.DEFAULT.checkInterval();
    private int rise = Health.DEFAULT.rise();
    private int fall = Health.DEFAULT.fall();
    private RouteChoice route = RouteChoice.AUTO;

    /** @throws IllegalArgumentException in one line, if something is missing or does not fit */
    Service build(String name, PassedSockets passed) {
        if (listen.isEmpty()) {
            throw new IllegalArgumentException("listen is missing: where do connections come in?");
        }
        if (targets.isEmpty()) {
            throw new IllegalArgumentException("targets is missing: where do connections go to?");
        }
        TargetGroup group = TargetGroup.of(targets)
                .balance(balance)
                .tries(tries)
                .onRemove(onRemove)
                .proxyProtocol(proxyProtocol)
                .health(new Health(backOff, longestBackOff, checkInterval, rise, fall));
        List<Endpoint> endpoints =
                listen.stream().flatMap(each -> passed.find(each).stream()).toList();
        Service service = Service.of(name, endpoints, group)
                .timeouts(timeouts)
                .access(access)
                .limits(limits);
        Service behind = acceptProxy.map(service::acceptProxy).orElse(service);
        return route.forced().map(behind::route).orElse(behind);
    }

    private static String proxy(String text) {
        AcceptProxy.of(text);
        return text;
    }

    /** Wrong rules are to be found one by one. */
    private static String rule(String text) {
        AccessList.of(text);
        return text;
    }
}
