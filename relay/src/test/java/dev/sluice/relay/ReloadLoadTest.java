package dev.sluice.relay;

import static dev.sluice.relay.RelayFixture.ANY_PORT;
import static dev.sluice.relay.RelayFixture.address;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.io.Endpoint;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.File;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Reloads, one after the other, while clients come and go. {@code -Dsluice.reloads} says how many. */
@Timeout(600)
class ReloadLoadTest {
    private static final int RELOADS = Integer.getInteger("sluice.reloads", 1000);
    private static final int SERVERS = 4;
    private static final int LONG_CLIENTS = 20;
    private static final int SHORT_CLIENTS = 4;

    private final Random random = new Random(1000);
    private final List<ServerSocket> servers = new ArrayList<>();
    private final AtomicBoolean done = new AtomicBoolean();
    private final AtomicLong exchanges = new AtomicLong();

    /** Always there, and always other than before: targets, ways to balance, limits, times. */
    private Service steady() {
        List<Target> targets = new ArrayList<>();
        for (ServerSocket server : servers) {
            if (random.nextInt(3) > 0) {
                targets.add(Target.of(address(server)).weight(1 + random.nextInt(5)));
            }
        }
        if (targets.isEmpty()) {
            targets.add(Target.of(address(servers.getFirst())));
        }
        Health health = Health.DEFAULT.check(Duration.ofMillis(random.nextBoolean() ? 0 : 50), 1, 1);
        TargetGroup group = TargetGroup.of(targets)
                .balance(Balance.values()[random.nextInt(Balance.values().length)])
                .health(health);
        return Service.of("steady", List.of(ANY_PORT), group)
                .timeouts(Timeouts.DEFAULT.idle(Duration.ofMinutes(1 + random.nextInt(60))))
                .limits(Limits.NONE.maxConnections(random.nextInt(2) * 1000).clientRate(random.nextInt(2) * 1_000_000));
    }

    private RelayConfig config(int reload, AtomicLong records) {
        List<Service> services = new ArrayList<>();
        services.add(steady());
        // Every fifteenth one comes or goes: each that goes takes a moment, for who has connected already.
        if (reload / 15 % 2 == 1) {
            services.add(
                    Service.of("passing", List.of(ANY_PORT), services.getFirst().targets()));
        }
        return new RelayConfig(
                services, 2, 0, Duration.ofSeconds(30), java.util.Optional.of(_ -> records.incrementAndGet()));
    }

    private void echo(ServerSocket server, ExecutorService threads) {
        threads.submit(() -> {
            while (true) {
                Socket accepted = server.accept();
                threads.submit(() -> {
                    try (accepted) {
                        accepted.getInputStream().transferTo(accepted.getOutputStream());
                    } catch (SocketException e) {
                        // A check, or a client that broke off.
                    }
                    return null;
                });
            }
        });
    }

    /** A client that keeps its connection all the time, or one that comes again and again. */
    private void talk(int port, boolean again) throws IOException {
        do {
            try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
                DataInputStream in = new DataInputStream(socket.getInputStream());
                DataOutputStream out = new DataOutputStream(socket.getOutputStream());
                do {
                    long value = exchanges.incrementAndGet();
                    out.writeLong(value);
                    if (in.readLong() != value) {
                        throw new IOException("other bytes came back");
                    }
                    if (!again) {
                        Thread.sleep(5);
                    }
                } while (!again && !done.get());
                socket.shutdownOutput();
                if (in.read() != -1) {
                    throw new IOException("bytes behind the end");
                }
            } catch (InterruptedException e) {
                return;
            }
        } while (!done.get());
    }

    private Future<Void> client(ExecutorService threads, int port, boolean again) {
        return threads.submit(() -> {
            talk(port, again);
            return null;
        });
    }

    private static int descriptors() {
        return new File("/proc/self/fd").list().length;
    }

    private static long heap() throws InterruptedException {
        long least = Long.MAX_VALUE;
        for (int i = 0; i < 3; i++) {
            System.gc();
            Thread.sleep(20);
            least = Math.min(
                    least,
                    ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed());
        }
        return least;
    }

    @Test
    @DisplayName("No session is lost, and nothing grows")
    void reloads() throws Exception {
        AtomicLong records = new AtomicLong();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            for (int i = 0; i < SERVERS; i++) {
                servers.add(new ServerSocket(0, 500, InetAddress.getLoopbackAddress()));
                echo(servers.getLast(), threads);
            }
            try (Relay relay = Relay.start(config(0, records))) {
                Endpoint endpoint = relay.endpoints().getFirst();
                int port = ((Endpoint.Tcp) endpoint).port();
                List<Future<Void>> clients = new ArrayList<>();
                for (int i = 0; i < LONG_CLIENTS + SHORT_CLIENTS; i++) {
                    clients.add(client(threads, port, i >= LONG_CLIENTS));
                }
                int warmUp = RELOADS / 5;
                reload(relay, 0, warmUp, records);
                int descriptorsBefore = descriptors();
                int threadsBefore = ManagementFactory.getThreadMXBean().getThreadCount();
                long heapBefore = heap();
                reload(relay, warmUp, RELOADS, records);
                int descriptorsAfter = descriptors();
                int threadsAfter = ManagementFactory.getThreadMXBean().getThreadCount();
                long heapAfter = heap();
                System.out.printf(
                        "%d reloads: %d exchanges, descriptors %d to %d, threads %d to %d, heap %d to %d KiB%n",
                        RELOADS,
                        exchanges.get(),
                        descriptorsBefore,
                        descriptorsAfter,
                        threadsBefore,
                        threadsAfter,
                        heapBefore >> 10,
                        heapAfter >> 10);
                assertThat(relay.endpoints().getFirst()).isEqualTo(endpoint);
                done.set(true);
                for (Future<Void> client : clients) {
                    client.get();
                }
                assertThat(relay.drain(Duration.ofSeconds(20))).isZero();
                assertThat(records.get()).isEqualTo(relay.stats().accepted());
                // Short clients and checks are at any stage; what leaks once per reload is far more.
                assertThat(descriptorsAfter - descriptorsBefore).isLessThan(100);
                assertThat(threadsAfter - threadsBefore).isLessThan(20);
                assertThat(heapAfter - heapBefore).isLessThan(8 << 20);
            }
            for (ServerSocket server : servers) {
                server.close();
            }
        }
    }

    private void reload(Relay relay, int from, int to, AtomicLong records) throws Exception {
        for (int i = from; i < to; i++) {
            RelayConfig next = config(i, records);
            relay.apply(next);
            assertThat(relay.config()).isSameAs(next);
            Thread.sleep(2);
        }
    }
}
