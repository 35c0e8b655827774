package dev.sluice.cli;

import dev.sluice.cli.demo.Peers;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Where trials take place: the peers in their child JVM, and a directory of our own that is gone afterwards. */
final class Studio implements AutoCloseable {
    private final Platform platform = Platform.here();
    private final Path directory;
    private final Path file;
    private final Peers peers;

    private Studio(Path parent) throws IOException {
        directory = Files.createTempDirectory(parent, "sluice-");
        file = directory.resolve("recording");
        // In this order: they are deleted from the last to the first, should a signal end us.
        directory.toFile().deleteOnExit();
        file.toFile().deleteOnExit();
        peers = Peers.start(Main.class, DemoPeersCommand.NAME);
    }

    static Studio open(Path parent) throws IOException {
        return new Studio(parent);
    }

    Platform platform() {
        return platform;
    }

    Peers peers() {
        return peers;
    }

    Path file() {
        return file;
    }

    Trial trial(long size) {
        return new Trial(platform, peers, file, size);
    }

    @Override
    public void close() throws IOException {
        peers.close();
        Files.deleteIfExists(file);
        Files.deleteIfExists(directory);
    }
}
