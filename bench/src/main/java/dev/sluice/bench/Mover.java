package dev.sluice.bench;

import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;

import dev.sluice.Pipeline;
import dev.sluice.file.KernelFile;
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
import java.nio.channels.ByteChannel;
import java.nio.channels.FileChannel;
import java.nio.channels.SocketChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import java.util.concurrent.FutureTask;

/**
 * The process between the endpoints, whose CPU time is measured. Moves one stream per line of its standard input,
 * {@code SOURCE SINK} or {@code
 * SOURCE SINK,MIRROR}, from the one address to the others, and answers {@code done BYTES ALLOCATED WAY}.
 */
public final class Mover {
    private static final String FILE = "file:";

    /** Bytes moved, and how. */
    private record Moved(long bytes, String way) {}

    private interface Way {
        /** Moves a stream from the one address to the others, of which there is one or two. */
        Moved move(String source, String... sinks) throws Exception;
    }

    private Mover() {}

    public static void main(String[] args) throws Exception {
        Way way = switch (args[0]) {
            case "sluice" -> (source, sinks) -> transfer(null, source, sinks);
            case "sluice-copy" -> (source, sinks) -> transfer(Route.COPY, source, sinks);
            case "jdk" -> (source, sinks) -> onVirtualThread(() -> copy(source, sinks));
            case "jdk-transferTo" -> (source, sinks) -> transferTo(source, sinks[0]);
            default -> throw new IllegalArgumentException(args[0]);
        };
        var threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
        System.out.println("hello Java " + Runtime.version());
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = lines.readLine()) != null; ) {
            long before = threads.getTotalThreadAllocatedBytes();
            String[] addresses = line.split(" ");
            Moved moved = way.move(addresses[0], addresses[1].split(","));
            long allocated = threads.getTotalThreadAllocatedBytes() - before;
            System.out.println("done " + moved.bytes + " " + allocated + " " + moved.way);
        }
    }

    private static Moved transfer(Route route, String from, String... to) throws IOException {
        try (ByteChannel source = open(from, READ);
                ByteChannel sink = open(to[0], CREATE, WRITE);
                ByteChannel mirror = to.length > 1 ? open(to[1], CREATE, WRITE) : null) {
            Pipeline pipeline = Pipeline.from(source);
            if (mirror != null) {
                pipeline.mirror(mirror);
            }
            if (route != null) {
                pipeline.route(route);
            }
            TransferResult result = pipeline.to(sink);
            String way = result.route().name();
            return new Moved(
                    result.bytes(),
                    mirror == null
                            ? way
                            : way + ", mirror " + result.mirrors().getFirst().route());
        }
    }

    private static ByteChannel open(String address, OpenOption... options) throws IOException {
        if (address.startsWith(FILE)) {
            return KernelFile.open(Path.of(address.substring(FILE.length())), options);
        }
        return StreamSocket.connect(Endpoint.parse(address));
    }

    /** What one writes without Sluice. */
    private static Moved copy(String from, String... to) throws IOException {
        long bytes = 0;
        try (ByteChannel source = openJdk(from, READ);
                ByteChannel sink = openJdk(to[0], CREATE, WRITE);
                ByteChannel mirror = to.length > 1 ? openJdk(to[1], CREATE, WRITE) : null) {
            ByteBuffer buffer = ByteBuffer.allocateDirect(64 * 1024);
            while (source.read(buffer) >= 0) {
                bytes += buffer.flip().remaining();
                write(buffer, sink);
                if (mirror != null) {
                    write(buffer.rewind(), mirror);
                }
                buffer.clear();
            }
        }
        return new Moved(bytes, "JDK");
    }

    private static void write(ByteBuffer buffer, WritableByteChannel sink) throws IOException {
        while (buffer.hasRemaining()) {
            sink.write(buffer);
        }
    }

    private static Moved transferTo(String from, String to) throws IOException {
        long bytes = 0;
        try (FileChannel source = (FileChannel) openJdk(from, READ);
                ByteChannel sink = openJdk(to)) {
            for (long size = source.size(); bytes < size; ) {
                bytes += source.transferTo(bytes, size - bytes, sink);
            }
        }
        return new Moved(bytes, "transferTo");
    }

    private static ByteChannel openJdk(String address, OpenOption... options) throws IOException {
        if (address.startsWith(FILE)) {
            return FileChannel.open(Path.of(address.substring(FILE.length())), options);
        }
        Endpoint endpoint = Endpoint.parse(address);
        if (endpoint instanceof Endpoint.Unix unix) {
            return SocketChannel.open(UnixDomainSocketAddress.of(unix.path()));
        }
        return SocketChannel.open(
                new InetSocketAddress(InetAddress.getLoopbackAddress(), ((Endpoint.Tcp) endpoint).port()));
    }

    private static <T> T onVirtualThread(Callable<T> work) throws Exception {
        FutureTask<T> task = new FutureTask<>(work);
        Thread.startVirtualThread(task);
        return task.get();
    }
}
