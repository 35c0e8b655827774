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
import java.io.InterruptedIOException;
import java.lang.ref.Reference;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.channels.ClosedChannelException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.locks.LockSupport;

/**
 * A connected stream socket, TCP or Unix, whose descriptor is the library's own: the fast lane of every transfer.
 *
 * <p>It reads and writes like a blocking channel, but a thread that has to wait parks; a virtual thread never pins its
 * carrier. One thread may read while another writes; a second reader (or a read during a transfer from this socket) gets
 * a {@link java.nio.channels.ReadPendingException}, a second writer a {@link java.nio.channels.WritePendingException}.
 *
 * <p>An interrupt ends the wait with {@link java.io.InterruptedIOException}; the interrupt status stays set, and, other
 * than with the JDK's channels, the socket stays open and usable. {@link #close} by another thread ends it with
 * {@link java.nio.channels.AsynchronousCloseException}.
 */
public final class StreamSocket implements ByteChannel {
    static {
        Descriptors.register(StreamSocket.class, socket -> socket.stream.descriptor());
    }

    private final SocketStream stream;
    private final Endpoint local;
    private final Endpoint remote;
    private volatile long readTimeout;
    private volatile long writeTimeout;

    private StreamSocket(SocketStream stream, Endpoint remote) {
        this.local = Sockets.localAddress(stream.descriptor().fd());
        this.remote = remote;
        this.stream = stream;
        Descriptors.closeWith(this, stream.descriptor());
    }

    /** Takes ownership of a connected socket. */
    static StreamSocket of(int fd, Endpoint peer, SocketStream.Factory means) {
        // An unnamed Unix peer is best told by our own name.
        boolean unnamed = peer == null || peer.equals(new Endpoint.Unix(""));
        Endpoint name = unnamed ? Sockets.localAddress(fd) : peer;
        return new StreamSocket(stream(fd, name, means), name);
    }

    private static SocketStream stream(int fd, Endpoint name, SocketStream.Factory means) {
        return means.over(new Descriptor(fd, Descriptor.Kind.SOCKET, String.valueOf(name)));
    }

    /** Connects, waiting as long as the kernel does; see {@link #connect(Endpoint, Duration)}. */
    public static StreamSocket connect(Endpoint endpoint) throws IOException {
        return connect(endpoint, Duration.ZERO);
    }

    /**
     * Connects. A host name is resolved by the JDK, and its addresses are tried in order. The thread parks while the
     * connection is made. {@code fd:N} takes over an inherited, connected socket.
     *
     * @param timeout for all addresses together; zero for the kernel's own (about two minutes)
     * @throws SluiceException with the errno of connect(2), socket(2)
     * @throws SocketTimeoutException when the time-out passed
     * @throws java.net.UnknownHostException if the host name can't be resolved
     */
    public static StreamSocket connect(Endpoint endpoint, Duration timeout) throws IOException {
        return connect(endpoint, timeout, DescriptorStream::new);
    }

    /** The same with other means to read and write, such as those of {@code SharedRing.sockets()}. */
    public static StreamSocket connect(Endpoint endpoint, Duration timeout, SocketStream.Factory means)
            throws IOException {
        if (endpoint instanceof Endpoint.Inherited inherited) {
            return inherited(inherited, means);
        }
        long deadline = deadline(timeout.toNanos());
        IOException last = null;
        for (Endpoint address : Addresses.resolve(endpoint, true)) {
            try {
                return connectOne(address, endpoint, deadline, means);
            } catch (SocketTimeoutException e) {
                throw e;
            } catch (SluiceException e) {
                last = e;
            }
        }
        throw last;
    }

    private static StreamSocket connectOne(Endpoint address, Endpoint asked, long deadline, SocketStream.Factory means)
            throws IOException {
        int fd = Sockets.stream(Sockets.family(address));
        if (fd < 0) {
            throw Descriptor.failure("socket", asked.toString(), fd);
        }
        int result = Sockets.connect(fd, address);
        while (result == -Errno.EAGAIN) {
            // The backlog of a Unix listener is full, and no poll tells when it is not: ask again.
            if (Thread.currentThread().isInterrupted()) {
                Files.close(fd);
                throw new InterruptedIOException(asked + ": connect: interrupted while the listener's backlog is full");
            }
            if (deadline != Long.MAX_VALUE && deadline - System.nanoTime() <= 0) {
                Files.close(fd);
                throw new SocketTimeoutException(asked + ": connect: the listener's backlog stays full");
            }
            LockSupport.parkNanos(1_000_000);
            result = Sockets.connect(fd, address);
        }
        if (result != 0 && result != -Errno.EINPROGRESS && result != -Errno.EINTR) {
            Files.close(fd);
            throw Descriptor.failure("connect", asked.toString(), result);
        }
        SocketStream stream = stream(fd, address, means);
        if (result != 0) {
            try {
                stream.awaitConnected(deadline);
            } catch (IOException e) {
                stream.descriptor().close();
                throw e instanceof SocketTimeoutException
                        ? new SocketTimeoutException(
                                asked + ": connect: no answer in time; check the address and the firewall")
                        : e;
            }
        }
        return new StreamSocket(stream, address);
    }

    private static StreamSocket inherited(Endpoint.Inherited inherited, SocketStream.Factory means) throws IOException {
        int fd = inherited.number();
        Addresses.requireStream(inherited);
        Endpoint peer = Sockets.remoteAddress(fd);
        if (peer == null) {
            throw new SluiceException(inherited + ": not a connected socket", "getpeername", Errno.ENOTCONN);
        }
        int taken = Files.takeOver(fd);
        if (taken < 0) {
            throw Descriptor.failure("fcntl", inherited.toString(), taken);
        }
        return of(fd, peer, means);
    }

    /**
     * Reads at least one byte, waiting if need be.
     *
     * @return how many, or −1 at the end of the stream (the peer has shut down its output)
     * @throws SocketTimeoutException when the {@linkplain #readTimeout read time-out} passed
     * @throws ClosedChannelException if this socket is closed
     * @throws SluiceException with the errno of recv(2)
     */
    @Override
    public int read(ByteBuffer buffer) throws IOException {
        try {
            return stream.read(buffer, deadline(readTimeout));
        } finally {
            // Parked is not forgotten: the cleaner must not close the channel meanwhile.
            Reference.reachabilityFence(this);
        }
    }

    /**
     * Writes the whole buffer, waiting for room if need be. That the kernel accepted the bytes does not mean that the peer
     * has them. After an exception the buffer's position tells how many were accepted.
     *
     * @throws SocketTimeoutException when the {@linkplain #writeTimeout write time-out} passed
     * @throws ClosedChannelException if this socket is closed
     * @throws SluiceException with the errno of send(2)
     */
    @Override
    public int write(ByteBuffer buffer) throws IOException {
        try {
            return stream.write(buffer, deadline(writeTimeout));
        } finally {
            // Parked is not forgotten: the cleaner must not close the channel meanwhile.
            Reference.reachabilityFence(this);
        }
    }

    private static long deadline(long timeout) {
        return timeout <= 0 ? Long.MAX_VALUE : System.nanoTime() + timeout;
    }

    /** How long a read may wait; zero, the default, for ever. */
    public StreamSocket readTimeout(Duration timeout) {
        readTimeout = timeout.toNanos();
        return this;
    }

    /** How long a write may wait for room; zero, the default, for ever. */
    public StreamSocket writeTimeout(Duration timeout) {
        writeTimeout = timeout.toNanos();
        return this;
    }

    /** Sends FIN once everything written has left: the peer reads the end of the stream. Reading goes on. shutdown(2). */
    public StreamSocket shutdownOutput() throws IOException {
        withDescriptor(fd -> Sockets.shutdown(fd, Sockets.SHUT_WR), "shutdown");
        return this;
    }

    /** Ends reading: this side reads the end of the stream, now and later. */
    public StreamSocket shutdownInput() throws IOException {
        withDescriptor(fd -> Sockets.shutdown(fd, Sockets.SHUT_RD), "shutdown");
        return this;
    }

    /** TCP_NODELAY, tcp(7): small writes leave at once. Does nothing on a Unix socket. */
    public StreamSocket noDelay(boolean on) throws IOException {
        return tcpOption(Sockets.TCP_NODELAY, on ? 1 : 0);
    }

    /** SO_KEEPALIVE, socket(7): the kernel asks a silent peer whether it is still there. */
    public StreamSocket keepAlive(boolean on) throws IOException {
        return option(Sockets.SOL_SOCKET, Sockets.SO_KEEPALIVE, on ? 1 : 0);
    }

    /** TCP_USER_TIMEOUT, tcp(7): how long data may stay unacknowledged before the connection is given up. */
    public StreamSocket userTimeout(Duration timeout) throws IOException {
        return tcpOption(Sockets.TCP_USER_TIMEOUT, Math.toIntExact(timeout.toMillis()));
    }

    /** SO_SNDBUF in bytes, socket(7); the kernel doubles it for its own bookkeeping. */
    public StreamSocket sendBuffer(int bytes) throws IOException {
        return option(Sockets.SOL_SOCKET, Sockets.SO_SNDBUF, bytes);
    }

    /**
     * TCP_NOTSENT_LOWAT, tcp(7): the socket takes more only when fewer bytes than that have not left for the first time. So the
     * kernel holds little beyond what is on its way. Does nothing on a Unix socket.
     */
    public StreamSocket notSentLowAt(int bytes) throws IOException {
        return tcpOption(Sockets.TCP_NOTSENT_LOWAT, bytes);
    }

    /** SO_RCVBUF in bytes, socket(7); the kernel doubles it for its own bookkeeping. */
    public StreamSocket receiveBuffer(int bytes) throws IOException {
        return option(Sockets.SOL_SOCKET, Sockets.SO_RCVBUF, bytes);
    }

    /**
     * TCP_CONGESTION, tcp(7), such as {@code cubic}. A connection that was made under an algorithm that paces, such as
     * bbr, goes on being paced; where that matters, change the system's default, {@code net.ipv4.tcp_congestion_control}.
     */
    public StreamSocket congestionControl(String name) throws IOException {
        byte[] value = name.getBytes(StandardCharsets.US_ASCII);
        withDescriptor(fd -> Sockets.setOption(fd, Sockets.IPPROTO_TCP, Sockets.TCP_CONGESTION, value), "setsockopt");
        return this;
    }

    private StreamSocket tcpOption(int option, int value) throws IOException {
        return remote instanceof Endpoint.Tcp ? option(Sockets.IPPROTO_TCP, option, value) : this;
    }

    private StreamSocket option(int level, int option, int value) throws IOException {
        withDescriptor(fd -> Sockets.setOption(fd, level, option, value), "setsockopt");
        return this;
    }

    /**
     * How many bytes written to this TCP socket its peer has not acknowledged (SIOCOUTQ, tcp(7)); for a Unix socket a
     * measure of what the peer has not read.
     */
    public int unacknowledged() throws IOException {
        return withDescriptor(Sockets::unacknowledged, "ioctl SIOCOUTQ");
    }

    /**
     * Waits until the peer's TCP has acknowledged everything, by asking every few milliseconds.
     *
     * @return false when the time-out passed first
     */
    public boolean awaitAcknowledged(Duration timeout) throws IOException {
        long deadline = System.nanoTime() + timeout.toNanos();
        while (unacknowledged() > 0) {
            if (System.nanoTime() - deadline >= 0 || Thread.currentThread().isInterrupted()) {
                return false;
            }
            LockSupport.parkNanos(this, 5_000_000);
        }
        return true;
    }

    /** The address of this end, as far as it has one. */
    public Endpoint localEndpoint() {
        return local;
    }

    /** The address of the peer. An unnamed Unix peer is told by the name of the listener. */
    public Endpoint remoteEndpoint() {
        return remote;
    }

    private interface Call {
        int on(int fd);
    }

    private int withDescriptor(Call call, String name) throws IOException {
        Descriptor descriptor = stream.descriptor();
        if (!descriptor.acquire()) {
            throw new ClosedChannelException();
        }
        try {
            return descriptor.check(name, call.on(descriptor.fd()));
        } finally {
            descriptor.release();
        }
    }

    @Override
    public boolean isOpen() {
        return stream.descriptor().isOpen();
    }

    /** Closes at once, never blocking; wakes whoever reads, writes or transfers. What was written is still sent. */
    @Override
    public void close() {
        stream.descriptor().close();
    }

    /**
     * Closes with RST: the peer reads ECONNRESET, and what it has not acknowledged is thrown away by this kernel. Where
     * nothing may be lost, {@link #awaitAcknowledged} goes first.
     */
    public void abort() {
        Descriptor descriptor = stream.descriptor();
        if (descriptor.acquire()) {
            Sockets.lingerZero(descriptor.fd());
            descriptor.release();
        }
        close();
    }

    @Override
    public String toString() {
        return stream.descriptor().toString();
    }
}
