package dev.sluice.cli;

import dev.sluice.file.KernelFile;
import dev.sluice.io.Endpoint;
import dev.sluice.net.StreamListener;
import dev.sluice.net.StreamSocket;
import java.io.IOException;
import java.nio.channels.ByteChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Optional;

/** The library's own sockets and files. */
final class KernelPlatform implements Platform {

    private record Listener(StreamListener listener) implements Listening {
        @Override
        public Endpoint endpoint() {
            return listener.endpoint();
        }

        @Override
        public ByteChannel accept() throws IOException {
            return tuned(listener.accept());
        }

        @Override
        public boolean isOpen() {
            return listener.isOpen();
        }

        @Override
        public void close() {
            listener.close();
        }
    }

    private static StreamSocket tuned(StreamSocket socket) throws IOException {
        return socket.noDelay(true).keepAlive(true);
    }

    @Override
    public Optional<String> shortfall() {
        return Optional.empty();
    }

    @Override
    public Listening listen(Endpoint endpoint) throws IOException {
        return new Listener(StreamListener.listen(endpoint));
    }

    @Override
    public StreamSocket connect(Endpoint endpoint, Duration timeout) throws IOException {
        return tuned(StreamSocket.connect(endpoint, timeout));
    }

    @Override
    public KernelFile open(Path file) throws IOException {
        return KernelFile.open(file, StandardOpenOption.READ);
    }

    @Override
    public KernelFile create(Path file) throws IOException {
        return KernelFile.open(
                file, StandardOpenOption.CREATE, StandardOpenOption.WRITE, StandardOpenOption.TRUNCATE_EXISTING);
    }

    @Override
    public KernelFile resume(Path file) throws IOException {
        // Without APPEND, which would rule the kernel's route out.
        KernelFile opened = KernelFile.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        try {
            return opened.position(opened.size());
        } catch (IOException e) {
            opened.close();
            throw e;
        }
    }

    @Override
    public void endOutput(ByteChannel socket) throws IOException {
        ((StreamSocket) socket).shutdownOutput();
    }

    @Override
    public int unacknowledged(ByteChannel socket) throws IOException {
        return ((StreamSocket) socket).unacknowledged();
    }

    @Override
    public void abort(ByteChannel socket) {
        ((StreamSocket) socket).abort();
    }
}
