package dev.sluice.cli;

import dev.sluice.io.Endpoint;
import dev.sluice.relay.Changes;
import dev.sluice.relay.LiveSession;
import dev.sluice.relay.Relay;
import dev.sluice.relay.RelayStats;
import dev.sluice.relay.Service;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** A relay as a process: what signals, the service manager and a file ask of it, and what they are told. */
final class RelayProgram {
    /** How soon a time that a reload has set is heeded. */
    private static final Duration SOON = Duration.ofSeconds(1);

    private static final String AS_BEFORE = "all goes on as before";
    private static final String ENDING = "ending; nothing is reloaded";

    private final Optional<Path> file;
    private final boolean printAddress;
    private final boolean verbose;
    private final Readiness readiness = Readiness.of(System.getenv());

    private volatile Settings settings;
    private volatile Relay relay;
    private RecordLog log;
    private Signals signals;
    private volatile boolean ending;
    private volatile int reloads;
    private volatile int failedReloads;

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
        Names.heedTheRelay();
        signals = Signals.handle(() -> settings.drainTimeout(), () -> {});
        Signals.onHangUp(this::hangUp);
        try (RecordLog records = RecordLog.start(settings.log(), verbose);
                Running running = start(records)) {
            Relay started = running.relay();
            awaitEnd(started, records);
            ending = true;
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

    /** The relay, and those who tell of it until it has ended. */
    private record Running(Relay relay, Optional<Metrics> metrics, Optional<Admin> admin) implements AutoCloseable {
        @Override
        public void close() {
            // No method references: they would load what nobody has asked for.
            if (admin.isPresent()) {
                admin.get().close();
            }
            if (metrics.isPresent()) {
                metrics.get().close();
            }
            relay.close();
        }
    }

    /** A SIGHUP that comes meanwhile waits. */
    private synchronized Running start(RecordLog records) throws Exception {
        log = records;
        relay = Failure.reach(() -> Relay.start(settings.config().onEnd(records::add)));
        Running running = new Running(relay, Optional.empty(), Optional.empty());
        try {
            if (settings.metrics().isPresent()) {
                Metrics metrics =
                        Failure.reach(() -> Metrics.serve(settings.metrics().get(), this));
                running = new Running(relay, Optional.of(metrics), running.admin());
                Console.say("metrics on " + metrics.address());
            }
            if (settings.admin().isPresent()) {
                Admin admin = Failure.reach(() -> Admin.listen(settings.admin().get(), this));
                running = new Running(relay, running.metrics(), Optional.of(admin));
            }
        } catch (Exception e) {
            running.close();
            throw e;
        }
        announce(relay);
        readiness.ready(settings.toString());
        return running;
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
    private void awaitEnd(Relay started, RecordLog records) throws Exception {
        Idle idle = new Idle(started);
        long lastStats = System.nanoTime();
        while (!await()) {
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

    private boolean await() throws InterruptedException {
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

    private void hangUp() {
        again("SIGHUP");
    }

    /** What SIGHUP does, and what came of it. */
    String reload() {
        List<String> said = again("admin");
        return failed(said) ? Admin.ERROR + String.join("; ", said) : said.getFirst();
    }

    private static boolean failed(List<String> said) {
        return said.getLast().equals(AS_BEFORE) || said.getLast().equals(ENDING);
    }

    /** Reads the configuration again, and says so. */
    private synchronized List<String> again(String who) {
        List<String> said = new ArrayList<>();
        if (relay == null || draining()) {
            said.add(ENDING);
        } else {
            readiness.reloading();
            try {
                said.add(file.isPresent() ? "reloaded: " + reload(file.get()) : reopen());
                reloads++;
            } catch (Exception e) {
                failedReloads++;
                said.addAll(complaints(e));
                said.add(AS_BEFORE);
            } finally {
                readiness.ready(settings.toString());
            }
        }
        said.forEach(line -> Console.say(who + ": " + line));
        return said;
    }

    /** What SIGTERM does. */
    String drain() {
        return signals.drain("admin")
                ? "draining for at most " + settings.drainTimeout().toMillis() / 1000.0 + " s"
                : Admin.ERROR + "draining already";
    }

    /** What is in force, as JSON. */
    String config() {
        return settings.toJson(file);
    }

    RelayStats stats() {
        return relay.stats();
    }

    Collection<LiveSession> live() {
        return relay.live();
    }

    /** Whether the end has begun. */
    boolean draining() {
        return ending || signals.draining();
    }

    int reloads() {
        return reloads;
    }

    int failedReloads() {
        return failedReloads;
    }

    private static List<String> complaints(Exception e) {
        return e instanceof IllegalArgumentException || e instanceof IllegalStateException
                ? List.of(Trouble.oneLine(e.getMessage()))
                : Trouble.lines(e);
    }

    private String reload(Path from) throws IOException, BadConfiguration {
        Settings before = settings;
        Settings next = ConfigFile.read(from, System.getenv(), passed());
        next.requireSamePlaces(before);
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
