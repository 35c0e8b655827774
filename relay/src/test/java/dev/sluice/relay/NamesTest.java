package dev.sluice.relay;

import static dev.sluice.relay.RelayFixture.ANY_PORT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.io.Endpoint;
import dev.sluice.relay.Names.Name;
import dev.sluice.relay.SessionRecord.End;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Names of targets whose answers change, fail, hang, or are long; each test decides what a name stands for. */
@Timeout(60)
class NamesTest {
    private static final Duration AT_ONCE = Duration.ofNanos(1);

    private final List<ServerSocket> servers = new ArrayList<>();
    private final BlockingQueue<SessionRecord> records = new LinkedBlockingQueue<>();
    private int port;

    /** All on the same port, as it is with the addresses of one name. */
    private ServerSocket server(String address) throws IOException {
        ServerSocket server = new ServerSocket(port, 50, InetAddress.ofLiteral(address));
        port = server.getLocalPort();
        servers.add(server);
        return server;
    }

    @AfterEach
    void close() throws IOException {
        for (ServerSocket server : servers) {
            server.close();
        }
    }

    private Relay relay(Name name, Duration resolveInterval, Timeouts timeouts) throws IOException {
        Service service =
                Service.of("names", ANY_PORT, new Endpoint.Tcp(name.host, port)).timeouts(timeouts);
        return Relay.start(RelayConfig.of(service)
                .resolveInterval(resolveInterval)
                .threads(1)
                .onEnd(records::add));
    }

    private static Socket connect(Relay relay) throws IOException {
        Socket client = new Socket(
                InetAddress.getLoopbackAddress(),
                ((Endpoint.Tcp) relay.endpoints().getLast()).port());
        client.getOutputStream().write(42);
        return client;
    }

    private static void assertServed(Relay relay, ServerSocket by) throws IOException {
        try (Socket _ = connect(relay);
                Socket accepted = by.accept()) {
            assertThat(accepted.getInputStream().read()).isEqualTo(42);
        }
    }

    private SessionRecord record() throws InterruptedException {
        SessionRecord record = records.poll(20, TimeUnit.SECONDS);
        assertThat(record).as("the session has not ended").isNotNull();
        return record;
    }

    /** Until an answer has come that the name gives from now on. */
    private static void awaitAsked(Relay relay, Name name, ServerSocket meanwhile) throws IOException {
        int before = name.asked.get();
        while (name.asked.get() < before + 2) {
            assertServed(relay, meanwhile);
        }
    }

    @Test
    @DisplayName("When the answer changes, new connections go to the new address, and the others stay where they are")
    void changes() throws Exception {
        ServerSocket one = server("127.0.0.2");
        ServerSocket two = server("127.0.0.3");
        Name name = Names.name(Names.addresses("127.0.0.2"));
        try (Relay relay = relay(name, AT_ONCE, Timeouts.DEFAULT);
                Socket client = connect(relay);
                Socket atOne = one.accept()) {
            name.answer = Names.addresses("127.0.0.3");
            assertThat(atOne.getInputStream().read()).isEqualTo(42);
            assertServed(relay, two);
            client.getOutputStream().write(43);
            assertThat(atOne.getInputStream().read()).isEqualTo(43);
        }
    }

    @Test
    @DisplayName("An answer serves until it is old; then one lookup serves everybody")
    void interval() throws Exception {
        ServerSocket server = server("127.0.0.2");
        Name name = Names.name(Names.addresses("127.0.0.2"));
        try (Relay relay = relay(name, Duration.ofHours(1), Timeouts.DEFAULT)) {
            for (int i = 0; i < 10; i++) {
                assertServed(relay, server);
            }
            assertThat(name.asked).hasValue(1);
        }
    }

    @Test
    @DisplayName("While the name can't be looked up, the last good answer serves")
    void fails() throws Exception {
        ServerSocket server = server("127.0.0.2");
        Name name = Names.name(Names.addresses("127.0.0.2"));
        try (Relay relay = relay(name, AT_ONCE, Timeouts.DEFAULT)) {
            assertServed(relay, server);
            name.answer = Names.unknown();
            // A failure is tried again after a second.
            awaitAsked(relay, name, server);
            assertServed(relay, server);
        }
    }

    @Test
    @DisplayName(
            "A resolver that breaks is a failure like another: the record says so, and the name is asked for again")
    void breaks() throws Exception {
        ServerSocket server = server("127.0.0.2");
        Name name = Names.name(() -> {
            throw new IllegalStateException("the resolver is broken");
        });
        try (Relay relay = relay(name, AT_ONCE, Timeouts.DEFAULT)) {
            new Socket(InetAddress.getLoopbackAddress(), RelayFixture.port(relay)).close();
            assertThat(record().error()).contains(name.host, "no address is known");
            name.answer = Names.addresses("127.0.0.2");
            Thread accepting = Thread.ofVirtual().start(() -> acceptAll(server));
            new Socket(InetAddress.getLoopbackAddress(), RelayFixture.port(relay)).close();
            while (!record().error().isEmpty()) {
                // A failure is kept for a second.
                Thread.sleep(50);
                new Socket(InetAddress.getLoopbackAddress(), RelayFixture.port(relay)).close();
            }
            server.close();
            accepting.join();
        }
    }

    @Test
    @DisplayName("While a lookup hangs, the last good answer serves, too")
    void hangs() throws Exception {
        ServerSocket server = server("127.0.0.2");
        CountDownLatch hanging = new CountDownLatch(1);
        Name name = Names.name(Names.addresses("127.0.0.2"));
        try (Relay relay = relay(name, AT_ONCE, Timeouts.DEFAULT)) {
            assertServed(relay, server);
            name.answer = () -> {
                hanging.await();
                throw new java.net.UnknownHostException("after all");
            };
            for (int i = 0; i < 2; i++) {
                assertServed(relay, server);
            }
            hanging.countDown();
        }
    }

    @Test
    @DisplayName("A first lookup that hangs costs its connections the connect timeout, and others nothing")
    void hangsAtFirst() throws Exception {
        ServerSocket server = server("127.0.0.2");
        CountDownLatch hanging = new CountDownLatch(1);
        Name name = Names.name(() -> {
            hanging.await();
            throw new java.net.UnknownHostException("after all");
        });
        Service stuck = Service.of("stuck", ANY_PORT, new Endpoint.Tcp(name.host, port))
                .timeouts(Timeouts.DEFAULT.connect(Duration.ofMillis(300)));
        Service fine = Service.of("fine", ANY_PORT, new Endpoint.Tcp("127.0.0.2", port));
        try (Relay relay = Relay.start(RelayConfig.of(stuck, fine).threads(1).onEnd(records::add))) {
            int first = ((Endpoint.Tcp) relay.endpoints().getFirst()).port();
            try (Socket one = new Socket(InetAddress.getLoopbackAddress(), first);
                    Socket two = new Socket(InetAddress.getLoopbackAddress(), first)) {
                try (Socket other = connect(relay);
                        Socket accepted = server.accept()) {
                    assertThat(accepted.getInputStream().read()).isEqualTo(42);
                    assertThat(other.isConnected()).isTrue();
                    for (Socket waiting : List.of(one, two)) {
                        assertThatThrownBy(() -> waiting.getInputStream().read())
                                .isInstanceOf(SocketException.class);
                        SessionRecord record = record();
                        assertThat(record.toTarget().end()).isEqualTo(End.TIMEOUT);
                        assertThat(record.error()).contains(name.host, "not looked up in time");
                    }
                }
            }
            assertThat(name.asked).hasValue(1);
            hanging.countDown();
        }
    }

    @Test
    @DisplayName("Of hundreds of addresses, a connection tries a few, and the next ones do not try the bad ones again")
    void hundreds() throws Exception {
        ServerSocket server = server("127.0.77.7");
        Name name = Names.name(Names.addresses(IntStream.range(0, 400)
                .mapToObj(i -> i == 300 ? "127.0.77.7" : "127.0." + (100 + i / 200) + "." + (1 + i % 200))
                .toArray(String[]::new)));
        try (Relay relay = relay(name, Duration.ofHours(1), Timeouts.DEFAULT)) {
            Thread accepting = Thread.ofVirtual().start(() -> acceptAll(server));
            int failed = 0;
            while (!served(relay)) {
                failed++;
            }
            // Eight at a time.
            assertThat(failed).isBetween(1, 400 / 8);
            for (int i = 0; i < 20; i++) {
                assertThat(served(relay)).isTrue();
            }
            server.close();
            accepting.join();
            assertThat(name.asked).hasValue(1);
        }
    }

    private static void acceptAll(ServerSocket server) {
        while (!server.isClosed()) {
            try {
                server.accept().close();
            } catch (IOException e) {
                // Closed.
            }
        }
    }

    /** One connection, without a byte, as one that is refused may be gone before it can write. */
    private boolean served(Relay relay) throws Exception {
        new Socket(InetAddress.getLoopbackAddress(), RelayFixture.port(relay)).close();
        String error = record().error();
        assertThat(error.isEmpty() || error.contains("ECONNREFUSED")).as(error).isTrue();
        return error.isEmpty();
    }

    @Test
    @DisplayName("The addresses of a name share its connections")
    void shared() throws Exception {
        ServerSocket one = server("127.0.0.2");
        ServerSocket two = server("127.0.0.3");
        Name name = Names.name(Names.addresses("127.0.0.2", "127.0.0.3"));
        try (Relay relay = relay(name, Duration.ofHours(1), Timeouts.DEFAULT)) {
            for (int i = 0; i < 3; i++) {
                assertServed(relay, one);
                assertServed(relay, two);
            }
        }
    }

    @Test
    @DisplayName("An address that does not answer leaves time for the next one")
    void deafAddress() throws Exception {
        ServerSocket deaf = new ServerSocket(0, 1, InetAddress.ofLiteral("127.0.0.2"));
        servers.add(deaf);
        port = deaf.getLocalPort();
        ServerSocket server = server("127.0.0.3");
        Name name = Names.name(Names.addresses("127.0.0.2", "127.0.0.3"));
        // Once the backlog is full, the kernel answers no more.
        try (Socket _ = new Socket(deaf.getInetAddress(), port);
                Socket _ = new Socket(deaf.getInetAddress(), port);
                Relay relay = relay(name, Duration.ofHours(1), Timeouts.DEFAULT.connect(Duration.ofSeconds(1)))) {
            for (int i = 0; i < 4; i++) {
                assertServed(relay, server);
                assertThat(record().tries()).isEqualTo(1);
            }
        }
    }
}
