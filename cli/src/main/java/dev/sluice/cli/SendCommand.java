package dev.sluice.cli;

import dev.sluice.Pipeline;
import dev.sluice.io.Endpoint;
import java.io.IOException;
import java.nio.channels.ByteChannel;
import java.nio.channels.ReadableByteChannel;
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
                    + " meanwhile."
        })
final class SendCommand implements Callable<Integer> {
    @Parameters(index = "0", paramLabel = "FILE", description = "What to send; '-' for stdin.")
    private Path file;

    @Parameters(index = "1", paramLabel = "TARGET", description = "Where it goes to.")
    private Endpoint target;

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
        OneStream stream = new OneStream(options);
        try (ReadableByteChannel source = source(stream.platform());
                ByteChannel sink = stream.connect(target, connectTimeout)) {
            Report report = stream.moveAndDeliver(Pipeline.from(source), sink, target);
            if (report.failure() != null) {
                stream.abort(sink);
            }
            return stream.end(report, file);
        }
    }

    private ReadableByteChannel source(Platform platform) throws IOException {
        return file.equals(StandardStreams.DASH) ? StandardStreams.input(platform) : platform.open(file);
    }
}
