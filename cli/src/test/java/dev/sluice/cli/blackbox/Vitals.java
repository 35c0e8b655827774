package dev.sluice.cli.blackbox;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/**
 * What a process holds, as the kernel sees it.
 *
 * @param descriptors all of them
 * @param pipeEnds those that are ends of pipes: two are a pipe
 * @param sockets those that are sockets
 * @param rssKiB the memory that it has in use
 */
record Vitals(int descriptors, int pipeEnds, int sockets, int threads, long rssKiB) {
    private static final long MILLIS_PER_TICK = 10;

    static Vitals of(long pid) throws IOException {
        int descriptors = 0;
        int pipeEnds = 0;
        int sockets = 0;
        try (Stream<Path> list = Files.list(Path.of("/proc/" + pid + "/fd"))) {
            for (Path link : list.toList()) {
                String target = target(link);
                descriptors += target.isEmpty() ? 0 : 1;
                pipeEnds += target.startsWith("pipe:") ? 1 : 0;
                sockets += target.startsWith("socket:") ? 1 : 0;
            }
        }
        return new Vitals(descriptors, pipeEnds, sockets, (int) status(pid, "Threads:"), status(pid, "VmRSS:"));
    }

    private static String target(Path link) {
        try {
            return Files.readSymbolicLink(link).toString();
        } catch (IOException e) {
            // Closed since it was listed.
            return "";
        }
    }

    private static long status(long pid, String key) throws IOException {
        return Files.readAllLines(Path.of("/proc/" + pid + "/status")).stream()
                .filter(line -> line.startsWith(key))
                .mapToLong(line ->
                        Long.parseLong(line.substring(key.length()).strip().split("\\s")[0]))
                .findFirst()
                .orElseThrow();
    }

    /** The processor time that it has used, in user and in kernel mode. */
    static long cpuMillis(long pid) throws IOException {
        String stat = Files.readString(Path.of("/proc/" + pid + "/stat"));
        // The name, in parentheses, may hold anything.
        String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
        return (Long.parseLong(fields[11]) + Long.parseLong(fields[12])) * MILLIS_PER_TICK;
    }
}
