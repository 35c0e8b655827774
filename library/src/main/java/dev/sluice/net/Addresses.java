package dev.sluice.net;

import dev.sluice.internal.linux.Errno;
import dev.sluice.internal.linux.Files;
import dev.sluice.internal.linux.Native;
import dev.sluice.internal.linux.Sockets;
import dev.sluice.io.Endpoint;
import dev.sluice.io.SluiceException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.List;
import java.util.stream.Stream;

/** Turns endpoints into those that the kernel understands. */
final class Addresses {
    private Addresses() {}

    /** The endpoint with an IP address for its host, once per address of a name. */
    static List<Endpoint> resolve(Endpoint endpoint, boolean connecting) throws UnknownHostException {
        requireLinux();
        if (!(endpoint instanceof Endpoint.Tcp tcp)) {
            Sockets.requireFits(endpoint);
            return List.of(endpoint);
        }
        if (tcp.host().isEmpty()) {
            // A socket of IPv6 can take IPv4 connections, too; see StreamListener.
            return List.of(new Endpoint.Tcp(connecting ? "127.0.0.1" : "::", tcp.port()));
        }
        InetAddress[] addresses;
        try {
            addresses = InetAddress.getAllByName(tcp.host());
        } catch (UnknownHostException e) {
            throw new UnknownHostException(tcp + ": no address is known for host '" + tcp.host() + "'");
        }
        return Stream.of(addresses)
                .<Endpoint>map(address -> Endpoint.of(address, tcp.port()))
                .toList();
    }

    static void requireLinux() {
        if (!Native.available()) {
            throw new UnsupportedOperationException("Sluice's own sockets are not available: " + Native.unavailable());
        }
    }

    static void requireStream(Endpoint.Inherited inherited) throws SluiceException {
        requireLinux();
        Files.Status status = Files.status(inherited.number());
        if (status == null) {
            throw new SluiceException(inherited + ": the descriptor is not open", "statx", Errno.EBADF);
        }
        int type = Sockets.option(inherited.number(), Sockets.SOL_SOCKET, Sockets.SO_TYPE);
        if (!status.is(Files.S_IFSOCK) || type != Sockets.SOCK_STREAM) {
            throw new SluiceException(inherited + ": not a stream socket", "getsockopt", Errno.EOPNOTSUPP);
        }
    }
}
