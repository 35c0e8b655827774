package dev.sluice.cli.blackbox;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.List;

/** A relay between plain sockets: those that connect to it, and a listener that it connects to. */
final class Stage implements AutoCloseable {
    private static final int BACKLOG = 1024;

    private final ServerSocketChannel target;
    private final SocketAddress entrance;
    private final RelayProcess relay;
    private long sessions;

    private Stage(ServerSocketChannel target, SocketAddress entrance, RelayProcess relay) {
        this.target = target;
        this.entrance = entrance;
        this.relay = relay;
    }

    /** TCP on both sides. */
    static Stage tcp(String... options) throws IOException {
        return tcp(List.of(), options);
    }

    /** @param prefix comes before the relay's command */
    static Stage tcp(List<String> prefix, String... options) throws IOException {
        ServerSocketChannel target = listen(new InetSocketAddress(loopback(), 0));
        String address = "127.0.0.1:" + ((InetSocketAddress) target.getLocalAddress()).getPort();
        try {
            RelayProcess relay = RelayProcess.start(prefix, "127.0.0.1:0", address, options);
            return new Stage(target, new InetSocketAddress(loopback(), relay.port()), relay);
        } catch (Throwable e) {
            target.close();
            throw e;
        }
    }

    /** Unix sockets on both sides, in an empty directory. */
    static Stage unix(Path directory, String... options) throws IOException {
        Path listen = directory.resolve("relay");
        Path connect = directory.resolve("target");
        ServerSocketChannel target = listen(UnixDomainSocketAddress.of(connect));
        try {
            RelayProcess relay = RelayProcess.start("unix:" + listen, "unix:" + connect, options);
            return new Stage(target, UnixDomainSocketAddress.of(listen), relay);
        } catch (Throwable e) {
            target.close();
            throw e;
        }
    }

    static ServerSocketChannel listen(SocketAddress address) throws IOException {
        ServerSocketChannel listener = address instanceof UnixDomainSocketAddress
                ? ServerSocketChannel.open(StandardProtocolFamily.UNIX)
                : ServerSocketChannel.open(StandardProtocolFamily.INET);
        return listener.bind(address, BACKLOG);
    }

    static SocketChannel connect(SocketAddress address) throws IOException {
        SocketChannel channel = address instanceof UnixDomainSocketAddress
                ? SocketChannel.open(StandardProtocolFamily.UNIX)
                : SocketChannel.open(StandardProtocolFamily.INET);
        channel.connect(address);
        return channel;
    }

    static InetAddress loopback() {
        return InetAddress.ofLiteral("127.0.0.1");
    }

    RelayProcess relay() {
        return relay;
    }

    /** Opens a session. One at a time, so that it is known which two ends belong together. */
    synchronized Session open() throws IOException {
        SocketChannel client = connect();
        SocketChannel server = target.accept();
        long number = sessions++;
        Seeded request = new Seeded(2 * number);
        Seeded reply = new Seeded(2 * number + 1);
        return new Session(new Peer(client, request, reply), new Peer(server, reply, request));
    }

    /** A client alone. */
    SocketChannel connect() throws IOException {
        return connect(entrance);
    }

    /** The port that the relay connects to. */
    int targetPort() throws IOException {
        return ((InetSocketAddress) target.getLocalAddress()).getPort();
    }

    ServerSocketChannel target() {
        return target;
    }

    @Override
    public void close() throws IOException {
        target.close();
        relay.close();
    }
}
