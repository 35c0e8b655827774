package dev.sluice.cli;

import dev.sluice.io.Endpoint;
import dev.sluice.relay.LiveSession;
import dev.sluice.relay.RelayStats;
import io.prometheus.metrics.model.snapshots.CounterSnapshot;
import io.prometheus.metrics.model.snapshots.CounterSnapshot.CounterDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.GaugeSnapshot;
import io.prometheus.metrics.model.snapshots.GaugeSnapshot.GaugeDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.Labels;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import java.time.Instant;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/** What a relay's counters are to Prometheus. Everything is read when it is asked for; nothing is counted twice here. */
final class Samples {
    private static final String TO_TARGET = "to_target";
    private static final String TO_CLIENT = "to_client";

    /**
     * How many bytes were told last time, by labels. A connection that ends while the counters are read is missed that once;
     * but a counter that falls is a restart to Prometheus.
     */
    private Map<Labels, Double> told = new HashMap<>();

    /** The values of one metric, by labels; what has the same labels is added up. */
    private static final class Family {
        private final Map<Labels, Double> values = new LinkedHashMap<>();

        Family add(double value, String... labels) {
            values.merge(Labels.of(labels), value, Double::sum);
            return this;
        }
    }

    private static final class Page {
        private final MetricSnapshots.Builder snapshots = MetricSnapshots.builder();

        /** @param name without the {@code _total} that the text format adds */
        void counter(String name, String help, Family family) {
            CounterSnapshot.Builder counter =
                    CounterSnapshot.builder().name(name).help(help);
            family.values.forEach((labels, value) -> counter.dataPoint(CounterDataPointSnapshot.builder()
                    .labels(labels)
                    .value(value)
                    .build()));
            snapshots.metricSnapshot(counter.build());
        }

        void gauge(String name, String help, Family family) {
            GaugeSnapshot.Builder gauge = GaugeSnapshot.builder().name(name).help(help);
            family.values.forEach((labels, value) -> gauge.dataPoint(
                    GaugeDataPointSnapshot.builder().labels(labels).value(value).build()));
            snapshots.metricSnapshot(gauge.build());
        }
    }

    MetricSnapshots of(RelayProgram program) {
        Page page = new Page();
        // In this order: see Relay.live.
        RelayStats stats = program.stats();
        Collection<LiveSession> live = program.live();
        ofRelay(page, stats, live);
        ofServices(page, stats, live);
        ofTargets(page, stats);
        ofMirrors(page, stats);
        ofProcess(page, program);
        return page.snapshots.build();
    }

    private static void ofRelay(Page page, RelayStats stats, Collection<LiveSession> live) {
        Family routes = new Family();
        stats.byRoute().forEach((route, bytes) -> routes.add(bytes, "route", lower(route)));
        page.counter(
                "sluice_ended_connection_bytes", "Bytes moved by connections that have ended, by their route.", routes);
        Family ends = new Family();
        stats.clientEnds().forEach((end, count) -> ends.add(count, "side", "client", "end", lower(end)));
        stats.targetEnds().forEach((end, count) -> ends.add(count, "side", "target", "end", lower(end)));
        page.counter("sluice_connection_ends", "Connections that have ended, by how each side ended.", ends);
        page.gauge(
                "sluice_pipe_bytes",
                "Bytes on the way, in pipes and buffers.",
                new Family()
                        .add(live.stream().mapToLong(LiveSession::bytesOnTheWay).sum()));
        page.gauge(
                "sluice_pipes_lent", "Kernel pipes that hold bytes on the way.", new Family().add(stats.pipesLent()));
        page.counter(
                "sluice_pipes_small",
                "Pipes that could not be had in the size asked for.",
                new Family().add(stats.pipesSmall()));
    }

    private void ofServices(Page page, RelayStats stats, Collection<LiveSession> live) {
        Family accepted = new Family();
        Family active = new Family();
        for (RelayStats.OfListener listener : stats.listeners()) {
            String[] labels = {"service", listener.service(), "listener", name(listener.endpoint())};
            accepted.add(listener.accepted(), labels);
            active.add(listener.active(), labels);
        }
        page.counter("sluice_connections", "Connections accepted.", accepted);
        page.gauge("sluice_connections_active", "Connections alive.", active);
        Family waiting = new Family();
        Family refused = new Family();
        Family bytes = new Family();
        for (RelayStats.OfService service : stats.services()) {
            waiting.add(service.waiting(), "service", service.service());
            refused.add(service.refused(), "service", service.service());
            bytes.add(service.bytesToTarget(), "service", service.service(), "direction", TO_TARGET);
            bytes.add(service.bytesToClient(), "service", service.service(), "direction", TO_CLIENT);
        }
        for (LiveSession session : live) {
            // Those of a service that a reload has taken out go on uncounted.
            if (bytes.values.containsKey(Labels.of("service", session.service(), "direction", TO_TARGET))) {
                bytes.add(session.bytesToTarget(), "service", session.service(), "direction", TO_TARGET);
                bytes.add(session.bytesToClient(), "service", session.service(), "direction", TO_CLIENT);
            }
        }
        page.gauge("sluice_queue_length", "Connections that wait for a place.", waiting);
        page.counter("sluice_connections_refused", "Connections reset for a limit of the service.", refused);
        page.counter("sluice_bytes", "Bytes accepted by the sockets of the other side.", rising(bytes));
    }

    private synchronized Family rising(Family bytes) {
        bytes.values.replaceAll((labels, value) -> Math.max(value, told.getOrDefault(labels, 0.0)));
        told = new HashMap<>(bytes.values);
        return bytes;
    }

    private static void ofTargets(Page page, RelayStats stats) {
        Family up = new Family();
        Family active = new Family();
        Family connected = new Family();
        Family failed = new Family();
        for (RelayStats.OfTarget target : stats.targets()) {
            String name = name(target.target());
            up.add(target.up() ? 1 : 0, "target", name);
            active.add(target.active(), "target", name);
            connected.add(target.connected(), "target", name);
            failed.add(target.failed(), "target", name);
        }
        page.gauge("sluice_target_up", "Whether new connections go there.", up);
        page.gauge("sluice_target_connections_active", "Connections alive.", active);
        page.counter("sluice_target_connections", "Connections that reached the target.", connected);
        page.counter("sluice_target_failures", "Connections that did not.", failed);
    }

    private static void ofMirrors(Page page, RelayStats stats) {
        Family active = new Family();
        Family begun = new Family();
        Family missing = new Family();
        Family failed = new Family();
        Family bytes = new Family();
        Family gaps = new Family();
        for (RelayStats.OfMirror mirror : stats.mirrors()) {
            String[] labels = {"service", mirror.service(), "mirror", mirror.mirror()};
            active.add(mirror.active(), labels);
            begun.add(mirror.begun(), labels);
            missing.add(mirror.missing(), labels);
            failed.add(mirror.failed(), labels);
            bytes.add(mirror.bytes(), labels);
            gaps.add(mirror.missed(), labels);
        }
        page.gauge("sluice_mirror_copies_active", "Copies being made.", active);
        page.counter("sluice_mirror_copies", "Copies begun, each of one direction of a connection.", begun);
        page.counter("sluice_mirror_missing", "Streams that went on without a copy.", missing);
        page.counter("sluice_mirror_failures", "Copies cut short, slow or broken.", failed);
        page.counter("sluice_mirror_bytes", "Bytes of copies that have ended.", bytes);
        page.counter("sluice_mirror_gap_bytes", "Bytes missing in recordings that leave gaps.", gaps);
    }

    private static void ofProcess(Page page, RelayProgram program) {
        page.counter(
                "sluice_reloads",
                "Reloads of the configuration.",
                new Family()
                        .add(program.reloads(), "result", "success")
                        .add(program.failedReloads(), "result", "failure"));
        page.gauge("sluice_draining", "Whether the relay is ending.", new Family().add(program.draining() ? 1 : 0));
        ProcessHandle.Info process = ProcessHandle.current().info();
        process.totalCpuDuration()
                .ifPresent(time ->
                        page.counter("process_cpu_seconds", "Processor time.", new Family().add(Cpu.seconds(time))));
        process.startInstant()
                .map(Instant::toEpochMilli)
                .ifPresent(start -> page.gauge(
                        "process_start_time_seconds",
                        "When the process began, in seconds since 1970.",
                        new Family().add(start / 1000.0)));
    }

    private static String lower(Enum<?> constant) {
        return constant.name().toLowerCase(Locale.ROOT);
    }

    private static String name(Endpoint endpoint) {
        return endpoint.toString();
    }
}
