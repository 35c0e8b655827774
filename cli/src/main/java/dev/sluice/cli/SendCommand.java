package dev.sluice.cli;

import dev.sluice.Pipeline;
import dev.sluice.io.Endpoint;
import java.nio.channels.ByteChannel;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** File → target. */
@Command(
        name = "send",
        description = {
            "Send a file.",
            "Returns when the target has acknowledged everything. Its bytes go out by reference: do not change the file"
                    + " meanwhile, or take --route copy."
        })
final class SendCommand implements Callable<Integer> {
    @Parameters(index = "0", paramLabel = "FILE", description = "What to send; '-' for stdin.")
    private Path file;

    @Parameters(index = "1", paramLabel = "TARGET", description = "Where it goes to.")
    private Endpoint target;

    @Option(
            names = "--offset",
            paramLabel = "N",
            converter = Units.Size.class,
            description = "Begin at this byte of the file: where 'receive --resume' says that it goes on.")
    private Long offset;

    @Option(
            names = "--length",
            paramLabel = "N",
            converter = Units.Size.class,
            description = "Send at most so many bytes.")
    private long length = Long.MAX_VALUE;

    @Option(
            names = "--connect-timeout",
            paramLabel = "TIME",
            defaultValue = "10s",
            description = "How long to wait for the target (10s).")
    private Duration connectTimeout;

    @Mixin
    private StreamOptions options;

    @Override
    public Integer call() throws Exception {
        options.checkDash(file, false);
        options.checkFile(file, "--offset", offset != null);
        OneStream stream = new OneStream(options);
        try (ReadableByteChannel source = source(stream.platform());
                ByteChannel sink = stream.connect(target, connectTimeout)) {
            Report report = stream.moveAndDeliver(Pipeline.from(source).limit(length), sink, target);
            if (report.failure() != null) {
                stream.abort(sink);
            }
            return stream.end(offset == null ? report : report.from(offset), file);
        }
    }

    private ReadableByteChannel source(Platform platform) throws Exception {
        if (file.equals(StandardStreams.DASH)) {
            return StandardStreams.input(platform);
        }
        SeekableByteChannel source = platform.open(file);
        try {
            return offset == null ? source : source.position(checked(source.size()));
        } catch (Exception e) {
            source.close();
            throw e;
        }
    }

    /** The offset, if the file is as long as that; devices say that they have no length. */
    private long checked(long size) throws Failure {
        if (offset > size && Files.isRegularFile(file)) {
            throw new Failure(
                    Failure.FAILED,
                    file + ": offset " + offset + " is beyond the end, which is at " + size
                            + "; is this the file that was begun?",
                    null);
        }
        return offset;
    }
}
