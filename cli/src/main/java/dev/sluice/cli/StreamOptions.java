package dev.sluice.cli;

import java.nio.file.Path;
import java.time.Duration;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The options of the commands that move one stream. */
final class StreamOptions {
    @Spec(Spec.Target.MIXEE)
    private CommandSpec command;

    @Option(names = "--json", description = "Report as one JSON object on stdout.")
    boolean json;

    @Option(
            names = "--route",
            paramLabel = "auto|splice|copy",
            defaultValue = "auto",
            description = "Take this route where it is possible, to test and to compare.")
    RouteChoice route;

    @Option(
            names = "--drain-timeout",
            paramLabel = "TIME",
            defaultValue = "30s",
            description = "After SIGTERM or SIGINT, let the stream go on for this long (30s).")
    Duration drainTimeout;

    @Option(names = "--sha256", description = "Compute the SHA-256 of the file afterwards, and report it.")
    boolean sha256;

    /** Some options need a file, which a pipe or a terminal may not be. */
    void checkFile(Path file, String option, boolean given) {
        if (given && file.equals(StandardStreams.DASH)) {
            throw new ParameterException(command.commandLine(), option + " needs a file, not '-'");
        }
    }

    /** Stdout carries one thing, and SHA-256 needs a file that can be read again. */
    void checkDash(Path file, boolean stdoutIsTaken) {
        if (!file.equals(StandardStreams.DASH)) {
            return;
        }
        checkFile(file, "--sha256", sha256);
        if (stdoutIsTaken) {
            throw new ParameterException(
                    command.commandLine(),
                    "stdout carries the data: neither --json nor" + " --print-address can use it too");
        }
    }
}
