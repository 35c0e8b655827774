package dev.sluice.cli;

import dev.sluice.Pipeline;
import dev.sluice.cli.Platform.Listening;
import dev.sluice.cli.demo.Peers;
import dev.sluice.cli.demo.Viewing;
import dev.sluice.io.Endpoint;
import dev.sluice.io.TransferResult;
import java.io.IOException;
import java.nio.channels.ByteChannel;
import java.nio.channels.FileChannel;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;

/**
 * Runs recipes between a camera and a viewer, and checks every byte wherever it arrives.
 *
 * @param file what is recorded or sent
 * @param size the bytes of each run
 */
record Trial(Platform platform, Peers peers, Path file, long size) {
    private static final Endpoint LOOPBACK = new Endpoint.Tcp("127.0.0.1", 0);
    private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(10);

    /**
     * One run.
     *
     * @param cpuSeconds of this process while the bytes were moved
     * @param fault what was wrong with the bytes that arrived, or an empty string
     */
    record Run(TransferResult result, double cpuSeconds, String fault) {}

    Trial withSize(long other) {
        return new Trial(platform, peers, file, other);
    }

    Run run(Recipe recipe, RouteChoice route) throws IOException {
        Run moved = move(recipe, route);
        String fault = recipe.viewed() ? fault("client", peers.viewing()) : "";
        if (recipe.recorded()) {
            fault += fault("recording", recording());
        }
        return new Run(moved.result, moved.cpuSeconds, fault);
    }

    private Run move(Recipe recipe, RouteChoice route) throws IOException {
        try (ReadableByteChannel source = recipe.filmed() ? camera() : platform.open(file);
                ByteChannel viewer = recipe.viewed() ? viewer() : null;
                WritableByteChannel recording = recipe.recorded() ? newRecording() : null) {
            Pipeline pipeline = route.on(Pipeline.from(source));
            if (recording != null && viewer != null) {
                pipeline.mirror(recording);
            }
            Duration before = Cpu.used();
            TransferResult result = pipeline.to(viewer != null ? viewer : recording);
            return new Run(result, Cpu.secondsSince(before), "");
        }
    }

    /** The camera connects to us, as a real one would. */
    private ByteChannel camera() throws IOException {
        try (Listening listening = platform.listen(LOOPBACK)) {
            peers.film(((Endpoint.Tcp) listening.endpoint()).port(), size);
            return listening.accept();
        }
    }

    private ByteChannel viewer() throws IOException {
        return platform.connect(new Endpoint.Tcp("127.0.0.1", peers.viewerPort()), CONNECT_TIMEOUT);
    }

    /** A new file each time: overwriting pages that the kernel still has to write out would cost the later runs more. */
    private WritableByteChannel newRecording() throws IOException {
        Files.deleteIfExists(file);
        return platform.create(file);
    }

    private Viewing recording() throws IOException {
        try (FileChannel channel = FileChannel.open(file)) {
            return Viewing.of(channel);
        }
    }

    private String fault(String where, Viewing seen) {
        if (seen.fault() >= 0) {
            return where + ": byte " + seen.fault() + " is wrong. ";
        }
        return seen.bytes() == size ? "" : where + ": " + seen.bytes() + " of " + size + " bytes arrived. ";
    }
}
