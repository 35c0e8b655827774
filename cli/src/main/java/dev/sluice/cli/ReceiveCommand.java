package dev.sluice.cli;

import dev.sluice.Pipeline;
import dev.sluice.cli.Platform.Listening;
import dev.sluice.io.Endpoint;
import java.io.IOException;
import java.nio.channels.ByteChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Connection → file. */
@Command(
        name = "receive",
        description = {"Receive into a file.", "Accepts one connection and writes what comes until its end."})
final class ReceiveCommand implements Callable<Integer> {
    @Parameters(index = "0", paramLabel = "LISTEN", description = "Where the stream comes in.")
    private Endpoint listen;

    @Parameters(
            index = "1",
            paramLabel = "FILE",
            description = "Where it goes to. Created; emptied if it exists. '-' for stdout.")
    private Path file;

    @Option(names = "--print-address", description = "Print 'listening ADDRESS' on stdout once ready.")
    private boolean printAddress;

    @Mixin
    private StreamOptions options;

    @Override
    public Integer call() throws Exception {
        options.checkDash(file, options.json || printAddress);
        OneStream stream = new OneStream(options);
        try (Listening _ = stream.listen(listen);
                WritableByteChannel sink = sink(stream.platform())) {
            stream.announce(printAddress);
            Optional<ByteChannel> source = stream.accept();
            return source.isEmpty() ? 0 : stream.end(receive(stream, source.get(), sink), file);
        }
    }

    private WritableByteChannel sink(Platform platform) throws IOException {
        return file.equals(StandardStreams.DASH) ? StandardStreams.output(platform) : platform.create(file);
    }

    private static Report receive(OneStream stream, ByteChannel accepted, WritableByteChannel sink) throws IOException {
        try (ByteChannel source = accepted) {
            Report report = stream.move(Pipeline.from(source), sink);
            if (report.failure() != null) {
                stream.abort(source);
            }
            return report;
        }
    }
}
