package dev.sluice.cli;

import dev.sluice.MirrorFailure;
import dev.sluice.MirrorPolicy;
import dev.sluice.Pipeline;
import dev.sluice.SlowMirror;
import dev.sluice.cli.Platform.Listening;
import dev.sluice.file.Recording;
import dev.sluice.file.Recording.Rotation;
import dev.sluice.io.Endpoint;
import java.io.IOException;
import java.nio.channels.ByteChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Camera → server → client + file. */
@Command(
        name = "record",
        description = {
            "Forward one stream and record it on the way.",
            "Accepts one connection, connects to the target, and gives both the target and the file every byte."
                    + " One direction only: what the target sends back is discarded."
        })
final class RecordCommand implements Callable<Integer> {
    @Parameters(index = "0", paramLabel = "LISTEN", description = "Where the stream comes in.")
    private Endpoint listen;

    @Parameters(index = "1", paramLabel = "TARGET", description = "Where it goes to.")
    private Endpoint target;

    @Parameters(
            index = "2",
            paramLabel = "FILE",
            description = {
                "Where it is recorded. Created; emptied if it exists.",
                "With --rotate-size, --rotate-time or --on-slow drop: FILE.000001 and so on, and FILE.index."
            })
    private Path file;

    @Option(names = "--print-address", description = "Print 'listening ADDRESS' on stdout once ready.")
    private boolean printAddress;

    @Option(
            names = "--on-mirror-failure",
            paramLabel = "fail|detach",
            defaultValue = "fail",
            description = "When the file can't be written: fail, or go on forwarding without it (fail).")
    private MirrorFailure onMirrorFailure;

    @Option(
            names = "--on-slow",
            paramLabel = "block|detach|drop",
            defaultValue = "block",
            description = {
                "When the disk holds the stream up for longer than --patience: wait for it all the same,",
                "go on without it, or leave a gap and mark it in the index (block)."
            })
    private SlowMirror onSlow;

    @Option(
            names = "--patience",
            paramLabel = "TIME",
            defaultValue = "1s",
            description = "How long the disk may hold the stream up, with --on-slow detach or drop (1s).")
    private Duration patience;

    @Option(
            names = "--rotate-size",
            paramLabel = "SIZE",
            defaultValue = "0",
            converter = Units.Size.class,
            description = "Go on in the next file after so many bytes.")
    private long rotateSize;

    @Option(
            names = "--rotate-time",
            paramLabel = "TIME",
            defaultValue = "0s",
            description = "Go on in the next file after so much time, when bytes come.")
    private Duration rotateTime;

    @Option(
            names = "--connect-timeout",
            paramLabel = "TIME",
            defaultValue = "10s",
            description = "How long to wait for the target (10s).")
    private Duration connectTimeout;

    @Mixin
    private StreamOptions options;

    @Spec
    private CommandSpec command;

    @Override
    public Integer call() throws Exception {
        if (indexed() && options.sha256) {
            throw new ParameterException(command.commandLine(), "--sha256 needs one file, not a recording in parts");
        }
        OneStream stream = new OneStream(options);
        // Listening first: a file is not emptied for a command that can't start.
        try (Listening _ = stream.listen(listen);
                WritableByteChannel recording = open(stream.platform())) {
            stream.announce(printAddress);
            Optional<ByteChannel> source = stream.accept();
            return source.isEmpty() ? 0 : stream.end(record(stream, source.get(), recording), file);
        }
    }

    /** Whether the stream goes into a recording rather than a plain file. */
    private boolean indexed() {
        return rotateSize > 0 || rotateTime.isPositive() || onSlow == SlowMirror.DROP;
    }

    private WritableByteChannel open(Platform platform) throws IOException {
        if (!indexed()) {
            return platform.create(file);
        }
        Path whole = file.toAbsolutePath();
        return Recording.open(whole.getParent(), whole.getFileName().toString(), new Rotation(rotateSize, rotateTime));
    }

    private Report record(OneStream stream, ByteChannel accepted, WritableByteChannel recording) throws Exception {
        try (ByteChannel source = accepted;
                ByteChannel sink = stream.connect(target, connectTimeout)) {
            Pipeline pipeline =
                    Pipeline.from(source).mirror(recording, new MirrorPolicy(onMirrorFailure, onSlow, patience));
            Report report = stream.moveAndDeliver(pipeline, sink, target);
            if (report.failure() != null) {
                stream.abort(source, sink);
            }
            return report;
        }
    }
}
