package dev.sluice.relay;

import static dev.sluice.relay.RelayFixture.ANY_PORT;
import static dev.sluice.relay.RelayFixture.address;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.io.Endpoint;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Clients of all manners, in two services that share targets, of which one is dead at times, while limits change: whatever
 * happens to them, at the end every place is free again.
 */
@Timeout(120)
class PlacesTest {
    private static final int CLIENTS = 400;
    private static final int MOST = 3;

    private final List<ServerSocket> servers = new ArrayList<>();
    private Endpoint dying;

    private RelayConfig config(int maxConnections, int queueLength) {
        List<Target> targets = new ArrayList<>();
        for (ServerSocket server : servers) {
            targets.add(Target.of(address(server)).maxConnections(MOST));
        }
        targets.add(Target.of(dying).maxConnections(MOST));
        TargetGroup group = TargetGroup.of(targets)
                .balance(Balance.TWO_CHOICES)
                .health(Health.DEFAULT.backOff(Duration.ofMillis(1), Duration.ofMillis(5)));
        Limits limits = Limits.NONE.maxConnections(maxConnections).queue(queueLength, Duration.ofMillis(200));
        Service one = Service.of("one", List.of(ANY_PORT), group).limits(limits);
        Service two = Service.of("two", List.of(ANY_PORT), group).limits(limits);
        return RelayConfig.of(one, two).threads(2);
    }

    private static Socket connect(Relay relay, int service) throws IOException {
        int port = ((Endpoint.Tcp) relay.endpoints().get(service)).port();
        return new Socket(InetAddress.getLoopbackAddress(), port);
    }

    private static void serve(ServerSocket server, ExecutorService threads) {
        threads.submit(() -> {
            while (true) {
                Socket accepted = server.accept();
                threads.submit(() -> {
                    try (accepted) {
                        accepted.getInputStream().transferTo(accepted.getOutputStream());
                    }
                    return null;
                });
            }
        });
    }

    private static Void client(Relay relay, Random random) throws InterruptedException {
        try (Socket client = connect(relay, random.nextInt(2))) {
            int manners = random.nextInt(6);
            if (manners > 0) {
                client.getOutputStream().write(1);
            }
            if (manners > 1) {
                client.setSoTimeout(1 + random.nextInt(50));
                client.getInputStream().read();
            }
            if (manners > 2) {
                client.shutdownOutput();
                client.getInputStream().read();
            }
            client.setSoLinger(manners % 2 == 0, 0);
            Thread.sleep(random.nextInt(5));
        } catch (IOException e) {
            // Reset, refused or out of patience: all of that is meant.
        }
        return null;
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3})
    @DisplayName("Every place is free again")
    void allFree(long seed) throws Exception {
        Random random = new Random(seed);
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            for (int i = 0; i < 2; i++) {
                servers.add(new ServerSocket(0, 500, InetAddress.getLoopbackAddress()));
                serve(servers.getLast(), threads);
            }
            ServerSocket mortal = new ServerSocket(0, 500, InetAddress.getLoopbackAddress());
            dying = address(mortal);
            serve(mortal, threads);
            try (Relay relay = Relay.start(config(4, 20))) {
                LinkedBlockingQueue<Future<Void>> clients = new LinkedBlockingQueue<>();
                for (int i = 0; i < CLIENTS; i++) {
                    long own = random.nextLong();
                    clients.add(threads.submit(() -> client(relay, new Random(own))));
                    if (i % 40 == 0) {
                        relay.apply(config(random.nextInt(6), random.nextInt(30)));
                    }
                    if (i % 10 == 0) {
                        Thread.sleep(random.nextInt(10));
                    }
                    if (i == CLIENTS / 2) {
                        mortal.close();
                    }
                }
                for (Future<Void> client : clients) {
                    client.get();
                }
                while (relay.sessions() > 0) {
                    Thread.sleep(5);
                }
                RelayStats stats = relay.stats();
                System.out.println(stats.services());
                assertThat(stats.services()).allMatch(service -> service.active() == 0 && service.waiting() == 0);
                relay.apply(config(0, 0));
                fill(relay);
            }
            for (ServerSocket server : servers) {
                server.close();
            }
        }
    }

    /** As many as the living targets may have, all at once, without a queue: each finds a place. */
    private void fill(Relay relay) throws Exception {
        List<Socket> full = new ArrayList<>();
        try {
            for (int i = 0; i < servers.size() * MOST; i++) {
                Socket client = connect(relay, i % 2);
                full.add(client);
                client.getOutputStream().write(7);
                assertThat(client.getInputStream().read()).isEqualTo(7);
            }
        } finally {
            for (Socket client : full) {
                client.close();
            }
        }
    }
}
