package dev.sluice.bench;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Timer;
import java.util.TimerTask;

/** Endpoints and contenders, and the runs between them: A B C A B C, since a minute later the machine is another. */
final class Match implements AutoCloseable {
    /** For a run, which should take a second at most. */
    private static final long TIMEOUT_MILLIS = 60_000;

    /** One run: how long it took, CPU time of the mover and of the endpoints, heap allocated, and the route. */
    record Run(long bytes, long nanos, long moverCpu, long endpointsCpu, long allocated, String way) {
        double gigabytesPerSecond() {
            return (double) bytes / nanos;
        }

        /** Seconds per 10⁹ bytes. */
        double cpuPerGigabyte() {
            return (double) moverCpu / bytes;
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
    private final Timer timer = new Timer(true);

    Match(Party endpoints) {
        this.endpoints = endpoints;
    }

    /**
     * Enters the four; or, to compare builds of the library, this one and the others, each {@code NAME=CLASSPATH} of
     * the library and of these benchmarks.
     */
    Match enterAll(List<String> otherBuilds) throws IOException {
        String classPath = System.getProperty("java.class.path");
        enter(Party.java("Sluice", classPath, Mover.class, "sluice"));
        if (otherBuilds.isEmpty()) {
            enter(Party.java("Sluice, copying", classPath, Mover.class, "sluice-copy"));
            enter(Party.java("JDK channels", classPath, Mover.class, "jdk"));
            enter(Party.built("Go io.Copy", Path.of("bench/go/copy.go"), "go", "build"));
        }
        for (String build : otherBuilds) {
            String[] parts = build.split("=", 2);
            enter(Party.java(parts[0], parts[1], Mover.class, "sluice"));
        }
        return this;
    }

    private void enter(Party contender) {
        if (contender != null) {
            contenders.add(contender);
        }
    }

    List<Party> contenders() {
        return contenders;
    }

    Party endpoints() {
        return endpoints;
    }

    /** One run of every contender, in order. */
    List<Run> round(String source, String sink, int chunk, long total) throws IOException {
        List<Run> runs = new ArrayList<>();
        for (Party contender : contenders) {
            runs.add(run(contender, source + " " + sink + " " + chunk + " " + total, total));
        }
        return runs;
    }

    private Run run(Party mover, String stream, long total) throws IOException {
        TimerTask watchdog = new TimerTask() {
            @Override
            public void run() {
                System.err.println(mover.name() + ": no end of " + stream + " after a minute");
                mover.kill();
                endpoints.kill();
            }
        };
        timer.schedule(watchdog, TIMEOUT_MILLIS);
        endpoints.ask(stream);
        String addresses = endpoints.answer("ready");
        long moverCpu = mover.cpuNanos();
        long endpointsCpu = endpoints.cpuNanos();
        mover.ask(addresses);
        String[] moved = mover.answer("done").split(" ", 3);
        long nanos = Long.parseLong(endpoints.answer("done"));
        moverCpu = mover.cpuNanos() - moverCpu;
        endpointsCpu = endpoints.cpuNanos() - endpointsCpu;
        watchdog.cancel();
        if (Long.parseLong(moved[0]) != total) {
            throw new IOException(mover.name() + " says it moved " + moved[0] + " bytes of " + total);
        }
        return new Run(total, nanos, moverCpu, endpointsCpu, Long.parseLong(moved[1]), moved[2]);
    }

    @Override
    public void close() throws IOException {
        timer.cancel();
        for (Party contender : contenders) {
            contender.close();
        }
        endpoints.close();
    }
}
