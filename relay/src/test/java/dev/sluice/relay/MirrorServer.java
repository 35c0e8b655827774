package dev.sluice.relay;

import dev.sluice.io.Endpoint;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** A mirror target on plain sockets of the JDK: keeps what it is given, and how each connection ended. */
final class MirrorServer implements AutoCloseable {
    /** @param whole whether it ended with FIN, not with a reset */
    record Copy(byte[] bytes, boolean whole) {}

    /** What a mirror target does with a connection. */
    interface Behaviour {
        void serve(Socket socket) throws Exception;
    }

    final ServerSocket server = new ServerSocket(0, 512, InetAddress.getLoopbackAddress());
    private final Thread accepting;
    private final BlockingQueue<Copy> copies = new LinkedBlockingQueue<>();

    /** Reads everything. */
    MirrorServer() throws IOException {
        this(null);
    }

    MirrorServer(Behaviour behaviour) throws IOException {
        accepting = Thread.ofVirtual().start(() -> accept(behaviour == null ? this::readAll : behaviour));
    }

    private void accept(Behaviour behaviour) {
        try {
            while (true) {
                Socket socket = server.accept();
                Thread.ofVirtual().start(() -> serve(behaviour, socket));
            }
        } catch (IOException e) {
            // It was closed.
        }
    }

    private static void serve(Behaviour behaviour, Socket socket) {
        try (socket) {
            behaviour.serve(socket);
        } catch (Exception e) {
            // The test sees by what it gets.
        }
    }

    void readAll(Socket socket) {
        readAll(socket, new byte[0]);
    }

    /** The rest of a stream that has begun with these bytes. */
    void readAll(Socket socket, byte[] begun) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        bytes.writeBytes(begun);
        byte[] buffer = new byte[64 * 1024];
        try {
            InputStream in = socket.getInputStream();
            for (int count = in.read(buffer); count >= 0; count = in.read(buffer)) {
                bytes.write(buffer, 0, count);
            }
            copies.add(new Copy(bytes.toByteArray(), true));
        } catch (IOException e) {
            copies.add(new Copy(bytes.toByteArray(), false));
        }
    }

    Endpoint address() {
        return RelayFixture.address(server);
    }

    /** The next one that has ended. */
    Copy copy() throws InterruptedException {
        Copy copy = copies.poll(20, TimeUnit.SECONDS);
        if (copy == null) {
            throw new AssertionError("no copy has ended");
        }
        return copy;
    }

    /** Null if none has ended. */
    Copy next() {
        return copies.poll();
    }

    /** Whoever connects after this is refused. */
    @Override
    public void close() throws IOException, InterruptedException {
        server.close();
        accepting.join();
    }
}
