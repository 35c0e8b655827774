package dev.sluice.cli;

import dev.sluice.io.Endpoint;
import dev.sluice.relay.Changes;
import dev.sluice.relay.Relay;
import dev.sluice.relay.Service;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** A relay as a process: what signals, the service manager and a file ask of it, and what they are told. */
final class RelayProgram {
    /** How soon a time that a reload has set is heeded. */
    private static final Duration SOON = Duration.ofSeconds(1);

    private final Optional<Path> file;
    private final boolean printAddress;
    private final boolean verbose;
    private final Readiness readiness = Readiness.of(System.getenv());

    private volatile Settings settings;
    private Relay relay;
    private RecordLog log;

    /** @param file where the settings are from, to be read again on SIGHUP; empty for a command line */
    RelayProgram(Settings settings, Optional<Path> file, boolean printAddress, boolean verbose) {
        this.settings = settings;
        this.file = file;
        this.printAddress = printAddress;
        this.verbose = verbose;
    }

    /** The sockets that systemd has opened for this process. */
    static PassedSockets passed() {
        return PassedSockets.of(System.getenv(), ProcessHandle.current().pid());
    }

    /** Forwards until it is told to end. */
    void run() throws Exception {
        Signals signals = Signals.handle(() -> settings.drainTimeout(), () -> {});
        Signals.onHangUp(() -> hangUp(signals));
        try (RecordLog records = RecordLog.start(settings.log(), verbose);
                Relay started = start(records)) {
            awaitEnd(signals, started, records);
            readiness.stopping("draining");
            int cut = started.drain(settings.drainTimeout(), settings.drainSpread());
            if (settings.statsInterval().isPositive()) {
                records.add(started.stats(), List.of());
            }
            Console.say(
                    cut == 0
                            ? "drained"
                            : "drained; " + cut + (cut == 1 ? " connection was" : " connections were") + " cut off");
        }
    }

    /** A SIGHUP that comes meanwhile waits. */
    private synchronized Relay start(RecordLog records) throws Exception {
        log = records;
        relay = Failure.reach(() -> Relay.start(settings.config().onEnd(records::add)));
        announce(relay);
        readiness.ready(settings.toString());
        return relay;
    }

    private void announce(Relay started) {
        Iterator<Endpoint> endpoints = started.endpoints().iterator();
        for (Service service : settings.config().services()) {
            for (int i = 0; i < service.listen().size(); i++) {
                Endpoint endpoint = endpoints.next();
                if (printAddress) {
                    Console.announce(endpoint);
                } else {
                    Console.say("forwarding " + endpoint + " to " + Settings.targets(service));
                }
            }
        }
    }

    /** Until a signal asks for a drain, or nobody has come for long enough. */
    private void awaitEnd(Signals signals, Relay started, RecordLog records) throws Exception {
        Idle idle = new Idle(started);
        long lastStats = System.nanoTime();
        while (!await(signals)) {
            Settings now = settings;
            long statsNanos = now.statsInterval().toNanos();
            if (statsNanos > 0 && System.nanoTime() - lastStats >= statsNanos) {
                lastStats = System.nanoTime();
                records.add(started.stats(), started.live());
            }
            if (now.exitIdleTime().isPositive() && idle.lasts(now.exitIdleTime())) {
                Console.say("no connection for " + now.exitIdleTime().toMillis() / 1000.0 + " s: ending");
                return;
            }
        }
    }

    private boolean await(Signals signals) throws InterruptedException {
        Optional<Duration> pause = Stream.of(
                        settings.statsInterval(),
                        settings.exitIdleTime().dividedBy(4),
                        file.isPresent() ? SOON : Duration.ZERO)
                .filter(Duration::isPositive)
                .min(Duration::compareTo);
        if (pause.isEmpty()) {
            signals.awaitDrain();
            return true;
        }
        return signals.awaitDrain(pause.get());
    }

    private synchronized void hangUp(Signals signals) {
        if (relay == null || signals.draining()) {
            Console.say("SIGHUP: ending; nothing is reloaded");
            return;
        }
        readiness.reloading();
        try {
            Console.say("SIGHUP: " + (file.isPresent() ? "reloaded: " + reload(file.get()) : reopen()));
        } catch (Exception e) {
            complaints(e).forEach(line -> Console.say("SIGHUP: " + line));
            Console.say("SIGHUP: all goes on as before");
        } finally {
            readiness.ready(settings.toString());
        }
    }

    private static List<String> complaints(Exception e) {
        return e instanceof IllegalArgumentException || e instanceof IllegalStateException
                ? List.of(Trouble.oneLine(e.getMessage()))
                : Trouble.lines(e);
    }

    private String reload(Path from) throws IOException, BadConfiguration {
        Settings before = settings;
        Settings next = ConfigFile.read(from, System.getenv(), passed());
        LogSink sink = next.log().open();
        Changes changes;
        try {
            changes = relay.apply(next.config().onEnd(log::add));
        } catch (IOException | RuntimeException e) {
            sink.close();
            throw e;
        }
        log.moveTo(next.log().format(), sink);
        settings = next;
        if (printAddress) {
            changes.opened().forEach(Console::announce);
        }
        return next.likeButServices(before) ? changes.toString() : changes + "; other settings changed";
    }

    private String reopen() throws IOException {
        RecordLog.Choice choice = settings.log();
        if (choice.file().isEmpty()) {
            return "started without --config, so there is nothing to reload";
        }
        log.moveTo(choice.format(), choice.open());
        return choice.file().get() + " opened anew; started without --config, so there is nothing else to reload";
    }
}
