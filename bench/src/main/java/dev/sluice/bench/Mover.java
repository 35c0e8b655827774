package dev.sluice.bench;

import dev.sluice.Pipeline;
import dev.sluice.io.Endpoint;
import dev.sluice.io.Route;
import dev.sluice.io.TransferResult;
import dev.sluice.net.StreamSocket;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.util.concurrent.Callable;
import java.util.concurrent.FutureTask;

/**
 * The process between the endpoints, whose CPU time is measured. Moves one stream per line of its standard input,
 * {@code SOURCE SINK}, from the one address to the other, and answers {@code done BYTES ALLOCATED WAY}.
 */
public final class Mover {
    /** Bytes moved, and how. */
    private record Moved(long bytes, String way) {}

    private interface Way {
        Moved move(Endpoint source, Endpoint sink) throws Exception;
    }

    private Mover() {}

    public static void main(String[] args) throws Exception {
        Way way = switch (args[0]) {
            case "sluice" -> (source, sink) -> transfer(source, sink, null);
            case "sluice-copy" -> (source, sink) -> transfer(source, sink, Route.COPY);
            case "jdk" -> (source, sink) -> onVirtualThread(() -> copy(source, sink));
            default -> throw new IllegalArgumentException(args[0]);
        };
        var threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
        System.out.println("hello Java " + Runtime.version());
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = lines.readLine()) != null; ) {
            long before = threads.getTotalThreadAllocatedBytes();
            String[] addresses = line.split(" ");
            Moved moved = way.move(Endpoint.parse(addresses[0]), Endpoint.parse(addresses[1]));
            long allocated = threads.getTotalThreadAllocatedBytes() - before;
            System.out.println("done " + moved.bytes + " " + allocated + " " + moved.way);
        }
    }

    private static Moved transfer(Endpoint from, Endpoint to, Route route) throws IOException {
        try (StreamSocket source = connect(from);
                StreamSocket sink = connect(to)) {
            Pipeline pipeline = Pipeline.from(source);
            TransferResult result = (route == null ? pipeline : pipeline.route(route)).to(sink);
            return new Moved(result.bytes(), result.route().name());
        }
    }

    private static StreamSocket connect(Endpoint endpoint) throws IOException {
        return StreamSocket.connect(
                endpoint instanceof Endpoint.Tcp tcp ? new Endpoint.Inherited(Libc.connect(tcp.port())) : endpoint);
    }

    /** What one writes without Sluice. */
    private static Moved copy(Endpoint from, Endpoint to) throws IOException {
        long bytes = 0;
        try (SocketChannel source = connectChannel(from);
                SocketChannel sink = connectChannel(to)) {
            ByteBuffer buffer = ByteBuffer.allocateDirect(64 * 1024);
            while (source.read(buffer) >= 0) {
                bytes += buffer.flip().remaining();
                while (buffer.hasRemaining()) {
                    sink.write(buffer);
                }
                buffer.clear();
            }
        }
        return new Moved(bytes, "JDK");
    }

    private static SocketChannel connectChannel(Endpoint endpoint) throws IOException {
        if (endpoint instanceof Endpoint.Unix unix) {
            return SocketChannel.open(UnixDomainSocketAddress.of(unix.path()));
        }
        SocketChannel channel = Libc.cubic(SocketChannel.open());
        channel.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), ((Endpoint.Tcp) endpoint).port()));
        return channel;
    }

    private static <T> T onVirtualThread(Callable<T> work) throws Exception {
        FutureTask<T> task = new FutureTask<>(work);
        Thread.startVirtualThread(task);
        return task.get();
    }
}
