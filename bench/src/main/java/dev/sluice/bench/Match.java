package dev.sluice.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Endpoints and contenders, and the runs between them: A B C A B C, since a minute later the machine is another. */
final class Match implements AutoCloseable {
    private static final int WARM_UP = 5;
    private static final String FILE = "file:";

    /** One run: how long it took, CPU time of the mover and of the endpoints, heap allocated, and the route. */
    record Run(long bytes, long nanos, long moverCpu, long endpointsCpu, long allocated, String way) {
        double gigabytesPerSecond() {
            return (double) bytes / nanos;
        }

        /** Seconds per 10⁹ bytes. */
        double cpuPerGigabyte() {
            return (double) moverCpu / bytes;
        }

        /** Of mover and endpoints together: whose time the receiving of a loopback's segments costs is a matter of luck. */
        double wholeCpuPerGigabyte() {
            return (double) (moverCpu + endpointsCpu) / bytes;
        }

        double endpointsCpuPerGigabyte() {
            return (double) endpointsCpu / bytes;
        }

        double allocatedPerMebibyte() {
            return (double) allocated / bytes * (1 << 20);
        }
    }

    private final Party endpoints;
    private final List<Party> contenders = new ArrayList<>();

    Match(Party endpoints) {
        this.endpoints = endpoints;
    }

    /** Endpoints that copy nothing; null, with a message, where there is no compiler. */
    static Party bareEndpoints() throws IOException {
        return Party.built(
                "The benchmark", Path.of("bench/c/endpoints.c"), "gcc", "-O2", "-Wall", "-Wextra", "-pthread");
    }

    /**
     * Enters the four; or, to compare builds of the library, this one and the others, each {@code NAME=CLASSPATH} of
     * the library and of these benchmarks.
     */
    Match enterAll(List<String> otherBuilds) throws IOException {
        if (!otherBuilds.isEmpty()) {
            return enterBuilds(otherBuilds);
        }
        enterMover("Sluice", "sluice")
                .enterMover("Sluice, copying", "sluice-copy")
                .enterMover("JDK channels", "jdk");
        return enter(Party.built("Go io.Copy", Path.of("bench/go/copy.go"), "go", "build"));
    }

    private Match enterBuilds(List<String> builds) throws IOException {
        enterMover("Sluice", "sluice");
        for (String build : builds) {
            String[] parts = build.split("=", 2);
            enter(Party.java(parts[0], parts[1], Mover.class, "sluice"));
        }
        return this;
    }

    Match enterMover(String name, String way) throws IOException {
        return enter(Party.java(name, System.getProperty("java.class.path"), Mover.class, way));
    }

    private Match enter(Party contender) {
        if (contender != null) {
            contenders.add(contender);
        }
        return this;
    }

    List<Party> contenders() {
        return contenders;
    }

    /** One run of every contender, in order. */
    List<Run> round(String source, String sinks, int chunk, long total) throws IOException {
        List<Run> runs = new ArrayList<>();
        for (Party contender : contenders) {
            runs.add(run(contender, source + " " + sinks + " " + chunk + " " + total, total));
            for (String sink : sinks.split(",")) {
                if (sink.startsWith(FILE)) {
                    Files.delete(Path.of(sink.substring(FILE.length())));
                }
            }
        }
        return runs;
    }

    private Run run(Party mover, String stream, long total) throws IOException {
        endpoints.ask(stream);
        String addresses = endpoints.answer("ready");
        long moverCpu = mover.cpuNanos();
        long endpointsCpu = endpoints.cpuNanos();
        mover.ask(addresses);
        String[] moved = mover.answer("done").split(" ", 3);
        long nanos = Long.parseLong(endpoints.answer("done"));
        moverCpu = mover.cpuNanos() - moverCpu;
        endpointsCpu = endpoints.cpuNanos() - endpointsCpu;
        if (Long.parseLong(moved[0]) != total) {
            throw new IOException(mover.name() + " says it moved " + moved[0] + " bytes of " + total);
        }
        return new Run(total, nanos, moverCpu, endpointsCpu, Long.parseLong(moved[1]), moved[2]);
    }

    /** Plays the bulk stream and prints a table of it, in Markdown; the first contender is what the others are held against. */
    void playBulk(String source, String sinks, Options options, String plot) throws IOException {
        Rounds<Run> rounds = new Rounds<>();
        for (int i = -WARM_UP; i < options.rounds(); i++) {
            List<Run> round = round(source, sinks, 1 << 20, options.bytes());
            if (i >= 0) {
                rounds.add(round);
            }
        }
        System.out.printf(
                "%d rounds of %d MiB after %d to warm up; medians (quartiles); endpoints: %s.%n%n",
                options.rounds(), options.bytes() >> 20, WARM_UP, endpoints.version());
        String first = contenders.getFirst().name();
        System.out.printf(
                "| mover | route | GB/s | CPU-s per GB | the endpoints' CPU-s per GB | heap bytes per MiB "
                        + "| %s's GB/s ÷ its | %s's CPU ÷ its | with the endpoints' CPU |%n"
                        + "|---|---|---|---|---|---|---|---|---|%n",
                first, first);
        Plot speed = new Plot("Throughput, GB/s");
        Plot cpu = new Plot("CPU of the mover, s per GB");
        for (int i = 0; i < contenders.size(); i++) {
            Party contender = contenders.get(i);
            System.out.printf(
                    "| %s (%s) | %s | %s | %s | %s | %.0f | %s | %s | %s |%n",
                    contender.name(),
                    contender.version(),
                    rounds.last(i).way(),
                    rounds.of(i, Run::gigabytesPerSecond),
                    rounds.of(i, Run::cpuPerGigabyte),
                    rounds.of(i, Run::endpointsCpuPerGigabyte),
                    rounds.of(i, Run::allocatedPerMebibyte).median(),
                    rounds.ratio(0, i, Run::gigabytesPerSecond),
                    rounds.ratio(0, i, Run::cpuPerGigabyte),
                    rounds.ratio(0, i, Run::wholeCpuPerGigabyte));
            speed.bar(contender.name(), rounds.of(i, Run::gigabytesPerSecond));
            cpu.bar(contender.name(), rounds.of(i, Run::cpuPerGigabyte));
        }
        speed.write(options.plots(), plot + "-speed");
        cpu.write(options.plots(), plot + "-cpu");
    }

    @Override
    public void close() throws IOException {
        for (Party contender : contenders) {
            contender.close();
        }
        endpoints.close();
    }
}
