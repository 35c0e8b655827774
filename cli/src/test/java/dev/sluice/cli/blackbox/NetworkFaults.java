package dev.sluice.cli.blackbox;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.cli.blackbox.Peer.Ending;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.channels.SocketChannel;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/**
 * The faults of {@link NetworkFaultsTest}: a program, because it has to be inside of the network namespace, with peers
 * and relay. Both are on its loopback device; a fault hits the connections that have the port of the target.
 */
final class NetworkFaults {
    private static final long BIG = 20 << 20;

    private NetworkFaults() {}

    /** The options of the relay that a fault needs. */
    static void assumeOptions(String fault) {
        switch (fault) {
            case "userTimeout" -> RelayProcess.assumeOption("--user-timeout");
            case "keepAlive" -> RelayProcess.assumeOption("--keepalive");
            case "idleTimeout" -> RelayProcess.assumeOption("--idle-timeout");
            default -> {
                // None but the oldest.
            }
        }
    }

    public static void main(String[] arguments) throws Exception {
        switch (arguments[0]) {
            case "reset" -> reset();
            case "unreachable" -> unreachable();
            case "narrow" -> narrow();
            case "userTimeout" -> userTimeout();
            case "keepAlive" -> keepAlive();
            case "idleTimeout" -> idleTimeout();
            default -> throw new IllegalArgumentException(arguments[0]);
        }
        // Threads of what was cut off may still wait.
        System.exit(0);
    }

    /** A firewall answers for the target: the client is reset, and who does not go there goes on. */
    private static void reset() throws Exception {
        try (Stage stage = Stage.tcp();
                Stage other = Stage.tcp();
                Session session = stage.open();
                Session unharmed = other.open()) {
            session.exchange(1000);
            firewall("tcp dport " + stage.targetPort() + " reject with tcp reset");
            session.client().send(1000);
            assertThat(session.client().drain()).isEqualTo(Ending.RESET);
            Ended record = stage.relay().record();
            assertThat(record.fromTarget().end()).isEqualTo("rst");
            assertThat(record.fromTarget().bytes()).isEqualTo(1000);
            try (SocketChannel refused = stage.connect()) {
                assertThat(new Peer(refused, new Seeded(1), new Seeded(2)).drain())
                        .isEqualTo(Ending.RESET);
            }
            assertThat(stage.relay().record().error()).contains("ECONNREFUSED");
            unharmed.exchange(1000);
            unharmed.finish();
            calm();
            try (Session next = stage.open()) {
                next.exchange(1000);
            }
        }
    }

    /** There is no way there, and the kernel says so. */
    private static void unreachable() throws Exception {
        try (RelayProcess relay = RelayProcess.start("127.0.0.1:0", "192.0.2.1:9");
                SocketChannel client = Stage.connect(new InetSocketAddress(Stage.loopback(), relay.port()))) {
            assertThat(new Peer(client, new Seeded(1), new Seeded(2)).drain()).isEqualTo(Ending.RESET);
            assertThat(relay.record().error()).contains("ENETUNREACH", "192.0.2.1:9");
        }
    }

    /** A narrow link: queues everywhere, packets of all sizes, losses. */
    private static void narrow() throws Exception {
        // Without it, what the device carries is of one piece of 64 KiB.
        shell("ip link set lo mtu 1500");
        shell("tc qdisc add dev lo root tbf rate 300mbit burst 64kb limit 200kb");
        try (Stage stage = Stage.tcp();
                Session session = stage.open()) {
            Parallel.run(
                    () -> send(session.client()),
                    () -> send(session.server()),
                    () -> assertThat(session.client().drain()).isEqualTo(Ending.FIN),
                    () -> assertThat(session.server().drain()).isEqualTo(Ending.FIN));
            session.assertComplete();
            assertThat(stage.relay().record().error()).isEmpty();
        }
    }

    private static void send(Peer peer) throws IOException {
        peer.send(BIG);
        peer.fin();
    }

    /** The target is gone without a word while bytes are on their way to it. */
    private static void userTimeout() throws Exception {
        try (Stage stage = Stage.tcp("--user-timeout", "1s");
                Stage other = Stage.tcp("--user-timeout", "1s");
                Session session = stage.open();
                Session unharmed = other.open()) {
            session.exchange(1000);
            blackHole(stage);
            session.client().send(1000);
            assertThat(session.client().drain()).isEqualTo(Ending.RESET);
            assertThat(stage.relay().record().fromTarget().end()).isEqualTo("timeout");
            unharmed.exchange(1000);
            unharmed.finish();
        }
    }

    /** It is gone while nobody has anything to say. */
    private static void keepAlive() throws Exception {
        try (Stage stage = Stage.tcp("--keepalive", "1s", "--user-timeout", "2s");
                Session session = stage.open()) {
            session.exchange(1000);
            blackHole(stage);
            assertThat(session.client().drain()).isEqualTo(Ending.RESET);
            assertThat(stage.relay().record().fromTarget().end()).isEqualTo("timeout");
        }
    }

    /** Bytes are stuck on the way to a target that is gone, and the kernel is still trying. */
    private static void idleTimeout() throws Exception {
        try (Stage stage = Stage.tcp("--idle-timeout", "1s");
                Session session = stage.open()) {
            session.exchange(1000);
            blackHole(stage);
            CompletableFuture<Void> sending = Parallel.start(() -> {
                session.client().send(BIG);
                return null;
            });
            assertThat(session.client().drain()).isEqualTo(Ending.RESET);
            Ended record = stage.relay().record();
            assertThat(record.fromTarget().end()).isEqualTo("timeout");
            assertThat(record.fromClient().end()).isEqualTo("timeout");
            assertThat(sending.isDone() || session.client().sent() < BIG).isTrue();
        }
    }

    private static void blackHole(Stage stage) throws Exception {
        int port = stage.targetPort();
        firewall("tcp dport " + port + " drop; tcp sport " + port + " drop");
    }

    private static void firewall(String rules) throws Exception {
        shell("nft 'table inet faults { chain in { type filter hook input priority 0; " + rules + "; }; }'");
    }

    private static void calm() throws Exception {
        shell("nft delete table inet faults");
    }

    private static void shell(String line) throws Exception {
        Programs.run(List.of("sh", "-c", line)).ok();
    }
}
