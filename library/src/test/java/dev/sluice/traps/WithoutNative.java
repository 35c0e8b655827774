package dev.sluice.traps;

import dev.sluice.Sluice;
import dev.sluice.file.KernelFile;
import dev.sluice.io.Endpoint;
import dev.sluice.io.TransferResult;
import dev.sluice.loop.EventLoop;
import dev.sluice.net.StreamListener;
import dev.sluice.net.StreamSocket;
import dev.sluice.pipe.KernelPipe;
import dev.sluice.testkit.Bytes;
import java.io.ByteArrayOutputStream;
import java.net.InetSocketAddress;
import java.nio.channels.Channels;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;

/** What still works where native calls do not, and how the rest refuses. Also the main class of a child JVM. */
final class WithoutNative {
    private WithoutNative() {}

    /** Something of the library that needs Linux and native access. */
    interface NeedsNative {
        AutoCloseable open() throws Exception;
    }

    public static void main(String[] arguments) throws Exception {
        TransferResult result = betweenJdkChannels();
        System.out.println("moved " + result.bytes());
        System.out.println("route " + result.route());
        System.out.println("reason " + result.reason());
        if (arguments.length > 0) {
            return;
        }
        for (NeedsNative each : needingNative()) {
            System.out.println("refused: " + refusal(each));
        }
        System.out.println(Sluice.capabilities());
    }

    /** Socket to socket, both of the JDK; the bytes are compared. */
    static TransferResult betweenJdkChannels() throws Exception {
        byte[] data = Bytes.random(1, 100_000);
        ByteArrayOutputStream received = new ByteArrayOutputStream();
        try (ServerSocketChannel server = ServerSocketChannel.open().bind(new InetSocketAddress("127.0.0.1", 0));
                SocketChannel client = SocketChannel.open(server.getLocalAddress());
                SocketChannel accepted = server.accept();
                WritableByteChannel sink = Channels.newChannel(received)) {
            CompletableFuture<Object> sent = Bytes.async(() -> {
                Bytes.write(client, data, 10_000);
                return client.shutdownOutput();
            });
            TransferResult result = Sluice.transfer(accepted, sink);
            sent.join();
            if (!Arrays.equals(data, received.toByteArray())) {
                throw new AssertionError("the bytes differ");
            }
            return result;
        }
    }

    static NeedsNative[] needingNative() {
        return new NeedsNative[] {
            () -> StreamSocket.connect(new Endpoint.Tcp("127.0.0.1", 1)),
            () -> StreamSocket.connect(new Endpoint.Unix("/tmp/nobody-listens-here")),
            () -> StreamSocket.connect(new Endpoint.Inherited(0)),
            () -> StreamListener.listen(new Endpoint.Tcp("127.0.0.1", 0)),
            () -> StreamListener.listen(new Endpoint.Inherited(0)),
            KernelPipe::open,
            () -> KernelFile.open(Path.of("/dev/null")),
            () -> EventLoop.open("never")
        };
    }

    /** The one line that it refuses with. */
    static String refusal(NeedsNative each) throws Exception {
        try {
            each.open().close();
        } catch (UnsupportedOperationException e) {
            if (e.getMessage().contains("\n")) {
                throw new AssertionError("more than one line", e);
            }
            return e.getMessage();
        }
        throw new AssertionError("it works?");
    }
}
