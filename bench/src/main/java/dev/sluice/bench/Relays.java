package dev.sluice.bench;

import dev.sluice.bench.RelayMatch.Column;
import dev.sluice.bench.RelayMatch.Entry;
import dev.sluice.bench.Rounds.Spread;
import io.netty.util.Version;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * TCP relays from the outside, each a process between the same clients and the same server: bulk streams, requests, short
 * connections, the start, the memory. Prints tables in Markdown; the first relay is what the others are held against.
 */
public final class Relays {
    private static final int REQUESTS = 20_000;
    private static final int CONNECTIONS = 5000;
    private static final int IDLE = 1000;

    /** Whenever it can; "option splice-auto" hardly ever does with a single stream. */
    private static final String SPLICE = "option splice-request\n    option splice-response";

    private final Options options;
    private final RelayMatch match;

    private Relays(Options options, RelayMatch match) {
        this.options = options;
        this.match = match;
    }

    public static void main(String[] args) throws IOException, InterruptedException {
        Options options = Options.parse(args, 15, 512 << 20);
        if (CubicNetwork.holds(Relays.class, args)) {
            return;
        }
        try (RelayMatch match = RelayMatch.open()) {
            if (match == null) {
                return;
            }
            Relays relays = new Relays(options, match);
            for (Entry entry : relays.entries()) {
                match.enter(entry);
            }
            relays.memory();
            relays.start();
            relays.bulk();
            relays.requests();
            relays.churn();
        }
        mirrored(options);
    }

    // --- the relays ------------------------------------------------------------------------------

    private List<Entry> entries() throws IOException {
        List<Entry> entries = new ArrayList<>();
        String haproxy = Party.versionOf("HAProxy", "haproxy", "-v");
        if (haproxy != null) {
            entries.add(new Entry("HAProxy, splice, 1 thread", haproxy, haproxy("nbthread 1", SPLICE)));
            entries.add(new Entry("HAProxy, splice, all threads", haproxy, haproxy("", SPLICE)));
            entries.add(
                    new Entry("HAProxy, splice-auto, 1 thread", haproxy, haproxy("nbthread 1", "option splice-auto")));
            entries.add(new Entry("HAProxy, copying, 1 thread", haproxy, haproxy("nbthread 1", "")));
        }
        String jar = Path.of("cli/target/sluice.jar").toAbsolutePath().toString();
        entries.add(sluice("Sluice", jar));
        entries.add(sluice("Sluice, 1 thread", jar, "--threads", "1"));
        for (String build : options.builds()) {
            String[] parts = build.split("=", 2);
            entries.add(sluice(parts[0], parts[1]));
        }
        Path c = Party.build("C epoll and splice", Path.of("bench/c/relay.c"), "gcc", "-O2", "-Wall", "-Wextra");
        if (c != null) {
            entries.add(new Entry(
                    "C epoll and splice",
                    "ours",
                    (listen, target) -> List.of(c.toString(), Integer.toString(listen), Integer.toString(target))));
        }
        String nginx = Party.versionOf("nginx", "nginx", "-v");
        if (nginx != null) {
            entries.add(new Entry("nginx stream", nginx, Relays::nginx));
        }
        String go = Party.versionOf("Go io.Copy", "go", "version");
        Path goRelay = go == null ? null : Party.build("Go io.Copy", Path.of("bench/go/relay.go"), "go", "build");
        if (goRelay != null) {
            entries.add(new Entry(
                    "Go io.Copy",
                    go,
                    (listen, target) -> List.of(goRelay.toString(), "127.0.0.1:" + listen, "127.0.0.1:" + target)));
        }
        entries.add(new Entry(
                "Netty epoll",
                Version.identify().values().stream()
                        .map(Version::artifactVersion)
                        .findAny()
                        .orElse("unknown version"),
                Relays::netty));
        return entries.stream()
                .filter(entry -> options.wants("relay", entry.name()))
                .toList();
    }

    /**
     * With the options of the launcher, its AOT cache among them if there is one; {@code arguments} is a jar, or all that
     * follows them before "relay".
     */
    private static Entry sluice(String name, String arguments, String... relayOptions) {
        return new Entry(name, "Java " + Runtime.version(), (listen, target) -> {
            List<String> command = new ArrayList<>(List.of(Party.JAVA, "-XX:+UseSerialGC"));
            if (!arguments.contains("-jar ")) {
                Path cache = Path.of(arguments.replaceFirst("jar$", "aot")).toAbsolutePath();
                if (Files.exists(cache)) {
                    command.addAll(List.of("-XX:AOTCache=" + cache, "-Xlog:aot=off"));
                }
                command.add("-jar");
            }
            command.addAll(Arrays.asList(arguments.split(" ")));
            command.addAll(List.of("relay", "127.0.0.1:" + listen, "127.0.0.1:" + target));
            command.addAll(List.of(relayOptions));
            return command;
        });
    }

    private static List<String> netty(int listen, int target) {
        List<String> command = Party.javaCommand(
                System.getProperty("java.class.path"),
                NettyRelay.class,
                Integer.toString(listen),
                Integer.toString(target));
        // Quiet on a network without hardware addresses.
        command.addAll(
                1, List.of("--sun-misc-unsafe-memory-access=allow", "-Dio.netty.machineId=00:00:00:00:00:00:00:01"));
        return command;
    }

    private static RelayMatch.Command haproxy(String threads, String splice) {
        return (listen, target) ->
                List.of("haproxy", "-db", "-q", "-f", configuration("""
                        global
                            maxconn 4000
                            tune.pipesize 1048576
                            %s
                        defaults
                            mode tcp
                            timeout connect 10s
                            timeout client 1h
                            timeout server 1h
                            %s
                        listen relay
                            bind 127.0.0.1:%d
                            server target 127.0.0.1:%d
                        """.formatted(threads, splice, listen, target)));
    }

    private static List<String> nginx(int listen, int target) throws IOException {
        Path module = Path.of("/usr/lib/nginx/modules/ngx_stream_module.so");
        return List.of("nginx", "-e", "stderr", "-c", configuration("""
                        %s
                        user root;
                        daemon off;
                        pid %s;
                        error_log stderr crit;
                        worker_processes auto;
                        worker_rlimit_nofile 16384;
                        events { worker_connections 8000; }
                        stream {
                            server {
                                listen 127.0.0.1:%d backlog=4096;
                                proxy_pass 127.0.0.1:%d;
                                proxy_timeout 1h;
                            }
                        }
                        """.formatted(
                        Files.exists(module) ? "load_module " + module + ";" : "",
                        // A file of its own: nginx removes it at the end, whatever it is.
                        Files.createTempFile("sluice-bench", ".pid"),
                        listen,
                        target)));
    }

    private static String configuration(String text) throws IOException {
        Path file = Files.createTempFile("sluice-bench", ".conf");
        file.toFile().deleteOnExit();
        return Files.writeString(file, text).toString();
    }

    // --- what they are asked to do -----------------------------------------------------------------

    /** Before anything else has made them grow. */
    private void memory() throws IOException {
        if (!options.wants("scenario", "memory")) {
            return;
        }
        System.out.printf("%n### Memory%n%nAfter one connection, and with %d that have been used and rest.%n%n", IDLE);
        System.out.println("| relay | resident at rest, MiB | with connections, MiB | KiB per connection |");
        System.out.println("|---|---|---|---|");
        for (int i = 0; i < match.size(); i++) {
            long rest = match.relay(i).residentBytes();
            match.run(i, "idle", Integer.toString(IDLE));
            long used = match.relay(i).residentBytes();
            match.leave();
            System.out.printf(
                    "| %s | %.1f | %.1f | %.1f |%n",
                    match.relay(i).name(), rest / 1048576.0, used / 1048576.0, (used - rest) / 1024.0 / IDLE);
        }
    }

    private void start() throws IOException {
        if (!options.wants("scenario", "start")) {
            return;
        }
        Rounds<long[]> rounds = new Rounds<>();
        for (int round = -1; round < options.rounds(); round++) {
            List<long[]> starts = new ArrayList<>();
            for (int i = 0; i < match.size(); i++) {
                starts.add(match.start(i));
            }
            if (round >= 0) {
                rounds.add(starts);
            }
        }
        System.out.printf(
                "%n### Start%n%nFrom exec to the first byte that came back; %d starts, medians (quartiles).%n%n",
                options.rounds());
        System.out.println("| relay | ms | CPU, ms |");
        System.out.println("|---|---|---|");
        Plot plot = new Plot("From exec to the first byte that came back, ms");
        for (int i = 0; i < match.size(); i++) {
            String name = match.relay(i).name();
            Spread spread = rounds.of(i, start -> start[0] / 1e6);
            System.out.printf("| %s | %s | %s |%n", name, spread, rounds.of(i, start -> start[1] / 1e6));
            plot.bar(name, spread);
        }
        plot.write(options.plots(), "relays-start");
    }

    private void bulk() throws IOException {
        for (int copy = 0; copy <= 1; copy++) {
            for (int streams : new int[] {1, 16}) {
                String name = (copy == 0 ? "bulk" : "copying") + "-" + streams;
                if (!options.wants("scenario", name)) {
                    continue;
                }
                long each = options.bytes() / streams;
                double total = each * streams;
                match.play(
                        "%d stream%s of %d MiB, endpoints that copy%s"
                                .formatted(streams, streams == 1 ? "" : "s", each >> 20, copy == 0 ? " nothing" : ""),
                        "bulk",
                        streams + " " + each + " " + copy,
                        List.of(
                                new Column("GB/s", run -> total / run.nanos(), true),
                                new Column("CPU, s per GB", run -> run.cpu() / total, true)),
                        options,
                        "relays-" + name);
            }
        }
    }

    /** Each stream arrives twice: from the relay and, past it, from its mirror; a copy that lacks a byte fails the run. */
    private static void mirrored(Options options) throws IOException {
        if (!options.wants("scenario", "mirrored")) {
            return;
        }
        try (RelayMatch match = RelayMatch.open()) {
            if (match == null) {
                return;
            }
            match.enter(mirroring("Sluice", "auto")).enter(mirroring("Sluice, copying", "copy"));
            for (int streams : new int[] {1, 16}) {
                long each = options.bytes() / streams;
                double total = each * streams;
                match.play(
                        "%d stream%s of %d MiB, and a mirror of each, endpoints that copy nothing"
                                .formatted(streams, streams == 1 ? "" : "s", each >> 20),
                        "bulk",
                        streams + " " + each + " 0 2",
                        List.of(
                                new Column("GB/s", run -> total / run.nanos(), true),
                                new Column("CPU, s per GB", run -> run.cpu() / total, true)),
                        options,
                        "relays-mirrored-" + streams);
            }
        }
    }

    private static Entry mirroring(String name, String route) {
        return new Entry(
                name,
                "Java " + Runtime.version(),
                (listen, target) -> sluice(
                                name,
                                "cli/target/sluice.jar",
                                "--route",
                                route,
                                "--mirror",
                                "127.0.0.1:" + target,
                                "--mirror-on-slow",
                                "block",
                                "--mirror-on-failure",
                                "fail")
                        .command()
                        .between(listen, target));
    }

    private void requests() throws IOException {
        int[][] shapes = {{1, 64}, {50, 512}};
        for (int[] shape : shapes) {
            String name = "requests-" + shape[0];
            if (options.wants("scenario", name)) {
                match.play(
                        "%d × %d B, %d requests".formatted(shape[0], shape[1], REQUESTS),
                        "requests",
                        shape[0] + " " + shape[1] + " " + REQUESTS,
                        RequestResponse.columns(REQUESTS),
                        options,
                        "relays-" + name);
            }
        }
    }

    private void churn() throws IOException {
        if (options.wants("scenario", "churn")) {
            match.play(
                    "%d connections, 16 at a time: connect, a byte each way, close".formatted(CONNECTIONS),
                    "churn",
                    "16 " + CONNECTIONS,
                    List.of(
                            new Column("connections/s", run -> CONNECTIONS * 1e9 / run.nanos(), true),
                            new Column("median, µs", run -> run.median() / 1e3, true),
                            new Column("99 %, µs", run -> run.percentile99() / 1e3, false),
                            new Column("CPU per connection, µs", run -> run.cpu() / 1e3 / CONNECTIONS, true)),
                    options,
                    "relays-churn");
        }
    }
}
