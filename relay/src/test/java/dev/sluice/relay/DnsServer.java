package dev.sluice.relay;

import static java.nio.charset.StandardCharsets.US_ASCII;

import dev.sluice.io.Endpoint;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** What {@link DnsServerTest} runs: relay, peers and a name server, which is told what to say by a file of hosts. */
final class DnsServer {
    private static final String HOST = "target.sluice.test";

    private final Path directory;
    private Process dnsmasq;

    private DnsServer(Path directory) {
        this.directory = directory;
    }

    public static void main(String[] arguments) throws Exception {
        DnsServer server = new DnsServer(Path.of(arguments[0]));
        try {
            server.run();
        } finally {
            server.dnsmasq.destroyForcibly().waitFor();
        }
        System.exit(0);
    }

    private void say(String... addresses) throws Exception {
        StringBuilder hosts = new StringBuilder();
        for (String address : addresses) {
            hosts.append(address).append(' ').append(HOST).append('\n');
        }
        Files.writeString(directory.resolve("hosts"), hosts);
        if (dnsmasq == null || !dnsmasq.isAlive()) {
            // One that has just been started would die of the signal.
            start();
        } else {
            signal("HUP");
        }
    }

    private void start() throws IOException {
        dnsmasq = new ProcessBuilder(
                        "dnsmasq",
                        "--keep-in-foreground",
                        "--conf-file=/dev/null",
                        "--no-resolv",
                        "--no-hosts",
                        "--addn-hosts=" + directory.resolve("hosts"),
                        "--local=/test/",
                        "--listen-address=127.0.0.1",
                        "--bind-interfaces",
                        "--pid-file=",
                        "--user=",
                        "--group=")
                .inheritIO()
                .start();
    }

    private void signal(String name) throws Exception {
        new ProcessBuilder("kill", "-" + name, String.valueOf(dnsmasq.pid()))
                .start()
                .waitFor();
    }

    private void run() throws Exception {
        ServerSocket one = new ServerSocket(0, 50, InetAddress.ofLiteral("127.0.0.2"));
        ServerSocket two = new ServerSocket(one.getLocalPort(), 50, InetAddress.ofLiteral("127.0.0.3"));
        greet(one, 1);
        greet(two, 2);
        say("127.0.0.2");
        Service service = Service.of("dns", Endpoint.parse("127.0.0.1:0"), new Endpoint.Tcp(HOST, one.getLocalPort()))
                .timeouts(Timeouts.DEFAULT.connect(Duration.ofSeconds(5)));
        try (Relay relay = Relay.start(RelayConfig.of(service).resolveInterval(Duration.ofMillis(100)))) {
            await(relay, 1, "the first answer");
            say("127.0.0.3");
            await(relay, 2, "the changed answer");

            signal("STOP");
            for (int i = 0; i < 3; i++) {
                require(who(relay) == 2, "a name server that hangs: the last good answer serves");
            }
            signal("CONT");
            say("127.0.0.2");
            await(relay, 1, "the answer after the hang");

            // A bad one among them is passed over; more than 512 bytes have to be asked for by TCP.
            say(IntStream.range(0, 300)
                    .mapToObj(i -> i == 150 ? "127.0.0.3" : "127.1." + i / 200 + "." + (1 + i % 200))
                    .collect(Collectors.toList())
                    .toArray(String[]::new));
            await(relay, 2, "the good one of 300 addresses");

            dnsmasq.destroyForcibly().waitFor();
            for (int i = 0; i < 20; i++) {
                require(who(relay) == 2, "no name server any more: the last good answer serves");
            }
            say("127.0.0.2");
            await(relay, 1, "the name server is back");
            say();
            TimeUnit.MILLISECONDS.sleep(500);
            require(who(relay) == 1, "a name that is gone: the last good answer serves");
        }
    }

    private static void greet(ServerSocket server, int greeting) {
        Thread.ofPlatform().daemon().start(() -> {
            while (true) {
                try (Socket accepted = server.accept()) {
                    accepted.getOutputStream().write(greeting);
                } catch (IOException e) {
                    // The client was reset.
                }
            }
        });
    }

    /** Which server answers; −1 if none does. */
    private static int who(Relay relay) {
        try (Socket client = new Socket(InetAddress.getLoopbackAddress(), RelayFixture.port(relay))) {
            return client.getInputStream().read();
        } catch (IOException e) {
            return -1;
        }
    }

    private static void await(Relay relay, int greeting, String what) throws Exception {
        long start = System.nanoTime();
        while (who(relay) != greeting) {
            require(System.nanoTime() - start < TimeUnit.SECONDS.toNanos(30), what + " has not come");
            TimeUnit.MILLISECONDS.sleep(10);
        }
        System.out.write((what + "\n").getBytes(US_ASCII));
    }

    private static void require(boolean condition, String what) {
        if (!condition) {
            throw new AssertionError("not so: " + what);
        }
    }
}
