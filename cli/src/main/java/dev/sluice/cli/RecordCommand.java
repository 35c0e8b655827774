package dev.sluice.cli;

import dev.sluice.MirrorFailure;
import dev.sluice.Pipeline;
import dev.sluice.cli.Platform.Listening;
import dev.sluice.io.Endpoint;
import java.nio.channels.ByteChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

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

    @Parameters(index = "2", paramLabel = "FILE", description = "Where it is recorded. Created; emptied if it exists.")
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
            names = "--connect-timeout",
            paramLabel = "TIME",
            defaultValue = "10s",
            description = "How long to wait for the target (10s).")
    private Duration connectTimeout;

    @Mixin
    private StreamOptions options;

    @Override
    public Integer call() throws Exception {
        OneStream stream = new OneStream(options);
        // Listening first: a file is not emptied for a command that can't start.
        try (Listening _ = stream.listen(listen);
                WritableByteChannel recording = stream.platform().create(file)) {
            stream.announce(printAddress);
            Optional<ByteChannel> source = stream.accept();
            return source.isEmpty() ? 0 : stream.end(record(stream, source.get(), recording), file);
        }
    }

    private Report record(OneStream stream, ByteChannel accepted, WritableByteChannel recording) throws Exception {
        try (ByteChannel source = accepted;
                ByteChannel sink = stream.connect(target, connectTimeout)) {
            Pipeline pipeline = Pipeline.from(source).mirror(recording, onMirrorFailure);
            Report report = stream.moveAndDeliver(pipeline, sink, target);
            if (report.failure() != null) {
                stream.abort(source, sink);
            }
            return report;
        }
    }
}
