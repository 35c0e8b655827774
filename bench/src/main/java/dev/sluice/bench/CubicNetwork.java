package dev.sluice.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A network of the program's own, whose loopback is under cubic: other algorithms may pace, which there measures their
 * timers. The JDK and the relays of others can't set TCP_CONGESTION, and a socket that was ever under bbr stays paced.
 */
final class CubicNetwork {
    private CubicNetwork() {}

    /** Runs the program again inside, if that is possible, and returns whether it did. */
    static boolean holds(Class<?> program, String... args) throws IOException, InterruptedException {
        if (System.getenv("SLUICE_BENCH_NETWORK") != null) {
            return false;
        }
        // A route may name what the namespace's default may not.
        String inside = "ip link set lo up && ip route replace local 127.0.0.1 dev lo table local src 127.0.0.1"
                + " proto kernel scope host congctl cubic && exec \"$@\"";
        boolean root = System.getProperty("user.name").equals("root");
        List<String> command = new ArrayList<>(List.of("unshare", root ? "-n" : "-rn", "sh", "-c"));
        List<String> probe = new ArrayList<>(command);
        probe.addAll(List.of(inside, "sh", "true"));
        try {
            if (new ProcessBuilder(probe).start().waitFor() != 0) {
                throw new IOException("unshare(1) or ip(8) was refused");
            }
        } catch (IOException e) {
            System.err.println(
                    "No network namespace of our own (" + e.getMessage() + "): what sets no TCP_CONGESTION uses "
                            + Files.readString(Path.of("/proc/sys/net/ipv4/tcp_congestion_control"))
                                    .strip());
            return false;
        }
        command.addAll(List.of(inside, "sh"));
        command.addAll(Party.javaCommand(System.getProperty("java.class.path"), program, args));
        ProcessBuilder again = new ProcessBuilder(command).inheritIO();
        again.environment().put("SLUICE_BENCH_NETWORK", "own");
        Process process = again.start();
        Runtime.getRuntime().addShutdownHook(new Thread(process::destroy));
        int status = process.waitFor();
        if (status != 0) {
            System.exit(status);
        }
        return true;
    }
}
