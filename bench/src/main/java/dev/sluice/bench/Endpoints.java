package dev.sluice.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.FutureTask;

/**
 * The two ends of a stream: a client that writes chunks, and a server that reads chunks of the same size.
 *
 * <p>Each line of the standard input, {@code KIND KIND CHUNK TOTAL} with the kinds {@code tcp} and {@code unix}, is
 * answered by {@code ready SOURCE SINK}, two addresses to connect to, and at the end of the stream by {@code done
 * NANOSECONDS}.
 */
public final class Endpoints {
    private Endpoints() {}

    public static void main(String[] args) throws Exception {
        System.out.println("hello JDK channels on platform threads");
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = lines.readLine()) != null; ) {
            String[] words = line.split(" ");
            System.out.println("done " + run(words[0], words[1], Integer.parseInt(words[2]), Long.parseLong(words[3])));
        }
    }

    private static long run(String sourceKind, String sinkKind, int chunk, long total) throws Exception {
        SocketChannel client;
        SocketChannel server;
        try (ServerSocketChannel source = listen(sourceKind);
                ServerSocketChannel sink = listen(sinkKind)) {
            System.out.println("ready " + address(source) + " " + address(sink));
            client = accept(source);
            server = accept(sink);
        }
        long start = System.nanoTime();
        FutureTask<Void> writer = new FutureTask<>(() -> write(client, chunk, total), null);
        Thread.ofPlatform().daemon().start(writer);
        long received = read(server, chunk);
        long nanos = System.nanoTime() - start;
        writer.get();
        if (received != total) {
            throw new IOException("received " + received + " bytes of " + total);
        }
        return nanos;
    }

    private static void write(SocketChannel client, int chunk, long total) {
        try (client) {
            ByteBuffer buffer = ByteBuffer.allocateDirect(chunk);
            for (long sent = 0; sent < total; sent += chunk) {
                buffer.clear();
                while (buffer.hasRemaining()) {
                    client.write(buffer);
                }
            }
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private static long read(SocketChannel server, int chunk) throws IOException {
        long received = 0;
        try (server) {
            ByteBuffer buffer = ByteBuffer.allocateDirect(chunk);
            for (int count; (count = server.read(buffer.clear())) >= 0; ) {
                received += count;
            }
        }
        return received;
    }

    private static ServerSocketChannel listen(String kind) throws IOException {
        if (kind.equals("tcp")) {
            InetSocketAddress any = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
            return ServerSocketChannel.open().bind(any);
        }
        Path path = Files.createTempFile("sluice-bench", ".sock");
        Files.delete(path);
        return ServerSocketChannel.open(StandardProtocolFamily.UNIX).bind(UnixDomainSocketAddress.of(path));
    }

    private static SocketChannel accept(ServerSocketChannel listener) throws IOException {
        SocketChannel channel = listener.accept();
        if (listener.getLocalAddress() instanceof UnixDomainSocketAddress unix) {
            Files.delete(unix.getPath());
        }
        return channel;
    }

    private static String address(ServerSocketChannel listener) throws IOException {
        SocketAddress address = listener.getLocalAddress();
        return address instanceof InetSocketAddress inet
                ? "tcp:" + inet.getAddress().getHostAddress() + ":" + inet.getPort()
                : "unix:" + address;
    }
}
