package dev.sluice.net;

import dev.sluice.internal.fd.Descriptor;
import dev.sluice.internal.fd.Descriptors;
import dev.sluice.internal.linux.Errno;
import dev.sluice.internal.linux.Files;
import dev.sluice.internal.linux.Sockets;
import dev.sluice.io.Endpoint;
import dev.sluice.io.SluiceException;
import dev.sluice.loop.DescriptorStream;
import dev.sluice.loop.SocketStream;
import java.io.IOException;
import java.lang.ref.Reference;
import java.nio.channels.Channel;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.time.Duration;

/**
 * A listening stream socket, TCP or Unix. Threads that wait for a connection park. {@link #close} wakes them with
 * {@link java.nio.channels.AsynchronousCloseException}; an interrupt with {@link java.io.InterruptedIOException}.
 */
public final class StreamListener implements Channel {
    static {
        Descriptors.register(StreamListener.class, listener -> listener.stream.descriptor());
    }

    private static final int BACKLOG = 4096;

    private final SocketStream stream;
    private final SocketStream.Factory means;
    private final Endpoint endpoint;

    /** Whether the path of a Unix socket was made here, and not by whoever passed the socket on. */
    private final boolean ownsPath;

    private StreamListener(int fd, boolean ownsPath, SocketStream.Factory means) {
        this.means = means;
        this.ownsPath = ownsPath;
        this.endpoint = Sockets.localAddress(fd);
        this.stream = means.over(new Descriptor(fd, Descriptor.Kind.SOCKET, endpoint.toString()));
        Descriptors.closeWith(this, stream.descriptor());
    }

    /**
     * Binds and listens. An empty host means every address of the machine, IPv4 and IPv6; {@code [::]} every IPv6 address
     * alone, and {@code 0.0.0.0} every IPv4 address alone. Port 0 means a free port. The path of
     * a Unix socket that nobody listens on any more is taken over. {@code fd:N} takes over an inherited listening socket,
     * as systemd passes it.
     *
     * @throws SluiceException with the errno of bind(2), listen(2) or socket(2)
     * @throws java.net.UnknownHostException if the host name can't be resolved
     */
    public static StreamListener listen(Endpoint endpoint) throws IOException {
        return listen(endpoint, DescriptorStream::new);
    }

    /** The same with other means to accept, read and write, such as those of {@code SharedRing.sockets()}. */
    public static StreamListener listen(Endpoint endpoint, SocketStream.Factory means) throws IOException {
        if (endpoint instanceof Endpoint.Inherited inherited) {
            Addresses.requireStream(inherited);
            int fd = inherited.number();
            if (Sockets.option(fd, Sockets.SOL_SOCKET, Sockets.SO_ACCEPTCONN) != 1) {
                // Else each accept(2) would fail, for ever.
                throw new SluiceException(inherited + ": not a listening socket", "accept", Errno.EINVAL);
            }
            int taken = Files.takeOver(fd);
            if (taken < 0) {
                throw Descriptor.failure("fcntl", inherited.toString(), taken);
            }
            return new StreamListener(fd, false, means);
        }
        Endpoint address = Addresses.resolve(endpoint, false).getFirst();
        boolean bothFamilies =
                endpoint instanceof Endpoint.Tcp everywhere && everywhere.host().isEmpty();
        int result = tryListen(address, bothFamilies);
        if (result == -Errno.EAFNOSUPPORT && bothFamilies && endpoint instanceof Endpoint.Tcp tcp) {
            result = tryListen(new Endpoint.Tcp("0.0.0.0", tcp.port()), false);
        }
        if (result == -Errno.EADDRINUSE && address instanceof Endpoint.Unix unix && abandoned(unix)) {
            Path.of(unix.path()).toFile().delete();
            result = tryListen(address, false);
        }
        if (result < 0) {
            throw Descriptor.failure("listen", endpoint.toString(), result);
        }
        return new StreamListener(result, true, means);
    }

    private static int tryListen(Endpoint address, boolean bothFamilies) {
        int fd = Sockets.stream(Sockets.family(address));
        if (fd < 0) {
            return fd;
        }
        int result = 0;
        if (address instanceof Endpoint.Tcp tcp) {
            Sockets.setOption(fd, Sockets.SOL_SOCKET, Sockets.SO_REUSEADDR, 1);
            if (tcp.host().indexOf(':') >= 0) {
                // The default is the system's choice, /proc/sys/net/ipv6/bindv6only.
                Sockets.setOption(fd, Sockets.IPPROTO_IPV6, Sockets.IPV6_V6ONLY, bothFamilies ? 0 : 1);
            }
        }
        result = Sockets.bind(fd, address);
        if (result >= 0) {
            result = Sockets.listen(fd, BACKLOG);
        }
        if (result < 0) {
            Files.close(fd);
            return result;
        }
        return fd;
    }

    /** Whether the path is a socket that nobody listens on. A connection to what is no socket is refused just the same. */
    private static boolean abandoned(Endpoint.Unix unix) {
        if (!isSocket(Path.of(unix.path()))) {
            return false;
        }
        int fd = Sockets.stream(Sockets.AF_UNIX);
        if (fd < 0) {
            return false;
        }
        int result = Sockets.connect(fd, unix);
        Files.close(fd);
        return result == -Errno.ECONNREFUSED;
    }

    private static boolean isSocket(Path path) {
        try {
            int mode = (int) java.nio.file.Files.getAttribute(path, "unix:mode", LinkOption.NOFOLLOW_LINKS);
            return (mode & Files.S_IFMT) == Files.S_IFSOCK;
        } catch (IOException e) {
            return false;
        }
    }

    /**
     * Waits for the next connection.
     *
     * @throws SluiceException with the errno of accept(2); EMFILE leaves the connection in the backlog
     */
    public StreamSocket accept() throws IOException {
        return accepted(Long.MAX_VALUE);
    }

    /**
     * Waits for the next connection, but not for ever.
     *
     * @throws java.net.SocketTimeoutException when the time-out passed
     */
    public StreamSocket accept(Duration timeout) throws IOException {
        return accepted(System.nanoTime() + timeout.toNanos());
    }

    private StreamSocket accepted(long deadline) throws IOException {
        try {
            int fd = stream.accept(deadline);
            return StreamSocket.of(fd, Sockets.remoteAddress(fd), means);
        } finally {
            // Parked is not forgotten: the cleaner must not close the channel meanwhile.
            Reference.reachabilityFence(this);
        }
    }

    /** The address that connections are accepted on, with the port that the kernel chose. */
    public Endpoint endpoint() {
        return endpoint;
    }

    @Override
    public boolean isOpen() {
        return stream.descriptor().isOpen();
    }

    /**
     * Stops listening; connections that nobody accepted are reset, and whoever waits in {@link #accept()} gets an
     * {@link java.nio.channels.AsynchronousCloseException}. Removes the path of a Unix socket. Blocks for nothing but a
     * ring, if there is one beneath, which has to let go of the socket first; an interrupt does not end that wait.
     */
    @Override
    public void close() {
        if (stream.close() && ownsPath && endpoint instanceof Endpoint.Unix unix) {
            Path.of(unix.path()).toFile().delete();
        }
    }

    @Override
    public String toString() {
        return stream.descriptor().toString();
    }
}
