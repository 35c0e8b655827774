package dev.sluice.cli;

import java.time.Duration;

/** The processor time of this process, in user and kernel mode. */
final class Cpu {
    private Cpu() {}

    static Duration used() {
        return ProcessHandle.current().info().totalCpuDuration().orElse(Duration.ZERO);
    }

    static double secondsSince(Duration before) {
        return seconds(used().minus(before));
    }

    static double seconds(Duration duration) {
        return duration.toNanos() / 1e9;
    }
}
