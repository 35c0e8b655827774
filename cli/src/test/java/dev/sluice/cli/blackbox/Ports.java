package dev.sluice.cli.blackbox;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.util.concurrent.ThreadLocalRandom;

/** Ports for programs that can't be asked which one the kernel gave them. */
final class Ports {
    private Ports() {}

    /** One that is free, and outside of the range from which the kernel gives ports to connections. */
    static int free() throws IOException {
        while (true) {
            int port = ThreadLocalRandom.current().nextInt(20_000, 30_000);
            try (ServerSocket probe = new ServerSocket()) {
                probe.bind(new InetSocketAddress(Stage.loopback(), port));
                return port;
            } catch (IOException e) {
                // Taken.
            }
        }
    }
}
