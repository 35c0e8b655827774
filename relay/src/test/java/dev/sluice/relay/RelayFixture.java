package dev.sluice.relay;

import dev.sluice.io.Endpoint;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;

/** A relay in front of a server whose peers are plain sockets of the JDK, so that nothing tests itself. */
final class RelayFixture implements AutoCloseable {
    static final Endpoint ANY_PORT = Endpoint.parse("127.0.0.1:0");

    private static final int BACKLOG = 512;

    final ServerSocket server = new ServerSocket(0, BACKLOG, InetAddress.getLoopbackAddress());
    final BlockingQueue<SessionRecord> records = new LinkedBlockingQueue<>();
    final Relay relay;

    RelayFixture() throws IOException {
        this(service -> service);
    }

    RelayFixture(UnaryOperator<Service> change) throws IOException {
        this(change, config -> config);
    }

    RelayFixture(UnaryOperator<Service> change, UnaryOperator<RelayConfig> changeAll) throws IOException {
        Service service = Service.of("test", ANY_PORT, address(server));
        relay = Relay.start(
                changeAll.apply(RelayConfig.of(change.apply(service)).onEnd(records::add)));
    }

    /** With the times changed. */
    static RelayFixture timed(UnaryOperator<Timeouts> change) throws IOException {
        return new RelayFixture(service -> service.timeouts(change.apply(service.timeouts())));
    }

    /** From any port to these targets. */
    static Relay relay(Endpoint... targets) throws IOException {
        return Relay.start(RelayConfig.of(Service.of("test", ANY_PORT, targets)));
    }

    static int port(Relay relay) {
        return ((Endpoint.Tcp) relay.endpoints().getFirst()).port();
    }

    static Endpoint address(ServerSocket server) {
        return new Endpoint.Tcp("127.0.0.1", server.getLocalPort());
    }

    /** Connects to the relay. */
    Socket client() throws IOException {
        return new Socket(InetAddress.getLoopbackAddress(), port(relay));
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
