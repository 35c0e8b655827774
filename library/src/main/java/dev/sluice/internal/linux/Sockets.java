package dev.sluice.internal.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import dev.sluice.io.Endpoint;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;

/** socket(2), bind(2), listen(2), accept(2), connect(2), send(2), recv(2), shutdown(2) and socket options. */
public final class Sockets {
    public static final int AF_UNIX = 1;
    public static final int AF_INET = 2;
    public static final int AF_INET6 = 10;
    public static final int SOCK_STREAM = 1;
    public static final int SOCK_DGRAM = 2;

    public static final int SOL_SOCKET = 1;
    public static final int SO_REUSEADDR = 2;
    public static final int SO_TYPE = 3;
    public static final int SO_ERROR = 4;
    public static final int SO_SNDBUF = 7;
    public static final int SO_RCVBUF = 8;
    public static final int SO_KEEPALIVE = 9;
    public static final int SO_LINGER = 13;
    public static final int SO_REUSEPORT = 15;
    public static final int SO_RCVTIMEO = 20;
    public static final int SO_SNDTIMEO = 21;
    public static final int SO_ACCEPTCONN = 30;
    public static final int SO_TIMESTAMPING = 37;
    public static final int SO_DOMAIN = 39;
    public static final int SO_INCOMING_CPU = 49;
    public static final int SO_ZEROCOPY = 60;
    public static final int IPPROTO_TCP = 6;
    public static final int TCP_NODELAY = 1;
    public static final int TCP_KEEPIDLE = 4;
    public static final int TCP_KEEPINTVL = 5;
    public static final int TCP_KEEPCNT = 6;
    public static final int TCP_INFO = 11;
    public static final int TCP_CONGESTION = 13;
    public static final int TCP_USER_TIMEOUT = 18;
    public static final int TCP_NOTSENT_LOWAT = 25;
    public static final int IPPROTO_IPV6 = 41;
    public static final int IPV6_V6ONLY = 26;

    public static final int SHUT_RD = 0;
    public static final int SHUT_WR = 1;
    public static final int SHUT_RDWR = 2;

    public static final int SOCK_NONBLOCK = 0x800;
    public static final int SOCK_CLOEXEC = 0x80000;
    private static final int MSG_PEEK = 0x2;
    private static final int MSG_TRUNC = 0x20;
    public static final int MSG_DONTWAIT = 0x40;
    public static final int MSG_NOSIGNAL = 0x4000;

    /** The record ends here: nothing later is put into the same segment, which has room for one request of a stamp. */
    public static final int MSG_EOR = 0x80;

    /** More follows at once: the kernel waits for it. */
    public static final int MSG_MORE = 0x8000;

    public static final int MSG_ZEROCOPY = 0x4000000;

    public static final int SOF_TIMESTAMPING_TX_SOFTWARE = 1 << 1;
    public static final int SOF_TIMESTAMPING_SOFTWARE = 1 << 4;
    public static final int SOF_TIMESTAMPING_OPT_ID = 1 << 7;
    public static final int SOF_TIMESTAMPING_TX_SCHED = 1 << 8;
    public static final int SOF_TIMESTAMPING_TX_ACK = 1 << 9;
    public static final int SOF_TIMESTAMPING_OPT_TSONLY = 1 << 11;

    /** Keys count from the call that set the option, whatever is under way then; since 6.2. */
    public static final int SOF_TIMESTAMPING_OPT_ID_TCP = 1 << 16;

    private static final int SIOCOUTQ = 0x5411;
    private static final int SIOCOUTQNSD = 0x894B;
    static final int TCPI_BYTES_ACKED = 120;
    private static final int TCP_CLOSE = 7;

    static final int TIMEVAL_SIZE_OF = 16;
    static final long TV_USEC = 8;

    public static final int SOCKADDR_STORAGE = 128;
    static final int SOCKADDR_IN = 16;
    static final int SOCKADDR_IN6 = 28;
    static final int SUN_PATH = 2;
    static final int SUN_PATH_MAX = 108;

    private static final MemorySegment SOCKET = Native.function("socket");
    private static final MemorySegment BIND = Native.function("bind");
    private static final MemorySegment LISTEN = Native.function("listen");
    private static final MemorySegment ACCEPT4 = Native.function("accept4");
    private static final MemorySegment CONNECT = Native.function("connect");
    private static final MemorySegment SEND = Native.function("send");
    private static final MemorySegment SENDMSG = Native.function("sendmsg");
    private static final MemorySegment RECV = Native.function("recv");
    private static final MemorySegment SHUTDOWN = Native.function("shutdown");
    private static final MemorySegment GETSOCKOPT = Native.function("getsockopt");
    private static final MemorySegment SETSOCKOPT = Native.function("setsockopt");
    private static final MemorySegment GETSOCKNAME = Native.function("getsockname");
    private static final MemorySegment GETPEERNAME = Native.function("getpeername");

    private Sockets() {}

    /** A non-blocking, close-on-exec stream socket of the family, or −errno. */
    public static int stream(int family) {
        return socket(family, SOCK_STREAM);
    }

    /** The same for datagrams. */
    public static int datagram(int family) {
        return socket(family, SOCK_DGRAM);
    }

    private static int socket(int family, int type) {
        return Native.callInt(SOCKET, family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, 0, 0, 0);
    }

    /** The family of an endpoint whose host, if it has one, is an IP address. */
    public static int family(Endpoint endpoint) {
        return switch (endpoint) {
            case Endpoint.Tcp tcp -> InetAddress.ofLiteral(tcp.host()) instanceof Inet6Address ? AF_INET6 : AF_INET;
            case Endpoint.Unix _, Endpoint.Abstract _ -> AF_UNIX;
            case Endpoint.Inherited _ -> throw new IllegalArgumentException(endpoint + " has no address");
        };
    }

    public static int bind(int fd, Endpoint address) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment block = arena.allocate(SOCKADDR_STORAGE, 8);
            int length = encode(address, block);
            return Native.callInt(BIND, fd, block.address(), length, 0, 0, 0);
        }
    }

    /** 0 when connected at once, −EINPROGRESS when not yet. Unix sockets say −EAGAIN when the backlog is full. */
    public static int connect(int fd, Endpoint address) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment block = arena.allocate(SOCKADDR_STORAGE, 8);
            int length = encode(address, block);
            // Not repeated after EINTR: the connection goes on being made, and a second call would say EALREADY.
            return Native.callInt(CONNECT, fd, block.address(), length, 0, 0, 0);
        }
    }

    public static int listen(int fd, int backlog) {
        return Native.callInt(LISTEN, fd, backlog, 0, 0, 0, 0);
    }

    public static int accept(int fd) {
        int result;
        do {
            result = Native.callInt(ACCEPT4, fd, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC, 0, 0);
        } while (result == -Errno.EINTR);
        return result;
    }

    public static long send(int fd, long address, long length) {
        return send(fd, address, length, 0);
    }

    /** The same with {@link #MSG_MORE}, {@link #MSG_EOR}, {@link #MSG_ZEROCOPY}. */
    public static long send(int fd, long address, long length, int flags) {
        long result;
        do {
            result = Native.callLong(SEND, fd, address, length, flags | MSG_NOSIGNAL | MSG_DONTWAIT, 0, 0);
        } while (result == -Errno.EINTR);
        return result;
    }

    /** sendmsg(2) of what a {@link Message} describes. */
    static long send(int fd, long message, int flags) {
        long result;
        do {
            result = Native.callLong(SENDMSG, fd, message, flags | MSG_NOSIGNAL | MSG_DONTWAIT, 0, 0, 0);
        } while (result == -Errno.EINTR);
        return result;
    }

    public static long receive(int fd, long address, long length) {
        return receive(fd, address, length, MSG_DONTWAIT);
    }

    /** Looks at the next bytes without taking them: 0 really is the end of the stream. */
    public static long peek(int fd, long address, long length) {
        return receive(fd, address, length, MSG_DONTWAIT | MSG_PEEK);
    }

    /** Throws the next bytes away: TCP does not even copy them, tcp(7); other sockets use the memory. */
    public static long discard(int fd, long address, long length) {
        return receive(fd, address, length, MSG_DONTWAIT | MSG_TRUNC);
    }

    private static long receive(int fd, long address, long length, int flags) {
        long result;
        do {
            result = Native.callLong(RECV, fd, address, length, flags, 0, 0);
        } while (result == -Errno.EINTR);
        return result;
    }

    public static int shutdown(int fd, int how) {
        return Native.callInt(SHUTDOWN, fd, how, 0, 0, 0, 0);
    }

    public static int option(int fd, int level, int option) {
        return Native.optionInt(GETSOCKOPT, true, fd, level, option, 0);
    }

    public static int setOption(int fd, int level, int option, int value) {
        return Native.optionInt(SETSOCKOPT, false, fd, level, option, value);
    }

    public static int setOption(int fd, int level, int option, byte[] value) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment block = arena.allocateFrom(JAVA_BYTE, value);
            return Native.callInt(SETSOCKOPT, fd, level, option, block.address(), value.length, 0);
        }
    }

    /** Makes the next close send RST and drop what is queued: {@code struct linger {1, 0}}. */
    public static int lingerZero(int fd) {
        return setOption(fd, SOL_SOCKET, SO_LINGER, new byte[] {1, 0, 0, 0, 0, 0, 0, 0});
    }

    /** Takes {@link #lingerZero} back. */
    public static int lingerNormal(int fd) {
        return setOption(fd, SOL_SOCKET, SO_LINGER, new byte[8]);
    }

    /** How many seconds a close lingers, if it does, or −errno. */
    public static int linger(int fd) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment block = arena.allocate(JAVA_LONG);
            int result = option(fd, SO_LINGER, block);
            return result < 0 ? result : block.get(JAVA_INT, Integer.BYTES);
        }
    }

    /** {@link #SO_RCVTIMEO} or {@link #SO_SNDTIMEO} in microseconds, 0 for none, or −errno. */
    public static long timeout(int fd, int option) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment block = arena.allocate(TIMEVAL_SIZE_OF, Long.BYTES);
            int result = option(fd, option, block);
            return result < 0 ? result : block.get(JAVA_LONG, 0) * 1_000_000 + block.get(JAVA_LONG, TV_USEC);
        }
    }

    /**
     * Sets {@link #SO_RCVTIMEO} or {@link #SO_SNDTIMEO}.
     *
     * @param micros 0 to wait for ever; −1 not to wait at all, which the kernel mentions in its log ten times
     */
    public static int setTimeout(int fd, int option, long micros) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment block = arena.allocate(TIMEVAL_SIZE_OF, Long.BYTES);
            block.set(JAVA_LONG, 0, micros < 0 ? -1 : micros / 1_000_000);
            block.set(JAVA_LONG, TV_USEC, micros < 0 ? 0 : micros % 1_000_000);
            return Native.callInt(SETSOCKOPT, fd, SOL_SOCKET, option, block.address(), TIMEVAL_SIZE_OF, 0);
        }
    }

    private static int option(int fd, int option, MemorySegment block) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment length = arena.allocateFrom(JAVA_INT, (int) block.byteSize());
            return Native.callInt(GETSOCKOPT, fd, SOL_SOCKET, option, block.address(), length.address(), 0);
        }
    }

    /**
     * Ends the association by connecting to AF_UNSPEC. On TCP it resets the connection and drops what is queued, and every
     * zero-copy send that this ends is told to the error queue, which a close would not do.
     */
    public static int disconnect(int fd) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment unspecified = arena.allocate(SOCKADDR_IN, 8);
            return Native.callInt(CONNECT, fd, unspecified.address(), SOCKADDR_IN, 0, 0, 0);
        }
    }

    /** How many bytes the peer's TCP has acknowledged since the connection was begun, SYN and FIN included; or −errno. */
    public static long acknowledged(int fd) {
        try (Arena arena = Arena.ofConfined()) {
            int size = TCPI_BYTES_ACKED + Long.BYTES;
            MemorySegment info = arena.allocate(size, 8);
            MemorySegment length = arena.allocateFrom(JAVA_INT, size);
            int result = Native.callInt(GETSOCKOPT, fd, IPPROTO_TCP, TCP_INFO, info.address(), length.address(), 0);
            return result < 0 ? result : info.get(JAVA_LONG, TCPI_BYTES_ACKED);
        }
    }

    /** Whether a TCP connection has ended on both sides, or was reset. */
    public static boolean tcpClosed(int fd) {
        // The first byte of struct tcp_info is the state, and the next three hold less than is asked for here.
        return (option(fd, IPPROTO_TCP, TCP_INFO) & 0xFF) == TCP_CLOSE;
    }

    /** Bytes of a TCP socket that have not left for the first time, or −errno. */
    public static int unsent(int fd) {
        return Files.ioctlOut(fd, SIOCOUTQNSD);
    }

    /** Bytes that the peer's TCP has not acknowledged, or for a Unix socket a measure of what is unread; or −errno. */
    public static int unacknowledged(int fd) {
        return Files.ioctlOut(fd, SIOCOUTQ);
    }

    public static Endpoint localAddress(int fd) {
        return name(GETSOCKNAME, fd);
    }

    public static Endpoint remoteAddress(int fd) {
        return name(GETPEERNAME, fd);
    }

    /** Whether the socket has a peer. */
    public static boolean connected(int fd) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment block = arena.allocate(SOCKADDR_STORAGE, 8);
            MemorySegment length = arena.allocateFrom(JAVA_INT, SOCKADDR_STORAGE);
            return Native.callInt(GETPEERNAME, fd, block.address(), length.address(), 0, 0, 0) == 0;
        }
    }

    /** Whether a socket of TCP or UDP is connected to this machine. */
    public static boolean toThisMachine(int fd) {
        if (!(remoteAddress(fd) instanceof Endpoint.Tcp peer)) {
            return false;
        }
        return InetAddress.ofLiteral(peer.host()).isLoopbackAddress()
                || localAddress(fd) instanceof Endpoint.Tcp here && here.host().equals(peer.host());
    }

    /** Null when there is none, or none that we know how to read. */
    private static Endpoint name(MemorySegment function, int fd) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment block = arena.allocate(SOCKADDR_STORAGE, 8);
            MemorySegment length = arena.allocateFrom(JAVA_INT, SOCKADDR_STORAGE);
            if (Native.callInt(function, fd, block.address(), length.address(), 0, 0, 0) < 0) {
                return null;
            }
            return decode(block, length.get(JAVA_INT, 0));
        }
    }

    /** Writes the socket address into a block of {@link #SOCKADDR_STORAGE} bytes; its length. */
    public static int encode(Endpoint address, MemorySegment block) {
        return switch (address) {
            case Endpoint.Tcp tcp -> encodeTcp(block, InetAddress.ofLiteral(tcp.host()), tcp.port());
            case Endpoint.Unix unix -> encodeUnix(block, unix.path(), SUN_PATH);
            case Endpoint.Abstract name -> encodeUnix(block, name.name(), SUN_PATH + 1);
            case Endpoint.Inherited _ -> throw new IllegalArgumentException(address + " has no address");
        };
    }

    private static int encodeTcp(MemorySegment block, InetAddress host, int port) {
        byte[] ip = host.getAddress();
        block.set(JAVA_SHORT, 2, Short.reverseBytes((short) port));
        if (host instanceof Inet6Address v6) {
            block.set(JAVA_SHORT, 0, (short) AF_INET6);
            MemorySegment.copy(ip, 0, block, JAVA_BYTE, 8, ip.length);
            block.set(JAVA_INT, 24, v6.getScopeId());
            return SOCKADDR_IN6;
        }
        block.set(JAVA_SHORT, 0, (short) AF_INET);
        MemorySegment.copy(ip, 0, block, JAVA_BYTE, 4, ip.length);
        return SOCKADDR_IN;
    }

    /** @throws IllegalArgumentException if a Unix name is too long for a sockaddr_un */
    public static void requireFits(Endpoint endpoint) {
        String text = endpoint instanceof Endpoint.Unix unix ? unix.path() : "";
        text = endpoint instanceof Endpoint.Abstract name ? name.name() : text;
        if (text.getBytes(StandardCharsets.UTF_8).length >= SUN_PATH_MAX) {
            throw new IllegalArgumentException(endpoint + ": the name of a Unix socket is at most 107 bytes long");
        }
    }

    private static int encodeUnix(MemorySegment block, String text, int at) {
        byte[] name = text.getBytes(StandardCharsets.UTF_8);
        block.set(JAVA_SHORT, 0, (short) AF_UNIX);
        MemorySegment.copy(name, 0, block, JAVA_BYTE, at, name.length);
        // A path is counted with the zero byte after it, an abstract name with the one before it.
        return SUN_PATH + name.length + 1;
    }

    private static Endpoint decode(MemorySegment block, int length) {
        return switch (block.get(JAVA_SHORT, 0)) {
            case AF_INET -> decodeTcp(block, block.asSlice(4, 4).toArray(JAVA_BYTE));
            case AF_INET6 -> decodeTcp(block, block.asSlice(8, 16).toArray(JAVA_BYTE));
            case AF_UNIX -> decodeUnix(block, length - SUN_PATH);
            default -> null;
        };
    }

    private static Endpoint decodeTcp(MemorySegment block, byte[] ip) {
        int port = Short.toUnsignedInt(Short.reverseBytes(block.get(JAVA_SHORT, 2)));
        try {
            // The JDK makes an Inet4Address of a mapped one, so the v4 client of a dual-stack listener is shown as v4.
            InetAddress host = InetAddress.getByAddress(ip);
            int scope = host instanceof Inet6Address ? block.get(JAVA_INT, 24) : 0;
            return Endpoint.of(scope == 0 ? host : Inet6Address.getByAddress(null, ip, scope), port);
        } catch (UnknownHostException e) {
            throw new AssertionError("an address of the right length", e);
        }
    }

    private static Endpoint decodeUnix(MemorySegment block, int length) {
        if (length <= 0) {
            return new Endpoint.Unix("");
        }
        byte[] path = block.asSlice(SUN_PATH, length).toArray(JAVA_BYTE);
        if (path[0] == 0) {
            return new Endpoint.Abstract(new String(path, 1, length - 1, StandardCharsets.UTF_8));
        }
        int end = path[length - 1] == 0 ? length - 1 : length;
        return new Endpoint.Unix(new String(path, 0, end, StandardCharsets.UTF_8));
    }
}
