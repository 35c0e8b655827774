package dev.sluice.relay;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * How many connections a relay serves at a time. Each takes two descriptors and those of its copies, and without one left nothing works any more,
 * not even a look at what went wrong; so the relay stops short of the limit, and whoever comes then waits in the backlog.
 */
final class Capacity {
    /** For pipes that carry bytes, two descriptors each, and for the process itself. */
    private static final int RESERVE = 160;

    private final long limit = descriptorLimit();
    private final long free = limit - openDescriptors();
    private final AtomicBoolean warned = new AtomicBoolean();
    private volatile int possible;
    private volatile int connections;

    Capacity(RelayConfig config) {
        want(config);
    }

    /** From now on as this configuration has it. */
    void want(RelayConfig config) {
        int wanted = config.maxConnections();
        long left = free - Math.min(RESERVE, free / 2);
        possible = Math.clamp(left / config.descriptorsPerConnection(), 1, Integer.MAX_VALUE);
        connections = wanted > 0 ? Math.min(wanted, possible) : possible;
    }

    int connections() {
        return connections;
    }

    /** The first time that somebody has to wait. */
    void warn(System.Logger log) {
        if (warned.compareAndSet(false, true)) {
            String why = connections < possible
                    ? "the maximum that was asked for"
                    : "what a limit of " + limit + " descriptors allows; raise it with ulimit -n or LimitNOFILE=";
            log.log(
                    System.Logger.Level.WARNING,
                    "{0} connections are alive, others wait to be accepted: this is {1}",
                    String.valueOf(connections),
                    why);
        }
    }

    private static long descriptorLimit() {
        try {
            for (String line : Files.readAllLines(Path.of("/proc/self/limits"))) {
                if (line.startsWith("Max open files")) {
                    return Long.parseLong(
                            line.substring("Max open files".length()).strip().split(" +")[0]);
                }
            }
        } catch (IOException | NumberFormatException e) {
            // Unlimited, or no /proc: then the kernel says when it is enough.
        }
        return Integer.MAX_VALUE;
    }

    private static int openDescriptors() {
        String[] open = new File("/proc/self/fd").list();
        return open == null ? 0 : open.length;
    }
}
