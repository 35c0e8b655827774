package dev.sluice.relay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.MirrorFailure;
import dev.sluice.MirrorPolicy;
import dev.sluice.SlowMirror;
import dev.sluice.io.Endpoint;
import dev.sluice.io.MirrorResult;
import dev.sluice.io.Route;
import dev.sluice.relay.MirrorServer.Copy;
import dev.sluice.relay.SessionRecord.End;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Copies of sessions to other targets: what these get, and that whatever they do, the session is as without them. */
@Timeout(60)
class MirrorTargetsTest {
    private static final Talk LONG = Talk.of(8_000_001, 5_000_003);

    /** Patient enough for a busy machine. */
    private static final MirrorPolicy PATIENT = MirrorPolicy.optional(Duration.ofSeconds(20));

    private static final MirrorPolicy QUICK = MirrorPolicy.optional(Duration.ofMillis(50));

    private static RelayFixture mirrored(Mirroring... mirrors) throws Exception {
        return new RelayFixture(service -> service.mirrors(mirrors));
    }

    private static MirrorResult only(SessionRecord.Direction direction) {
        assertThat(direction.mirrors()).hasSize(1);
        return direction.mirrors().getFirst();
    }

    @ParameterizedTest
    @EnumSource(
            value = Route.class,
            names = {"SPLICE", "COPY"})
    @DisplayName("Each direction has its own copy, whole and with its end; what mirror targets say is never heard")
    void wholeCopies(Route route) throws Exception {
        byte[] chatter = new byte[3_000_000];
        try (MirrorServer requests = new MirrorServer();
                MirrorServer answers = new MirrorServer();
                MirrorServer talker = new MirrorServer(socket -> {
                    Thread.ofVirtual().start(() -> {
                        try {
                            socket.getOutputStream().write(chatter);
                        } catch (Exception e) {
                            // Cut off at the end.
                        }
                    });
                    socket.getInputStream().readAllBytes();
                });
                RelayFixture fixture = new RelayFixture(service -> service.route(route)
                        .mirrors(
                                MirrorTargets.of(requests.address()).policy(PATIENT),
                                MirrorTargets.of(answers.address())
                                        .directions(Directions.TO_CLIENT)
                                        .policy(PATIENT),
                                MirrorTargets.of(talker.address())
                                        .directions(Directions.BOTH)
                                        .policy(PATIENT)))) {
            LONG.through(fixture);
            Copy request = requests.copy();
            Talk.same(request.bytes(), LONG.request());
            assertThat(request.whole()).isTrue();
            Copy answer = answers.copy();
            Talk.same(answer.bytes(), LONG.answer());
            assertThat(answer.whole()).isTrue();

            SessionRecord record = fixture.record();
            assertThat(record.error()).isEmpty();
            assertThat(record.toTarget().mirrors())
                    .hasSize(2)
                    .allMatch(mirror -> mirror.bytes() == LONG.request().length
                            && mirror.failure().isEmpty());
            assertThat(record.toTarget().mirrors().getFirst().name())
                    .isEqualTo(requests.address().toString());
            assertThat(record.toClient().mirrors())
                    .hasSize(2)
                    .allMatch(mirror -> mirror.bytes() == LONG.answer().length
                            && mirror.failure().isEmpty());
            assertThat(record.toTarget().mirrors()).allMatch(mirror -> mirror.route() == route);
            RelayStats.OfMirror stats = fixture.relay.stats().mirrors().get(2);
            assertThat(stats.begun()).isEqualTo(2);
            assertThat(stats.active() + stats.missing() + stats.failed()).isZero();
            assertThat(stats.bytes()).isEqualTo(LONG.request().length + LONG.answer().length);
        }
    }

    @Test
    @DisplayName("A direction that ends has its copy end, while the other goes on")
    void halfClose() throws Exception {
        try (MirrorServer mirror = new MirrorServer();
                RelayFixture fixture =
                        mirrored(MirrorTargets.of(mirror.address()).policy(PATIENT));
                Socket client = fixture.client();
                Socket server = fixture.server.accept()) {
            client.getOutputStream().write(7);
            client.shutdownOutput();
            assertThat(mirror.copy()).matches(copy -> copy.whole() && copy.bytes().length == 1);
            server.getOutputStream().write(9);
            assertThat(client.getInputStream().read()).isEqualTo(9);
        }
    }

    @Test
    @DisplayName("A session that rests holds no pipe, and neither do its copies")
    void idle() throws Exception {
        byte[] bytes = LONG.request();
        try (MirrorServer mirror = new MirrorServer();
                RelayFixture fixture = new RelayFixture(service -> service.route(Route.SPLICE)
                        .mirrors(MirrorTargets.of(mirror.address()).policy(PATIENT)));
                Socket client = fixture.client();
                Socket server = fixture.server.accept()) {
            CompletableFuture<Object> sending = Talk.async(() -> {
                client.getOutputStream().write(bytes);
                return null;
            });
            Talk.same(server.getInputStream().readNBytes(bytes.length), bytes);
            Talk.get(sending);
            while (fixture.relay.stats().pipesLent() > 0) {
                Thread.sleep(1);
            }
            assertThat(fixture.relay.sessions()).isOne();
            assertThat(fixture.relay.stats().mirrors().getFirst().active()).isOne();
        }
    }

    @Test
    @DisplayName("Descriptors of copies are counted, so that a relay stops short of the limit")
    void descriptors() {
        MirrorTargets one = MirrorTargets.of(Endpoint.parse("127.0.0.1:1"));
        Service plain = Service.of("plain", RelayFixture.ANY_PORT, Endpoint.parse("127.0.0.1:1"));
        Service rich = Service.of("rich", RelayFixture.ANY_PORT, Endpoint.parse("127.0.0.1:1"))
                .mirrors(one, one.directions(Directions.BOTH), RecordingPlan.of(Path.of("/tmp")));
        assertThat(RelayConfig.of(plain).descriptorsPerConnection()).isEqualTo(2);
        assertThat(RelayConfig.of(plain, rich).descriptorsPerConnection()).isEqualTo(2 + 1 + 2 + 4);
        RelayConfig config = RelayConfig.of(plain);
        assertThat(new Capacity(config).connections())
                .isGreaterThan(new Capacity(config.services(List.of(rich))).connections());
    }

    @Test
    @DisplayName("A session that is reset has its copy reset: nobody takes a part for the whole")
    void resetIsCopied() throws Exception {
        try (MirrorServer mirror = new MirrorServer();
                RelayFixture fixture = mirrored(MirrorTargets.of(mirror.address())
                        .directions(Directions.BOTH)
                        .policy(PATIENT));
                Socket client = fixture.client();
                Socket server = fixture.server.accept()) {
            client.getOutputStream().write(7);
            assertThat(server.getInputStream().read()).isEqualTo(7);
            client.setSoLinger(true, 0);
            client.close();
            assertThatThrownBy(() -> server.getInputStream().read()).isInstanceOf(SocketException.class);
            assertThat(mirror.copy().whole()).isFalse();
            assertThat(mirror.copy().whole()).isFalse();
        }
    }

    @Test
    @DisplayName("A mirror target that refuses is not missed, and not even tried for a while")
    void refused() throws Exception {
        Endpoint nobody;
        try (ServerSocket closed = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            nobody = RelayFixture.address(closed);
        }
        try (RelayFixture fixture = mirrored(MirrorTargets.of(nobody).policy(PATIENT))) {
            Talk.of(1000, 2000).through(fixture);
            SessionRecord first = fixture.record();
            assertThat(first.error()).isEmpty();
            assertThat(only(first.toTarget()).failure())
                    .hasValueSatisfying(e -> assertThat(e).hasMessageContaining("ECONNREFUSED"));
            assertThat(first.toClient().mirrors()).isEmpty();
            Talk.of(1000, 2000).through(fixture);
            assertThat(only(fixture.record().toTarget()).failure())
                    .hasValueSatisfying(e -> assertThat(e).hasMessageContaining("left for a while"));
            RelayStats stats = fixture.relay.stats();
            assertThat(stats.mirrors().getFirst().missing()).isEqualTo(2);
            assertThat(stats.mirrors().getFirst().begun()).isZero();
            assertThat(stats.targets().getLast())
                    .matches(target -> target.target().equals(nobody) && target.failed() == 1);
        }
    }

    @Test
    @DisplayName(
            "A mirror target that does not answer holds a session up for as long as the patience lasts, and no other")
    void unanswered() throws Exception {
        try (ServerSocket full = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            List<SocketChannel> queue = fill(full);
            try (RelayFixture fixture = mirrored(
                    MirrorTargets.of(RelayFixture.address(full)).policy(QUICK).connectTimeout(Duration.ofMinutes(1)))) {
                for (String why : List.of("not there after", "left for a while")) {
                    Talk.of(100_000, 1).through(fixture);
                    assertThat(only(fixture.record().toTarget()).failure())
                            .hasValueSatisfying(e -> assertThat(e).hasMessageContaining(why));
                }
            } finally {
                for (SocketChannel waiting : queue) {
                    waiting.close();
                }
            }
        }
    }

    @Test
    @DisplayName("Without a copy that must be, a session fails, before a byte has moved and after")
    void mustBe() throws Exception {
        CountDownLatch die = new CountDownLatch(1);
        MirrorServer mirror = new MirrorServer(socket -> {
            die.await();
            socket.setSoLinger(true, 0);
        });
        try (RelayFixture fixture = mirrored(MirrorTargets.of(mirror.address()).policy(MirrorPolicy.COMPLETE))) {
            try (Socket client = fixture.client();
                    Socket server = fixture.server.accept()) {
                client.getOutputStream().write(1);
                assertThat(server.getInputStream().read()).isEqualTo(1);
                die.countDown();
                assertThatThrownBy(() -> client.getInputStream().read()).isInstanceOf(SocketException.class);
                assertThatThrownBy(() -> server.getInputStream().read()).isInstanceOf(SocketException.class);
                SessionRecord record = fixture.record();
                assertThat(record.error()).contains(mirror.address().toString()).contains("ECONNRESET");
                assertThat(record.toTarget().end()).isEqualTo(End.ERROR);
                assertThat(record.toClient().end()).isEqualTo(End.ERROR);
            }
            mirror.close();
            try (Socket client = fixture.client()) {
                assertThatThrownBy(() -> client.getInputStream().read()).isInstanceOf(SocketException.class);
                SessionRecord record = fixture.record();
                assertThat(record.error()).contains("ECONNREFUSED");
                assertThat(record.toTarget().end()).isEqualTo(End.ERROR);
            }
        } finally {
            mirror.close();
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = Route.class,
            names = {"SPLICE", "COPY"})
    @DisplayName(
            "A mirror target that stalls is cut off; what it got is a beginning, and it is told that it is no more")
    void stalled(Route route) throws Exception {
        CountDownLatch go = new CountDownLatch(1);
        CompletableFuture<Copy> got = new CompletableFuture<>();
        try (MirrorServer reader = new MirrorServer();
                MirrorServer mirror = new MirrorServer(socket -> {
                    go.await();
                    reader.readAll(socket);
                });
                RelayFixture fixture = new RelayFixture(service -> service.route(route)
                        .mirrors(MirrorTargets.of(mirror.address()).policy(QUICK)))) {
            try (Socket client = fixture.client();
                    Socket server = fixture.server.accept()) {
                LONG.between(client, server);
            }
            MirrorResult result = only(fixture.record().toTarget());
            assertThat(result.failure())
                    .hasValueSatisfying(e -> assertThat(e).hasMessageContaining("held the stream up"));
            go.countDown();
            Copy copy = reader.copy();
            assertThat(copy.whole()).isFalse();
            Talk.beginning(copy.bytes(), LONG.request());
            assertThat(result.bytes()).isLessThan(LONG.request().length);
            assertThat(fixture.relay.stats().mirrors().getFirst().failed()).isOne();
        }
    }

    @Test
    @DisplayName("A mirror target that is slow and waited for gets everything")
    void slowAndAwaited() throws Exception {
        try (MirrorServer reader = new MirrorServer();
                MirrorServer mirror = new MirrorServer(socket -> {
                    Thread.sleep(300);
                    reader.readAll(socket);
                });
                RelayFixture fixture = mirrored(MirrorTargets.of(mirror.address())
                        .policy(new MirrorPolicy(MirrorFailure.DETACH, SlowMirror.BLOCK, Duration.ZERO)))) {
            LONG.through(fixture);
            Copy copy = reader.copy();
            assertThat(copy.whole()).isTrue();
            Talk.same(copy.bytes(), LONG.request());
            assertThat(only(fixture.record().toTarget()).failure()).isEmpty();
        }
    }

    @Test
    @DisplayName("A mirror target that dies is noticed while nothing flows, and the session goes on")
    void dies() throws Exception {
        try (MirrorServer mirror = new MirrorServer(socket -> {
                    socket.getInputStream().read();
                    socket.setSoLinger(true, 0);
                });
                RelayFixture fixture =
                        mirrored(MirrorTargets.of(mirror.address()).policy(PATIENT))) {
            try (Socket client = fixture.client();
                    Socket server = fixture.server.accept()) {
                client.getOutputStream().write(1);
                assertThat(server.getInputStream().read()).isEqualTo(1);
                // Only reading it tells: nothing is written.
                while (fixture.relay.stats().targets().getLast().active() > 0) {
                    Thread.sleep(1);
                }
                LONG.between(client, server);
            }
            MirrorResult result = only(fixture.record().toTarget());
            assertThat(result.failure()).hasValueSatisfying(e -> assertThat(e).hasMessageContaining("ECONNRESET"));
            assertThat(result.bytes()).isOne();
        }
    }

    @Test
    @DisplayName("A mirror target that says goodbye before it has begun still gets everything")
    void halfClosedByTheTarget() throws Exception {
        try (MirrorServer reader = new MirrorServer();
                MirrorServer mirror = new MirrorServer(socket -> {
                    socket.shutdownOutput();
                    reader.readAll(socket);
                });
                RelayFixture fixture =
                        mirrored(MirrorTargets.of(mirror.address()).policy(PATIENT))) {
            LONG.through(fixture);
            Copy copy = reader.copy();
            assertThat(copy.whole()).isTrue();
            Talk.same(copy.bytes(), LONG.request());
        }
    }

    @Test
    @DisplayName("A copy to a Unix socket")
    void unix(@TempDir Path directory) throws Exception {
        Path path = directory.resolve("mirror");
        try (ServerSocketChannel listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            listener.bind(UnixDomainSocketAddress.of(path));
            CompletableFuture<byte[]> got = Talk.async(() -> {
                try (SocketChannel channel = listener.accept()) {
                    channel.write(ByteBuffer.wrap(new byte[50_000]));
                    ByteBuffer bytes = ByteBuffer.allocate(LONG.request().length + 1);
                    while (channel.read(bytes) >= 0) {
                        // To the end.
                    }
                    byte[] all = new byte[bytes.flip().remaining()];
                    bytes.get(all);
                    return all;
                }
            });
            try (RelayFixture fixture = mirrored(
                    MirrorTargets.of(new Endpoint.Unix(path.toString())).policy(PATIENT))) {
                LONG.through(fixture);
                Talk.same(Talk.get(got), LONG.request());
                assertThat(only(fixture.record().toTarget()).failure()).isEmpty();
            }
        }
    }

    @Test
    @DisplayName("Many sessions at once with mirrors of every kind: all bytes arrive, and no descriptor stays behind")
    void underLoad() throws Exception {
        int sessions = 40;
        Talk talk = Talk.of(1_500_000, 700_000);
        long before = sockets();
        try (MirrorServer good = new MirrorServer();
                MirrorServer stalled = new MirrorServer(socket -> Thread.sleep(60_000));
                MirrorServer dying = new MirrorServer(socket -> {
                    socket.getInputStream().readNBytes(200_000);
                    socket.setSoLinger(true, 0);
                });
                RelayFixture fixture = mirrored(
                        MirrorTargets.of(good.address()).policy(PATIENT),
                        MirrorTargets.of(stalled.address())
                                .directions(Directions.BOTH)
                                .policy(QUICK),
                        MirrorTargets.of(dying.address())
                                .directions(Directions.BOTH)
                                .policy(PATIENT))) {
            List<CompletableFuture<Void>> all = new ArrayList<>();
            for (int i = 0; i < sessions; i++) {
                all.add(talk.begin(fixture));
            }
            for (CompletableFuture<Void> one : all) {
                Talk.get(one);
                SessionRecord record = fixture.record();
                assertThat(record.error()).isEmpty();
                assertThat(record.toTarget().bytes()).isEqualTo(talk.request().length);
                assertThat(record.toClient().bytes()).isEqualTo(talk.answer().length);
                Copy copy = good.copy();
                assertThat(copy.whole()).isTrue();
                Talk.same(copy.bytes(), talk.request());
            }
            assertThat(fixture.relay.stats().mirrors()).allMatch(mirror -> mirror.active() == 0);
            assertThat(fixture.relay.stats().mirrors().getFirst().bytes())
                    .isEqualTo((long) sessions * talk.request().length);
        }
        while (sockets() > before + sessions * 2) {
            // The stalled servers keep theirs.
            Thread.sleep(5);
        }
    }

    private static long sockets() {
        Path descriptors = Path.of("/proc/self/fd");
        try (Stream<Path> all = Files.list(descriptors)) {
            return all.filter(MirrorTargetsTest::isSocket).count();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static boolean isSocket(Path descriptor) {
        try {
            return Files.readSymbolicLink(descriptor).toString().startsWith("socket:");
        } catch (IOException e) {
            return false;
        }
    }

    @Test
    @DisplayName("Mirror targets that do anything at any time: sessions are as without them, copies whole or reset")
    void randomFates() throws Exception {
        Random fates = new Random(28);
        int sessions = 120;
        try (MirrorServer reader = new MirrorServer();
                MirrorServer moody = new MirrorServer(socket -> {
                    int fate;
                    int when;
                    synchronized (fates) {
                        fate = fates.nextInt(6);
                        when = fates.nextInt(400_000);
                    }
                    byte[] begun =
                            fate == 0 ? new byte[0] : socket.getInputStream().readNBytes(when);
                    switch (fate) {
                        case 1 -> socket.setSoLinger(true, 0);
                        case 2 -> Thread.sleep(300);
                        case 3 -> socket.shutdownOutput();
                        case 4 -> socket.getOutputStream().write(new byte[300_000]);
                        default -> {
                            // Leaves, or goes on.
                        }
                    }
                    if (fate > 1) {
                        reader.readAll(socket, begun);
                    }
                });
                RelayFixture fixture = mirrored(
                        MirrorTargets.of(moody.address())
                                .directions(Directions.BOTH)
                                .policy(MirrorPolicy.optional(Duration.ofMillis(100))),
                        MirrorTargets.of(moody.address())
                                .policy(new MirrorPolicy(MirrorFailure.DETACH, SlowMirror.BLOCK, Duration.ZERO)))) {
            Talk[] talks = new Talk[sessions];
            List<CompletableFuture<Void>> all = new ArrayList<>();
            for (int i = 0; i < sessions; i++) {
                Random sizes = new Random(i);
                Talk talk = Talk.of(1 + sizes.nextInt(900_000), sizes.nextInt(900_000));
                talks[i] = talk;
                all.add(talk.begin(fixture));
                if (i % 20 == 19) {
                    Talk.get(all.getLast());
                }
            }
            for (CompletableFuture<Void> one : all) {
                Talk.get(one);
                SessionRecord record = fixture.record();
                assertThat(record.error()).isEmpty();
                assertThat(record.toTarget().end()).isEqualTo(End.FIN);
                assertThat(record.toClient().end()).isEqualTo(End.FIN);
            }
            int whole = 0;
            for (Copy copy = reader.next(); copy != null; copy = reader.next()) {
                byte[] bytes = copy.bytes();
                List<byte[]> streams = Stream.of(talks)
                        .flatMap(talk -> Stream.of(talk.request(), talk.answer()))
                        .toList();
                boolean right = copy.whole()
                        ? streams.stream().anyMatch(stream -> Arrays.equals(stream, bytes))
                        : streams.stream().anyMatch(stream -> startsWith(stream, bytes));
                assertThat(right)
                        .as("a copy of %d bytes, whole: %b", bytes.length, copy.whole())
                        .isTrue();
                whole += copy.whole() ? 1 : 0;
            }
            assertThat(whole).isPositive();
            assertThat(fixture.relay.stats().mirrors()).allMatch(mirror -> mirror.active() == 0);
        }
    }

    private static boolean startsWith(byte[] stream, byte[] bytes) {
        return bytes.length <= stream.length && Arrays.mismatch(stream, 0, bytes.length, bytes, 0, bytes.length) < 0;
    }

    @Test
    @DisplayName("A session that waits for its copy can be cut off")
    void cutWhileWaiting() throws Exception {
        try (ServerSocket full = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            List<SocketChannel> queue = fill(full);
            try (RelayFixture fixture = mirrored(MirrorTargets.of(RelayFixture.address(full))
                            .policy(MirrorPolicy.COMPLETE)
                            .connectTimeout(Duration.ofMinutes(1)));
                    Socket client = fixture.client();
                    Socket server = fixture.server.accept()) {
                assertThat(fixture.relay.drain(Duration.ZERO)).isOne();
                assertThatThrownBy(() -> client.getInputStream().read()).isInstanceOf(SocketException.class);
                assertThatThrownBy(() -> server.getInputStream().read()).isInstanceOf(SocketException.class);
                assertThat(fixture.record().toTarget().end()).isEqualTo(End.DRAIN);
                assertThat(fixture.relay.stats().targets()).allMatch(target -> target.active() == 0);
            } finally {
                for (SocketChannel waiting : queue) {
                    waiting.close();
                }
            }
        }
    }

    /** Whoever connects after this has no answer. */
    private static List<SocketChannel> fill(ServerSocket listener) throws IOException {
        List<SocketChannel> queue = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            SocketChannel waiting = SocketChannel.open();
            waiting.configureBlocking(false);
            waiting.connect(listener.getLocalSocketAddress());
            queue.add(waiting);
        }
        return queue;
    }

    @Test
    @DisplayName("A part of the sessions is copied, chosen at random")
    void sample() throws Exception {
        try (MirrorServer mirror = new MirrorServer();
                RelayFixture fixture = mirrored(
                        MirrorTargets.of(mirror.address()).policy(PATIENT).sample(0.25))) {
            int sessions = 200;
            for (int i = 0; i < sessions; i++) {
                Talk.of(10, 10).through(fixture);
            }
            long copied = 0;
            for (int i = 0; i < sessions; i++) {
                copied += fixture.record().toTarget().mirrors().size();
            }
            // Six standard deviations.
            assertThat(copied).isBetween(13L, 87L);
            assertThat(fixture.relay.stats().mirrors().getFirst().begun()).isEqualTo(copied);
        }
    }

    @Test
    @DisplayName("Mirrors come and go with the configuration; sessions keep theirs")
    void reload() throws Exception {
        try (MirrorServer first = new MirrorServer();
                MirrorServer second = new MirrorServer();
                RelayFixture fixture =
                        mirrored(MirrorTargets.of(first.address()).policy(PATIENT));
                Socket client = fixture.client();
                Socket server = fixture.server.accept()) {
            client.getOutputStream().write(1);
            assertThat(server.getInputStream().read()).isEqualTo(1);
            Service service = fixture.relay.config().services().getFirst();
            fixture.relay.apply(fixture.relay
                    .config()
                    .services(List.of(
                            service.mirrors(MirrorTargets.of(second.address()).policy(PATIENT)))));
            Talk.of(1000, 1000).through(fixture);
            assertThat(second.copy().bytes()).hasSize(1000);
            Talk.of(5000, 5000).between(client, server);
            assertThat(first.copy().bytes()).hasSize(5001);
        }
    }

    @Test
    void impossibleChoices() {
        MirrorTargets mirror = MirrorTargets.of(Endpoint.parse("127.0.0.1:1"));
        assertThatIllegalArgumentException().isThrownBy(() -> mirror.sample(0));
        assertThatIllegalArgumentException().isThrownBy(() -> mirror.sample(1.1));
        assertThatIllegalArgumentException().isThrownBy(() -> mirror.sample(Double.NaN));
        assertThatIllegalArgumentException().isThrownBy(() -> mirror.connectTimeout(Duration.ZERO));
        assertThatIllegalArgumentException().isThrownBy(() -> mirror.policy(MirrorPolicy.gaps(Duration.ZERO)));
        Service service = Service.of("test", RelayFixture.ANY_PORT, Endpoint.parse("127.0.0.1:1"));
        Mirroring[] many = Stream.generate(() -> mirror).limit(9).toArray(Mirroring[]::new);
        assertThatIllegalArgumentException().isThrownBy(() -> service.mirrors(many));
    }
}
