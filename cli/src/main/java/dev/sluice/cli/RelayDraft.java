package dev.sluice.cli;

import dev.sluice.io.Endpoint;
import dev.sluice.relay.RelayConfig;
import dev.sluice.relay.Service;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/** What concerns a whole relay, while it is being read: from the top of a file, or from a command line. */
final class RelayDraft {
    static final List<Key<RelayDraft>> KEYS = List.of(
            Key.of(
                    "drain-timeout",
                    Kind.TIME,
                    "After SIGTERM or SIGINT, let connections finish for this long (30s).",
                    (draft, time) -> draft.drainTimeout = time),
            Key.of(
                    "drain-spread",
                    Kind.TIME,
                    "Cut off the rest at random moments in the last part of that time (0s: all at its end).",
                    (draft, time) -> draft.drainSpread = time),
            Key.of(
                    "exit-idle-time",
                    Kind.TIME,
                    "End after having been without connections for this long (0s: never).",
                    (draft, time) -> draft.exitIdleTime = time),
            Key.of(
                    "max-connections",
                    Kind.number(0, Integer.MAX_VALUE),
                    "Serve so many at a time, others wait (0: as many as the descriptor limit allows).",
                    (draft, number) -> draft.maxConnections = number),
            Key.of(
                    "threads",
                    Kind.number(0, 1024),
                    "Share the connections between so many loops (0: one per processor).",
                    (draft, number) -> draft.threads = number),
            Key.of(
                    "resolve-interval",
                    Kind.TIME,
                    "Look a target's name up again when what is known is older than this (30s).",
                    (draft, time) -> draft.resolveInterval = time),
            Key.of(
                    "log",
                    Kind.choice(RecordLog.Format.class),
                    "Of which connections to keep a record, and how: in words on stderr of those that failed, or of all"
                            + " as one line of text or JSON each (failures).",
                    (draft, format) -> draft.log = format),
            Key.of(
                    "log-file",
                    Kind.FILE,
                    "Append the lines of text or JSON to this file, opened anew on SIGHUP (stdout).",
                    (draft, file) -> draft.logFile = Optional.of(file)),
            Key.of(
                    "stats-interval",
                    Kind.TIME,
                    "With JSON records: add the counters and the connections alive this often, and the counters at the"
                            + " end (0s: never).",
                    (draft, time) -> draft.statsInterval = time),
            Key.of(
                    "metrics",
                    Kind.ADDRESS,
                    "Serve metrics for Prometheus there by HTTP, /metrics and /ready (nowhere).",
                    (draft, address) -> draft.metrics = Optional.of(tcp(address))),
            Key.of(
                    "admin",
                    Kind.ADDRESS,
                    "Answer 'sluice top' and other questions on this Unix socket, unix:/path (none).",
                    (draft, address) -> draft.admin = Optional.of(unix(address))));

    private Duration drainTimeout = Duration.ofSeconds(30);
    private Duration drainSpread = Duration.ZERO;
    private Duration exitIdleTime = Duration.ZERO;
    private int maxConnections;
    private int threads;
    private Duration resolveInterval = Duration.ofSeconds(30);
    private RecordLog.Format log = RecordLog.Format.FAILURES;
    private Optional<Path> logFile = Optional.empty();
    private Duration statsInterval = Duration.ZERO;
    private Optional<Endpoint.Tcp> metrics = Optional.empty();
    private Optional<Endpoint.Unix> admin = Optional.empty();

    private static Endpoint.Tcp tcp(Endpoint address) {
        if (address instanceof Endpoint.Tcp tcp) {
            return tcp;
        }
        throw new IllegalArgumentException(address + " is not a TCP address such as 127.0.0.1:9100");
    }

    /** Only a path has an owner and a mode. */
    private static Endpoint.Unix unix(Endpoint address) {
        if (address instanceof Endpoint.Unix unix) {
            return unix;
        }
        throw new IllegalArgumentException(address + " is not the path of a Unix socket such as unix:/run/sluice.sock");
    }

    void log(RecordLog.Format format) {
        log = format;
    }

    /** @throws IllegalArgumentException in one line, if something does not fit */
    Settings build(List<Service> services) {
        if (logFile.isPresent() && log == RecordLog.Format.FAILURES) {
            throw new IllegalArgumentException("log-file needs log to be text or json");
        }
        RelayConfig config = RelayConfig.of(services.toArray(Service[]::new))
                .threads(threads)
                .maxConnections(maxConnections)
                .resolveInterval(resolveInterval);
        return new Settings(
                config,
                drainTimeout,
                drainSpread,
                exitIdleTime,
                new RecordLog.Choice(log, logFile),
                log == RecordLog.Format.JSON ? statsInterval : Duration.ZERO,
                metrics,
                admin);
    }
}
