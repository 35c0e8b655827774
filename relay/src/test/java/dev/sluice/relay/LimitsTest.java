package dev.sluice.relay;

import static dev.sluice.relay.RelayFixture.ANY_PORT;
import static dev.sluice.relay.RelayFixture.address;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.io.Endpoint;
import dev.sluice.relay.SessionRecord.End;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A service takes on no more than it is told; who has to wait does so in order, and not for ever. */
@Timeout(60)
class LimitsTest {
    private static final Duration LONG = Duration.ofMinutes(1);

    private static RelayFixture limited(UnaryOperator<Limits> change) throws IOException {
        return new RelayFixture(service -> service.limits(change.apply(Limits.NONE)));
    }

    private static void assertReset(Socket socket) {
        assertThatThrownBy(() -> socket.getInputStream().read()).isInstanceOf(SocketException.class);
    }

    private static void assertTalking(Socket client, Socket server) throws IOException {
        client.getOutputStream().write(42);
        assertThat(server.getInputStream().read()).isEqualTo(42);
    }

    private static void awaitService(Relay relay, Predicate<RelayStats.OfService> condition) throws Exception {
        while (!condition.test(relay.stats().services().getFirst())) {
            Thread.sleep(5);
        }
    }

    @Test
    @DisplayName("More connections than the maximum wait in the queue, and are served in order")
    void queue() throws Exception {
        try (RelayFixture fixture = limited(limits -> limits.maxConnections(1).queue(10, LONG));
                Socket first = fixture.client();
                Socket atFirst = fixture.server.accept();
                Socket second = fixture.client()) {
            awaitService(fixture.relay, service -> service.waiting() == 1);
            try (Socket third = fixture.client()) {
                awaitService(fixture.relay, service -> service.waiting() == 2);
                second.getOutputStream().write(2);
                third.getOutputStream().write(3);
                assertTalking(first, atFirst);
                first.close();
                atFirst.close();
                try (Socket atSecond = fixture.server.accept()) {
                    assertThat(atSecond.getInputStream().read()).isEqualTo(2);
                    awaitService(fixture.relay, service -> service.waiting() == 1 && service.active() == 1);
                    second.close();
                }
                try (Socket atThird = fixture.server.accept()) {
                    assertThat(atThird.getInputStream().read()).isEqualTo(3);
                }
            }
        }
    }

    @Test
    @DisplayName("Who comes when the queue is full is reset at once, and the record says why")
    void full() throws Exception {
        try (RelayFixture fixture = limited(limits -> limits.maxConnections(1).queue(0, LONG));
                Socket first = fixture.client();
                Socket atFirst = fixture.server.accept();
                Socket second = fixture.client()) {
            assertReset(second);
            SessionRecord record = fixture.record();
            assertThat(record.toTarget().end()).isEqualTo(End.REFUSED);
            assertThat(record.toClient().end()).isEqualTo(End.REFUSED);
            assertThat(record.tries()).isZero();
            assertThat(record.error()).isEqualTo("service test: all places are taken, and the queue is full");
            assertThat(fixture.relay.stats().services().getFirst().refused()).isEqualTo(1);
            assertTalking(first, atFirst);
        }
    }

    @Test
    @DisplayName("Who waits too long is reset")
    void late() throws Exception {
        try (RelayFixture fixture = limited(limits -> limits.maxConnections(1).queue(10, Duration.ofMillis(50)));
                Socket first = fixture.client();
                Socket atFirst = fixture.server.accept();
                Socket second = fixture.client()) {
            assertReset(second);
            SessionRecord record = fixture.record();
            assertThat(record.toTarget().end()).isEqualTo(End.REFUSED);
            assertThat(record.error()).isEqualTo("service test: no place became free in 50 ms");
            assertTalking(first, atFirst);
        }
    }

    @Test
    @DisplayName("A client that leaves while it waits is taken out: nobody connects to the target for it")
    void leaves() throws Exception {
        try (RelayFixture fixture = limited(limits -> limits.maxConnections(1).queue(10, LONG));
                Socket first = fixture.client();
                Socket atFirst = fixture.server.accept()) {
            Socket closing = fixture.client();
            awaitService(fixture.relay, service -> service.waiting() == 1);
            closing.close();
            assertThat(fixture.record().toTarget().end()).isEqualTo(End.FIN);

            Socket resetting = fixture.client();
            resetting.getOutputStream().write(1);
            awaitService(fixture.relay, service -> service.waiting() == 1);
            resetting.setSoLinger(true, 0);
            resetting.close();
            SessionRecord record = fixture.record();
            assertThat(record.toTarget().end()).isEqualTo(End.RST);
            assertThat(record.error()).contains("left");
            awaitService(fixture.relay, service -> service.waiting() == 0);
            assertTalking(first, atFirst);
        }
    }

    @Test
    @DisplayName("A client that has sent its whole request while it waits is served all the same")
    void halfClosed() throws Exception {
        try (RelayFixture fixture = limited(limits -> limits.maxConnections(1).queue(10, LONG));
                Socket first = fixture.client();
                Socket atFirst = fixture.server.accept();
                Socket second = fixture.client()) {
            second.getOutputStream().write(7);
            awaitService(fixture.relay, service -> service.waiting() == 1);
            second.shutdownOutput();
            first.close();
            atFirst.close();
            try (Socket atSecond = fixture.server.accept()) {
                assertThat(atSecond.getInputStream().readAllBytes()).containsExactly(7);
                atSecond.getOutputStream().write(8);
                atSecond.shutdownOutput();
                assertThat(second.getInputStream().readAllBytes()).containsExactly(8);
            }
        }
    }

    @Test
    @DisplayName("A drain cuts off who still waits; a reload that makes room lets them in, and to the new target")
    void waitingAndReload() throws Exception {
        try (ServerSocket other = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
                RelayFixture fixture =
                        limited(limits -> limits.maxConnections(1).queue(10, LONG));
                Socket first = fixture.client();
                Socket atFirst = fixture.server.accept();
                Socket second = fixture.client();
                Socket third = fixture.client()) {
            awaitService(fixture.relay, service -> service.waiting() == 2);
            Service service = fixture.relay.config().services().getFirst();
            fixture.relay.apply(fixture.relay
                    .config()
                    .services(List.of(service.targets(TargetGroup.of(address(other)))
                            .limits(service.limits().maxConnections(2)))));
            try (Socket atOther = other.accept()) {
                second.getOutputStream().write(1);
                third.getOutputStream().write(1);
                assertThat(atOther.getInputStream().read()).isEqualTo(1);
                assertTalking(first, atFirst);
                assertThat(fixture.relay.drain(Duration.ZERO)).isEqualTo(3);
                assertThat(fixture.relay.stats().services().getFirst().waiting())
                        .isZero();
            }
        }
    }

    @Test
    @DisplayName("A target that is full gets no more, whichever service it comes from")
    void targetMaximum() throws Exception {
        try (ServerSocket one = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
                ServerSocket two = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
            TargetGroup both = TargetGroup.of(List.of(
                    Target.of(address(one)).maxConnections(1),
                    Target.of(address(two)).maxConnections(1)));
            TargetGroup onlyTwo = TargetGroup.of(List.of(Target.of(address(two)).maxConnections(1)));
            try (Relay relay = Relay.start(RelayConfig.of(
                            Service.of("both", List.of(ANY_PORT), both),
                            Service.of("two", List.of(ANY_PORT), onlyTwo)));
                    Socket first = connect(relay, 0);
                    Socket atOne = one.accept();
                    Socket second = connect(relay, 0);
                    Socket atTwo = two.accept();
                    Socket waiting = connect(relay, 1)) {
                assertTalking(first, atOne);
                assertTalking(second, atTwo);
                while (relay.stats().services().get(1).waiting() == 0) {
                    Thread.sleep(5);
                }
                second.close();
                atTwo.close();
                try (Socket again = two.accept()) {
                    assertTalking(waiting, again);
                }
            }
        }
    }

    private static Socket connect(Relay relay, int listener) throws IOException {
        int port = ((Endpoint.Tcp) relay.endpoints().get(listener)).port();
        return new Socket(InetAddress.getLoopbackAddress(), port);
    }

    @Test
    @DisplayName("A crowd gets through, no target ever has more than its share, and all places are free at the end")
    void crowd() throws Exception {
        int clients = 300;
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
                Counting one = new Counting(threads);
                Counting two = new Counting(threads)) {
            TargetGroup group = TargetGroup.of(List.of(
                            Target.of(address(one.server)).maxConnections(2),
                            Target.of(address(two.server)).maxConnections(3)))
                    .balance(Balance.LEAST_CONNECTIONS);
            Service service = Service.of("crowd", List.of(ANY_PORT), group)
                    .limits(Limits.NONE.maxConnections(4).queue(clients, LONG));
            try (Relay relay = Relay.start(RelayConfig.of(service).threads(2))) {
                List<Future<Integer>> answers = new ArrayList<>();
                for (int i = 0; i < clients; i++) {
                    answers.add(threads.submit(() -> {
                        try (Socket client = connect(relay, 0)) {
                            client.getOutputStream().write(5);
                            if (ThreadLocalRandom.current().nextInt(10) == 0) {
                                return 6;
                            }
                            return client.getInputStream().read();
                        }
                    }));
                }
                for (Future<Integer> answer : answers) {
                    assertThat(answer.get()).isEqualTo(6);
                }
                assertThat(relay.drain(LONG)).isZero();
                assertThat(one.most.get()).isBetween(1, 2);
                assertThat(two.most.get()).isBetween(1, 3);
                RelayStats.OfService stats = relay.stats().services().getFirst();
                assertThat(stats.active() + stats.waiting() + stats.refused()).isZero();
                assertThat(stats.bytesToTarget()).isBetween(1L, (long) clients);
            }
        }
    }

    /** A server that knows how many connections it had at most. */
    private static final class Counting implements AutoCloseable {
        private final ServerSocket server = new ServerSocket(0, 500, InetAddress.getLoopbackAddress());
        private final AtomicInteger now = new AtomicInteger();
        private final AtomicInteger most = new AtomicInteger();

        private Counting(ExecutorService threads) throws IOException {
            threads.submit(() -> {
                while (true) {
                    Socket accepted = server.accept();
                    most.accumulateAndGet(now.incrementAndGet(), Math::max);
                    threads.submit(() -> serve(accepted));
                }
            });
        }

        private Void serve(Socket accepted) throws Exception {
            try (accepted) {
                accepted.getInputStream().read();
                Thread.sleep(1);
                // Counted down before the relay can know that the place is free.
                now.decrementAndGet();
                accepted.getOutputStream().write(6);
            }
            return null;
        }

        @Override
        public void close() throws IOException {
            server.close();
        }
    }

    @Test
    @DisplayName("Who is not allowed is reset, from the next configuration on, too")
    void access() throws Exception {
        try (RelayFixture fixture = new RelayFixture(service -> service.access(AccessList.of("deny 127.0.0.0/8")));
                Socket denied = fixture.client()) {
            assertReset(denied);
            SessionRecord record = fixture.record();
            assertThat(record.toTarget().end()).isEqualTo(End.REFUSED);
            assertThat(record.error()).isEqualTo("service test: this client's address is not allowed");
            Service service = fixture.relay.config().services().getFirst();
            Changes changes = fixture.relay.apply(
                    fixture.relay.config().services(List.of(service.access(AccessList.of("allow 127.0.0.1")))));
            assertThat(changes.changed()).containsExactly("test");
            try (Socket allowed = fixture.client();
                    Socket server = fixture.server.accept()) {
                assertTalking(allowed, server);
            }
        }
        assertThat(AccessList.of("allow ::1", "deny ::/0")).isEqualTo(AccessList.of("allow ::1", "deny ::/0"));
    }

    @Test
    @DisplayName("Beyond its rate a client is reset; a service's rate only makes it wait")
    void connectionRates() throws Exception {
        try (RelayFixture fixture = limited(limits -> limits.clientRate(1))) {
            while (fixture.relay.stats().services().getFirst().refused() == 0) {
                fixture.client().close();
            }
            SessionRecord record = fixture.record();
            assertThat(record.toTarget().end()).isEqualTo(End.REFUSED);
            assertThat(record.error()).isEqualTo("service test: more than 1 connections per second of this client");
        }
        try (RelayFixture fixture = limited(limits -> limits.connectionRate(20))) {
            long start = System.nanoTime();
            for (int i = 0; i < 30; i++) {
                fixture.client().close();
            }
            for (int i = 0; i < 30; i++) {
                fixture.server.accept().close();
                assertThat(fixture.record().toTarget().end()).isNotEqualTo(End.REFUSED);
            }
            // Twenty at once, and ten more need half a second: a bucket can't be faster.
            assertThat(System.nanoTime() - start).isGreaterThan(450_000_000L);
        }
    }

    @Test
    @DisplayName("Clients are known by address, networks of IPv6 as one, and no more than so many")
    void clientRates() {
        ClientRates rates = new ClientRates(1);
        assertThat(rates.admits(new Endpoint.Tcp("10.0.0.1", 1), 0)).isTrue();
        assertThat(rates.admits(new Endpoint.Tcp("10.0.0.1", 2), 0)).isFalse();
        assertThat(rates.admits(new Endpoint.Tcp("10.0.0.2", 1), 0)).isTrue();
        assertThat(rates.admits(new Endpoint.Tcp("2001:db8::1", 1), 0)).isTrue();
        assertThat(rates.admits(new Endpoint.Tcp("2001:db8::ffff", 1), 0)).isFalse();
        assertThat(rates.admits(new Endpoint.Tcp("2001:db8:0:1::1", 1), 0)).isTrue();
        assertThat(rates.admits(new Endpoint.Tcp("10.0.0.1", 3), 1_000_000_000L))
                .isTrue();
        for (int i = 0; i < 200_000; i++) {
            rates.admits(new Endpoint.Tcp("11." + (i >> 16) + "." + (i >> 8 & 255) + "." + (i & 255), 1), 0);
        }
        assertThat(rates.known()).isEqualTo(ClientRates.MOST);
    }

    @Test
    @DisplayName("Bytes are held back, each connection's and all together, and arrive whole")
    void byteRates() throws Exception {
        int size = 200_000;
        for (Limits limits : List.of(Limits.NONE.byteRate(400_000), Limits.NONE.serviceByteRate(400_000))) {
            try (RelayFixture fixture = limited(_ -> limits);
                    Socket client = fixture.client();
                    Socket server = fixture.server.accept()) {
                long start = System.nanoTime();
                Thread writer = Thread.ofVirtual().start(() -> {
                    try {
                        client.getOutputStream().write(new byte[size]);
                        client.shutdownOutput();
                    } catch (IOException e) {
                        // The reader misses the bytes.
                    }
                });
                assertThat(server.getInputStream().readAllBytes()).hasSize(size);
                writer.join();
                // 40,000 at once, and the rest needs 400 ms.
                assertThat(System.nanoTime() - start).isGreaterThan(350_000_000L);
            }
        }
    }

    @Test
    @DisplayName("Limits that can't be are refused")
    void refused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Limits.NONE.maxConnections(-1))
                .withMessage("maximum of connections -1 is negative");
        assertThatIllegalArgumentException().isThrownBy(() -> Limits.NONE.queue(1, Duration.ZERO));
    }
}
