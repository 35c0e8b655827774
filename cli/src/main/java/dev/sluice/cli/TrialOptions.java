package dev.sluice.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The options of the commands that try out the recipes on this machine. */
final class TrialOptions {
    /** What the file system should have left when we are done with it. */
    private static final long MARGIN = 64L << 20;

    private static final long SMALLEST = 1L << 20;

    @Spec(Spec.Target.MIXEE)
    private CommandSpec command;

    @Option(names = "--rounds", defaultValue = "2", description = "Runs of each, of which medians are shown (2).")
    int rounds;

    @Option(names = "--directory", description = "Where the file is made, and deleted afterwards.")
    private Path directory = Path.of(System.getProperty("java.io.tmpdir"));

    @Option(names = "--json", description = "Report as one JSON object on stdout.")
    boolean json;

    Studio studio() throws IOException {
        return Studio.open(directory);
    }

    /** The size that was asked for, or as much of it as the file system has room for. */
    long fitting(long size) throws Failure, IOException {
        if (size < SMALLEST || rounds < 1) {
            throw new ParameterException(
                    command.commandLine(), "too small to tell anything; --size is at least 1m, --rounds at least 1");
        }
        if (!Files.isDirectory(directory)) {
            throw failure("no such directory");
        }
        long room = (Files.getFileStore(directory).getUsableSpace() - MARGIN) / SMALLEST * SMALLEST;
        if (room < SMALLEST) {
            throw failure("no room for a recording");
        }
        if (size > room) {
            Console.say(directory + " has room for no more than " + Units.bytes(room) + ": taking that as the size");
        }
        return Math.min(size, room);
    }

    private Failure failure(String what) {
        return new Failure(Failure.FAILED, directory + ": " + what + "; name another one with --directory", null);
    }
}
