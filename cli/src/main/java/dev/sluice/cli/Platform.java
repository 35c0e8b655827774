package dev.sluice.cli;

import dev.sluice.Sluice;
import dev.sluice.io.Capabilities.Finding;
import dev.sluice.io.Endpoint;
import java.io.IOException;
import java.nio.channels.ByteChannel;
import java.nio.channels.Channel;
import java.nio.channels.SeekableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;

/** Where a stream's sockets and files come from: the library's own, or the JDK's where the kernel is out of reach. */
sealed interface Platform permits KernelPlatform, JdkPlatform {

    /** A listener for one of the two. */
    interface Listening extends Channel {
        /** With the port that the kernel chose. */
        Endpoint endpoint();

        /** Waits for a connection; a close by another thread ends the wait with a ClosedChannelException. */
        ByteChannel accept() throws IOException;
    }

    /** The best that this JVM can do. */
    static Platform here() {
        return Sluice.capabilities().findings().stream()
                .filter(finding -> finding.name().equals("native") && !finding.available())
                .map(Finding::detail)
                .findFirst()
                .<Platform>map(JdkPlatform::new)
                .orElseGet(KernelPlatform::new);
    }

    /** Why the kernel's routes can't be taken, or empty when they can. */
    Optional<String> shortfall();

    Listening listen(Endpoint endpoint) throws IOException;

    ByteChannel connect(Endpoint endpoint, Duration timeout) throws IOException;

    SeekableByteChannel open(Path file) throws IOException;

    /** Creates the file, or empties it. */
    WritableByteChannel create(Path file) throws IOException;

    /** Creates the file, or stands at its end. */
    SeekableByteChannel resume(Path file) throws IOException;

    /** Tells the peer that the stream ends here. */
    void endOutput(ByteChannel socket) throws IOException;

    /** How many bytes (a FIN counts as one) the peer has not acknowledged; 0 where nobody can tell. */
    int unacknowledged(ByteChannel socket) throws IOException;

    /** Closes a connection so that the peer does not take what it got for the whole stream. */
    void abort(ByteChannel socket) throws IOException;
}
