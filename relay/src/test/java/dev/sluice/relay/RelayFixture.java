package dev.sluice.relay;

import dev.sluice.io.Endpoint;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;

/** A relay in front of a server whose peers are plain sockets of the JDK, so that nothing tests itself. */
final class RelayFixture implements AutoCloseable {
    private static final int BACKLOG = 512;

    final ServerSocket server = new ServerSocket(0, BACKLOG, InetAddress.getLoopbackAddress());
    final BlockingQueue<SessionRecord> records = new LinkedBlockingQueue<>();
    final Relay relay;

    RelayFixture() throws IOException {
        this(options -> options);
    }

    RelayFixture(UnaryOperator<RelayOptions> change) throws IOException {
        relay = Relay.start(
                Endpoint.parse("127.0.0.1:0"),
                List.of(address(server)),
                change.apply(RelayOptions.DEFAULT.onEnd(records::add)));
    }

    static Endpoint address(ServerSocket server) {
        return new Endpoint.Tcp("127.0.0.1", server.getLocalPort());
    }

    /** Connects to the relay. */
    Socket client() throws IOException {
        return new Socket(InetAddress.getLoopbackAddress(), ((Endpoint.Tcp) relay.endpoint()).port());
    }

    /** The next record, for which the relay has some time. */
    SessionRecord record() throws InterruptedException {
        SessionRecord record = records.poll(20, TimeUnit.SECONDS);
        if (record == null) {
            throw new AssertionError("the session has not ended");
        }
        return record;
    }

    @Override
    public void close() throws IOException {
        relay.close();
        server.close();
    }
}
