package dev.sluice.cli.blackbox;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;

/** Sends everything back, to everybody who connects. */
final class Echo {
    private static final int CHUNK = 16 * 1024;

    private Echo() {}

    /** Serves until the listener is closed. */
    static void serve(ServerSocketChannel listener) {
        Thread.ofVirtual().start(() -> {
            try {
                while (true) {
                    SocketChannel accepted = listener.accept();
                    Thread.ofVirtual().start(() -> echo(accepted));
                }
            } catch (IOException e) {
                // Closed.
            }
        });
    }

    private static void echo(SocketChannel accepted) {
        try (accepted) {
            ByteBuffer chunk = ByteBuffer.allocate(CHUNK);
            while (accepted.read(chunk.clear()) >= 0) {
                chunk.flip();
                while (chunk.hasRemaining()) {
                    accepted.write(chunk);
                }
            }
        } catch (IOException e) {
            // It was reset, which is for the client to judge.
        }
    }

    /** Sends so many bytes, ends, and checks what comes back. */
    static void use(SocketChannel connected, int bytes) throws Exception {
        Seeded stream = new Seeded(bytes);
        try (Peer peer = new Peer(connected, stream, stream)) {
            Parallel.run(
                    () -> {
                        peer.send(bytes);
                        peer.fin();
                    },
                    () -> peer.receive(bytes));
            if (peer.drain() != Peer.Ending.FIN || peer.received() != bytes) {
                throw new IOException("no clean end behind the echo");
            }
        }
    }
}
