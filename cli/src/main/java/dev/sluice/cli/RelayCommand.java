package dev.sluice.cli;

import dev.sluice.io.Endpoint;
import dev.sluice.io.Route;
import dev.sluice.relay.Relay;
import dev.sluice.relay.RelayOptions;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
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
            names = "--drain-timeout",
            paramLabel = "TIME",
            defaultValue = "30s",
            description = "After SIGTERM or SIGINT, let connections finish for this long (30s).")
    private Duration drainTimeout;

    @ParentCommand
    private Main main;

    @Override
    public Integer call() throws Exception {
        Signals signals = Signals.handle(drainTimeout, () -> {});
        try (RecordLog log = RecordLog.start(json, main.verbose());
                Relay relay = Failure.reach(() -> Relay.start(listen, targets, options(log)))) {
            announce(relay);
            signals.awaitDrain();
            int cut = relay.drain(drainTimeout);
            Console.say(
                    cut == 0
                            ? "drained"
                            : "drained; " + cut + (cut == 1 ? " connection was" : " connections were") + " cut off");
            return 0;
        }
    }

    private RelayOptions options(RecordLog log) {
        RelayOptions options =
                RelayOptions.DEFAULT.connectTimeout(connectTimeout).onEnd(log::add);
        Route forced = route.forced().orElse(null);
        return forced == null ? options : options.route(forced);
    }

    private void announce(Relay relay) {
        if (printAddress) {
            Console.announce(relay.endpoint());
        } else {
            Console.say("forwarding " + relay.endpoint() + " to " + targets);
        }
    }
}
