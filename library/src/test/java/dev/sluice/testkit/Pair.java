package dev.sluice.testkit;

import dev.sluice.io.Endpoint;
import dev.sluice.net.StreamListener;
import dev.sluice.net.StreamSocket;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Two connected sockets of the library over the real kernel: what is written to one is read from the other. */
public record Pair(StreamSocket near, StreamSocket far) implements AutoCloseable {

    /** The kinds of stream sockets there are. */
    public enum Kind {
        TCP,
        TCP6,
        UNIX,
        ABSTRACT
    }

    /** Makes a connected pair. */
    public static Pair open(Kind kind) throws IOException {
        return open(kind, Means.READINESS);
    }

    /** Makes a connected pair that waits by these means. */
    public static Pair open(Kind kind, Means means) throws IOException {
        Path directory = kind == Kind.UNIX ? Files.createTempDirectory("sluice-pair") : null;
        Endpoint address = switch (kind) {
            case TCP -> new Endpoint.Tcp("127.0.0.1", 0);
            case TCP6 -> new Endpoint.Tcp("::1", 0);
            case UNIX -> new Endpoint.Unix(directory.resolve("socket").toString());
            case ABSTRACT -> new Endpoint.Abstract("sluice-" + System.nanoTime());
        };
        try (StreamListener listener = means.listen(address)) {
            StreamSocket near = means.connect(listener.endpoint());
            return new Pair(near, listener.accept());
        } finally {
            if (directory != null) {
                Files.deleteIfExists(directory);
            }
        }
    }

    @Override
    public void close() {
        near.close();
        far.close();
    }
}
