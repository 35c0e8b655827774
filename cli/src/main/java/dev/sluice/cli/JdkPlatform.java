package dev.sluice.cli;

import dev.sluice.io.Endpoint;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.SocketTimeoutException;
import java.net.StandardProtocolFamily;
import java.net.StandardSocketOptions;
import java.net.UnixDomainSocketAddress;
import java.net.UnknownHostException;
import java.nio.channels.ByteChannel;
import java.nio.channels.FileChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Optional;

/**
 * The JDK's sockets and files, for a machine or a JVM on which the kernel is out of reach.
 *
 * @param reason why it is
 */
record JdkPlatform(String reason) implements Platform {

    private record Listener(ServerSocketChannel channel, Endpoint endpoint) implements Listening {
        @Override
        public ByteChannel accept() throws IOException {
            return channel.accept();
        }

        @Override
        public boolean isOpen() {
            return channel.isOpen();
        }

        @Override
        public void close() throws IOException {
            channel.close();
        }
    }

    @Override
    public Optional<String> shortfall() {
        return Optional.of(reason);
    }

    @Override
    public Listening listen(Endpoint endpoint) throws IOException {
        ServerSocketChannel channel = endpoint instanceof Endpoint.Unix
                ? ServerSocketChannel.open(StandardProtocolFamily.UNIX)
                : ServerSocketChannel.open();
        try {
            channel.bind(address(endpoint, false));
            return new Listener(channel, Endpoint.of(channel.getLocalAddress()));
        } catch (IOException e) {
            channel.close();
            throw named(endpoint, "listen", e);
        }
    }

    @Override
    public SocketChannel connect(Endpoint endpoint, Duration timeout) throws IOException {
        if (endpoint instanceof Endpoint.Unix) {
            return SocketChannel.open(address(endpoint, true));
        }
        SocketChannel channel = SocketChannel.open();
        try {
            channel.socket().connect(address(endpoint, true), Math.toIntExact(timeout.toMillis()));
            return channel;
        } catch (IOException e) {
            channel.close();
            throw named(endpoint, "connect", e);
        }
    }

    private SocketAddress address(Endpoint endpoint, boolean connecting) throws UnknownHostException {
        return switch (endpoint) {
            case Endpoint.Tcp tcp
            when !tcp.host().isEmpty() -> new InetSocketAddress(InetAddress.getByName(tcp.host()), tcp.port());
            case Endpoint.Tcp tcp
            when connecting -> new InetSocketAddress(InetAddress.getLoopbackAddress(), tcp.port());
            case Endpoint.Tcp tcp -> new InetSocketAddress(tcp.port());
            case Endpoint.Unix unix -> UnixDomainSocketAddress.of(unix.path());
            case Endpoint.Abstract _, Endpoint.Inherited _ ->
                throw new UnsupportedOperationException(endpoint + " can't be used: " + reason);
        };
    }

    private static IOException named(Endpoint endpoint, String call, IOException e) {
        String message = endpoint + ": " + call + ": " + e.getMessage();
        return e instanceof SocketTimeoutException ? new SocketTimeoutException(message) : new IOException(message, e);
    }

    @Override
    public FileChannel open(Path file) throws IOException {
        return FileChannel.open(file, StandardOpenOption.READ);
    }

    @Override
    public FileChannel create(Path file) throws IOException {
        return FileChannel.open(
                file, StandardOpenOption.CREATE, StandardOpenOption.WRITE, StandardOpenOption.TRUNCATE_EXISTING);
    }

    @Override
    public FileChannel resume(Path file) throws IOException {
        FileChannel opened = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        return opened.position(opened.size());
    }

    @Override
    public void endOutput(ByteChannel socket) throws IOException {
        ((SocketChannel) socket).shutdownOutput();
    }

    @Override
    public int unacknowledged(ByteChannel socket) {
        return 0;
    }

    @Override
    public void abort(ByteChannel socket) throws IOException {
        SocketChannel channel = (SocketChannel) socket;
        if (channel.supportedOptions().contains(StandardSocketOptions.SO_LINGER)) {
            channel.setOption(StandardSocketOptions.SO_LINGER, 0);
        }
        channel.close();
    }
}
