package dev.sluice.testkit;

import dev.sluice.io.Endpoint;
import dev.sluice.loop.DescriptorStream;
import dev.sluice.loop.SocketStream;
import dev.sluice.net.StreamListener;
import dev.sluice.net.StreamSocket;
import dev.sluice.ring.SharedRing;
import java.io.IOException;
import java.time.Duration;
import org.junit.jupiter.api.Assumptions;

/** What the sockets of the library wait by. Their contract is one, so its tests run over each. */
public enum Means {
    READINESS,
    RING;

    /** Itself, for the tests to begin with: without a ring they would be about readiness once more, so they are skipped. */
    public Means orSkip() throws IOException {
        String reason = this == RING ? SharedRing.shared().reason() : null;
        Assumptions.assumeTrue(reason == null, reason);
        return this;
    }

    public StreamListener listen(Endpoint endpoint) throws IOException {
        return StreamListener.listen(endpoint, sockets());
    }

    public StreamSocket connect(Endpoint endpoint) throws IOException {
        return connect(endpoint, Duration.ZERO);
    }

    public StreamSocket connect(Endpoint endpoint, Duration timeout) throws IOException {
        return StreamSocket.connect(endpoint, timeout, sockets());
    }

    private SocketStream.Factory sockets() throws IOException {
        return this == RING ? SharedRing.shared().sockets() : DescriptorStream::new;
    }
}
