package dev.sluice.relay;

import dev.sluice.internal.fd.CopyBuffer;
import dev.sluice.internal.fd.Descriptor;
import dev.sluice.internal.linux.Sockets;
import dev.sluice.io.Endpoint;
import dev.sluice.loop.EventLoop;
import dev.sluice.relay.FirstBytes.Expected;
import dev.sluice.relay.Peeked.Found;
import dev.sluice.relay.Peeked.More;
import dev.sluice.relay.Peeked.Rejected;
import dev.sluice.relay.SessionRecord.End;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.function.Consumer;

/**
 * How a connection begins: what its client has to say before a target can be chosen, if the service asks for anything.
 * First comes the PROXY header, which is taken away; then the name of the server in a TLS ClientHello, which stays. On the
 * session's loop.
 */
final class Opening {
    /** Most clients of a Unix socket have no name. */
    private static final Endpoint UNNAMED = new Endpoint.Unix("");

    private final Acceptor acceptor;
    private final Descriptor socket;
    private final EventLoop loop;
    private final Endpoint peer;
    private final Caller caller;

    private FirstBytes<?> reading;
    private ProxyHeader header;
    private String serverName;

    /** Who waits for the beginning to be over; one of the two is told, once. */
    interface Caller {
        /** The client has said what it has to. */
        void opened(Serving serving);

        /** It comes to nothing. */
        void notOpened(End end, String why);
    }

    /** @param peer who connected */
    Opening(Acceptor acceptor, Descriptor socket, EventLoop loop, Endpoint peer, Caller caller) {
        this.acceptor = acceptor;
        this.socket = socket;
        this.loop = loop;
        this.peer = peer;
        this.caller = caller;
    }

    /** May tell the caller before it returns. */
    void start() {
        try {
            next();
        } catch (IOException e) {
            caller.notOpened(End.ERROR, e.getMessage());
        }
    }

    /** What is left to be said, to the service as it is now: it may change between two steps. */
    private void next() throws IOException {
        Serving serving = acceptor.serving();
        Service service = serving.service();
        if (header == null && service.acceptProxy().isPresent()) {
            readHeader(serving, service.acceptProxy().get());
        } else if (serverName == null && service.serverNames().isPresent()) {
            readServerName(service.serverNames().get());
        } else {
            caller.opened(serving);
        }
    }

    private void readHeader(Serving serving, AcceptProxy accept) throws IOException {
        // Asked again: a client that has reset the connection already may hide who it was.
        Endpoint from = Sockets.remoteAddress(socket.fd());
        if (from == null || !serving.proxies().in(from)) {
            caller.notOpened(End.REFUSED, peer + " is not trusted to send PROXY headers");
            return;
        }
        read(
                new Expected<>("the PROXY header", ProxyHeader.MAX_LENGTH, ProxyHeader::parse, accept.timeout()),
                found -> header = found);
    }

    private void readServerName(ServerNames names) throws IOException {
        read(
                new Expected<>(
                        "the TLS ClientHello",
                        ClientHello.MAX_LENGTH,
                        bytes -> serverName(bytes, names.onlyThese()),
                        names.timeout()),
                found -> serverName = found);
    }

    /** Goes on with the next step when it has been found. */
    private <T> void read(Expected<T> expected, Consumer<T> keep) throws IOException {
        FirstBytes<T> first = new FirstBytes<>(
                socket,
                loop,
                expected,
                found -> {
                    keep.accept(found);
                    start();
                },
                caller::notOpened);
        reading = first;
        first.look();
    }

    /** Nothing of it is taken away; it is the target's. Who does not speak TLS has no name. */
    private static Peeked<String> serverName(ByteBuffer bytes, boolean needed) {
        return switch (ClientHello.parse(bytes)) {
            case Found<ClientHello> found -> new Found<>(0, found.value().name());
            case Rejected<ClientHello> rejected -> needed ? new Rejected<>(rejected.reason()) : new Found<>(0, "");
            case More<ClientHello> more -> new More<>(more.bytes());
        };
    }

    /** The caller will not be told any more. */
    void stop() {
        if (reading != null) {
            reading.stop();
        }
    }

    /** Where the connection goes; null if nowhere. */
    Upstreams targets(Serving serving) {
        return serverName == null ? serving.upstreams() : serving.upstreams(serverName);
    }

    /** In words, and in one line. */
    String asked() {
        return serverName == null || serverName.isEmpty() ? "no server name" : "server name " + serverName;
    }

    /** Who the client is, as far as that is believed. */
    Endpoint client() {
        return header == null || header.isNone() || header.source().equals(UNNAMED) ? peer : header.source();
    }

    /** Whether nobody knows: the client has reset the connection, perhaps before its address was asked for. */
    boolean hidden() {
        return client() == peer && Sockets.remoteAddress(socket.fd()) == null;
    }

    /**
     * Tells a target that nobody has written to yet who the client is, if it is to know. The header is no part of the stream:
     * it counts nowhere, and no mirror gets it.
     */
    void introduce(Descriptor target, ProxyProtocol version) throws IOException {
        if (version == ProxyProtocol.NONE) {
            return;
        }
        byte[] bytes = version == ProxyProtocol.V1
                ? addresses().version1()
                : addresses().version2();
        CopyBuffer buffer = CopyBuffer.borrowBriefly();
        buffer.view().clear().put(bytes);
        long sent = Sockets.send(target.fd(), buffer.address(), bytes.length);
        CopyBuffer.giveBack(buffer);
        if (sent < 0) {
            throw target.failure("send", sent);
        }
        if (sent < bytes.length) {
            throw new IOException(target.name() + ": there is no room for the PROXY header");
        }
    }

    private ProxyHeader addresses() {
        Endpoint from = client();
        Endpoint to = from == peer ? Sockets.localAddress(socket.fd()) : header.destination();
        // Version 2 could name Unix sockets, but there are receivers that reset such a connection.
        boolean known = IpAddress.of(from) != null && to != null && IpAddress.of(to) != null;
        return known ? new ProxyHeader(from, to) : ProxyHeader.NONE;
    }
}
