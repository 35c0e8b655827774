package dev.sluice.cli;

import dev.sluice.io.Endpoint;
import dev.sluice.relay.Relay;
import dev.sluice.relay.RelayConfig;
import dev.sluice.relay.Service;
import dev.sluice.relay.TargetGroup;
import dev.sluice.relay.Timeouts;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/** Forwards connections until a signal comes. */
@Command(
        name = "relay",
        description = {
            "Forward connections.",
            "Each connection goes to the next target in turn; one that can't be reached is passed over."
        })
final class RelayCommand implements Callable<Integer> {
    @Parameters(index = "0", paramLabel = "LISTEN", description = "Where connections come in.")
    private Endpoint listen;

    @Parameters(index = "1..*", arity = "1..*", paramLabel = "TARGET", description = "Where they go to.")
    private List<Endpoint> targets;

    @Option(names = "--print-address", description = "Print 'listening ADDRESS' on stdout once ready.")
    private boolean printAddress;

    @Option(names = "--json", description = "Print one JSON record per connection, at its end, on stdout.")
    private boolean json;

    @Option(
            names = "--route",
            paramLabel = "auto|splice|copy",
            defaultValue = "auto",
            description = "Take this route where it is possible, to test and to compare.")
    private RouteChoice route;

    @Option(
            names = "--connect-timeout",
            paramLabel = "TIME",
            defaultValue = "10s",
            description = "How long to wait for a target (10s).")
    private Duration connectTimeout;

    @Option(
            names = "--idle-timeout",
            paramLabel = "TIME",
            defaultValue = "1h",
            description = "End a connection on which nothing has moved for this long (1h; 0s: never).")
    private Duration idleTimeout;

    @Option(
            names = "--half-close-timeout",
            paramLabel = "TIME",
            defaultValue = "60s",
            description = "The same once one direction has ended (60s; 0s: as long as --idle-timeout).")
    private Duration halfCloseTimeout;

    @Option(
            names = "--max-lifetime",
            paramLabel = "TIME",
            defaultValue = "0s",
            description = "End a connection after this long in any case (0s: never).")
    private Duration maxLifetime;

    @Option(
            names = "--keepalive",
            paramLabel = "TIME",
            defaultValue = "60s",
            description = "Ask a TCP peer that is silent for this long whether it is there (60s; 0s: never).")
    private Duration keepAlive;

    @Option(
            names = "--user-timeout",
            paramLabel = "TIME",
            defaultValue = "5m",
            description = {
                "End a connection whose peer has acknowledged nothing, or had no room for more, for this long",
                "(5m; 0s: as long as the kernel does)."
            })
    private Duration userTimeout;

    @Option(
            names = "--drain-timeout",
            paramLabel = "TIME",
            defaultValue = "30s",
            description = "After SIGTERM or SIGINT, let connections finish for this long (30s).")
    private Duration drainTimeout;

    @Option(
            names = "--drain-spread",
            paramLabel = "TIME",
            defaultValue = "0s",
            description = "Cut off the rest at random moments in the last part of that time (0s: all at its end).")
    private Duration drainSpread;

    @Option(
            names = "--max-connections",
            paramLabel = "N",
            defaultValue = "0",
            description = "Serve so many at a time, others wait (0: as many as the descriptor limit allows).")
    private int maxConnections;

    @Option(
            names = "--threads",
            paramLabel = "N",
            defaultValue = "0",
            description = "Share the connections between so many loops (0: one per processor).")
    private int threads;

    @Option(
            names = "--stats-interval",
            paramLabel = "TIME",
            defaultValue = "0s",
            description =
                    "With --json: print the counters and the connections alive this often, and the counters at the end.")
    private Duration statsInterval;

    @Mixin
    private MirrorOptions mirrors;

    @ParentCommand
    private Main main;

    @Override
    public Integer call() throws Exception {
        Signals signals = Signals.handle(drainTimeout, () -> {});
        try (RecordLog log = RecordLog.start(json, main.verbose());
                Relay relay = Failure.reach(() -> Relay.start(config(log)))) {
            announce(relay);
            awaitDrain(signals, relay, log);
            int cut = relay.drain(drainTimeout, drainSpread);
            if (json && statsInterval.isPositive()) {
                log.add(relay.stats(), List.of());
            }
            Console.say(
                    cut == 0
                            ? "drained"
                            : "drained; " + cut + (cut == 1 ? " connection was" : " connections were") + " cut off");
            return 0;
        }
    }

    private void awaitDrain(Signals signals, Relay relay, RecordLog log) throws InterruptedException {
        if (!json || !statsInterval.isPositive()) {
            signals.awaitDrain();
            return;
        }
        while (!signals.awaitDrain(statsInterval)) {
            log.add(relay.stats(), relay.live());
        }
    }

    private RelayConfig config(RecordLog log) {
        return RelayConfig.of(service())
                .threads(threads)
                .maxConnections(maxConnections)
                .onEnd(log::add);
    }

    private Service service() {
        Timeouts timeouts =
                new Timeouts(connectTimeout, idleTimeout, halfCloseTimeout, maxLifetime, keepAlive, userTimeout);
        TargetGroup group = TargetGroup.of(targets.toArray(Endpoint[]::new));
        Service service = Service.of("relay", List.of(listen), group).timeouts(timeouts);
        service = mirrors.on(service);
        return route.forced().map(service::route).orElse(service);
    }

    private void announce(Relay relay) {
        for (Endpoint endpoint : relay.endpoints()) {
            if (printAddress) {
                Console.announce(endpoint);
            } else {
                Console.say("forwarding " + endpoint + " to " + targets);
            }
        }
    }
}
