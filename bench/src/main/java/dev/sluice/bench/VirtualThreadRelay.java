package dev.sluice.bench;

import dev.sluice.Sluice;
import dev.sluice.io.Endpoint;
import dev.sluice.io.Route;
import dev.sluice.net.StreamListener;
import dev.sluice.net.StreamSocket;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;

/**
 * {@code WAY LISTEN_PORT TARGET_PORT}: a TCP relay as an application writes it, a virtual thread per connection that calls
 * Sluice.join; or the same with what the JDK has, two virtual threads per connection that copy.
 */
public final class VirtualThreadRelay {
    private interface Way {
        void serve(int listenPort, int targetPort) throws IOException;
    }

    private VirtualThreadRelay() {}

    public static void main(String[] args) throws IOException {
        Way way = switch (args[0]) {
            case "sluice" -> (listenPort, targetPort) -> join(listenPort, targetPort, null);
            case "sluice-copy" -> (listenPort, targetPort) -> join(listenPort, targetPort, Route.COPY);
            case "jdk" -> VirtualThreadRelay::copy;
            default -> throw new IllegalArgumentException(args[0]);
        };
        way.serve(Integer.parseInt(args[1]), Integer.parseInt(args[2]));
    }

    private static void join(int listenPort, int targetPort, Route route) throws IOException {
        Endpoint target = Endpoint.parse("127.0.0.1:" + targetPort);
        try (StreamListener listener = StreamListener.listen(Endpoint.parse("127.0.0.1:" + listenPort))) {
            while (true) {
                StreamSocket accepted = listener.accept();
                Thread.startVirtualThread(() -> {
                    try (accepted;
                            StreamSocket connected = StreamSocket.connect(target)) {
                        accepted.noDelay(true);
                        connected.noDelay(true);
                        if (route == null) {
                            Sluice.join(accepted, connected);
                        } else {
                            Sluice.join(accepted, connected, route);
                        }
                    } catch (IOException e) {
                        System.err.println(e.getMessage());
                    }
                });
            }
        }
    }

    private static void copy(int listenPort, int targetPort) throws IOException {
        InetAddress loopback = InetAddress.getLoopbackAddress();
        InetSocketAddress target = new InetSocketAddress(loopback, targetPort);
        try (ServerSocketChannel listener = ServerSocketChannel.open()) {
            listener.bind(new InetSocketAddress(loopback, listenPort), 4096);
            while (true) {
                SocketChannel accepted = listener.accept();
                Thread.startVirtualThread(() -> {
                    try (accepted;
                            SocketChannel connected = SocketChannel.open(target)) {
                        accepted.setOption(StandardSocketOptions.TCP_NODELAY, true);
                        connected.setOption(StandardSocketOptions.TCP_NODELAY, true);
                        Thread back = Thread.startVirtualThread(() -> copy(connected, accepted));
                        copy(accepted, connected);
                        back.join();
                    } catch (IOException e) {
                        System.err.println(e.getMessage());
                    } catch (InterruptedException e) {
                        Thread.currentThread().interrupt();
                    }
                });
            }
        }
    }

    private static void copy(SocketChannel source, SocketChannel sink) {
        ByteBuffer buffer = ByteBuffer.allocateDirect(64 * 1024);
        try {
            while (source.read(buffer) >= 0) {
                buffer.flip();
                while (buffer.hasRemaining()) {
                    sink.write(buffer);
                }
                buffer.clear();
            }
            sink.shutdownOutput();
        } catch (IOException e) {
            System.err.println(e.getMessage());
        }
    }
}
