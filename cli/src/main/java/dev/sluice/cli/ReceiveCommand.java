package dev.sluice.cli;

import dev.sluice.Pipeline;
import dev.sluice.cli.Platform.Listening;
import dev.sluice.io.Endpoint;
import java.io.IOException;
import java.nio.channels.ByteChannel;
import java.nio.channels.SeekableByteChannel;
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
            description = "Where it goes to. Created; emptied if it exists, without --resume. '-' for stdout.")
    private Path file;

    @Option(
            names = "--resume",
            description = "Go on at the end of the file, and say where that is: the sender gives it as its --offset.")
    private boolean resume;

    @Option(names = "--print-address", description = "Print 'listening ADDRESS' on stdout once ready.")
    private boolean printAddress;

    @Mixin
    private StreamOptions options;

    @Override
    public Integer call() throws Exception {
        options.checkDash(file, options.json || printAddress);
        options.checkFile(file, "--resume", resume);
        OneStream stream = new OneStream(options);
        try (Listening _ = stream.listen(listen);
                WritableByteChannel sink = sink(stream.platform())) {
            long begin = resume ? ((SeekableByteChannel) sink).position() : 0;
            if (resume) {
                Console.say(file + ": goes on at offset " + begin);
            }
            stream.announce(printAddress);
            Optional<ByteChannel> source = stream.accept();
            if (source.isEmpty()) {
                return 0;
            }
            Report report = receive(stream, source.get(), sink);
            return stream.end(resume ? report.from(begin) : report, file);
        }
    }

    private WritableByteChannel sink(Platform platform) throws IOException {
        if (file.equals(StandardStreams.DASH)) {
            return StandardStreams.output(platform);
        }
        return resume ? platform.resume(file) : platform.create(file);
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
