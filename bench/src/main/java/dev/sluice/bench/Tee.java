package dev.sluice.bench;

import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The camera recipe: one TCP stream to a client and, on the way, to a second sink, between endpoints that copy nothing.
 * The second sink is a socket, a file on the disk and a file on tmpfs. Prints tables in Markdown.
 */
public final class Tee {
    private Tee() {}

    public static void main(String[] args) throws IOException, InterruptedException {
        Options options = Options.parse(args, 31, 512 << 20);
        if (CubicNetwork.holds(Tee.class, args)) {
            return;
        }
        Party endpoints = Match.bareEndpoints();
        if (endpoints == null) {
            return;
        }
        Map<String, String> seconds = new LinkedHashMap<>();
        seconds.put("socket", "tcp");
        for (Path directory : FileToSocket.directories()) {
            seconds.put(FileToSocket.type(directory), "file:" + directory.resolve("sluice-bench-recording"));
        }
        try (Match match = new Match(endpoints)) {
            match.enterMover("Sluice", "sluice")
                    .enterMover("Sluice, copying", "sluice-copy")
                    .enterMover("JDK channels", "jdk");
            for (Map.Entry<String, String> second : seconds.entrySet()) {
                if (options.wants("sink", second.getKey())) {
                    System.out.printf("%n### To a client and to a second sink: %s%n%n", second.getKey());
                    match.playBulk("tcp", "tcp," + second.getValue(), options, "tee-" + second.getKey());
                }
            }
        }
    }
}
