package dev.sluice.cli.demo;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;

/**
 * The camera and the viewer, on plain JDK channels, in a JVM of their own so that the server's cost is seen alone.
 *
 * <p>Commands come as lines on stdin, answers go as lines to stdout; the end of stdin ends the program, so that it never
 * outlives its parent. {@code film PORT BYTES} connects there and sends; {@code digest BYTES} answers with the SHA-256 of
 * so much footage. Whoever connects to the viewer is watched to the end, which is answered with {@code BYTES FAULT}.
 */
public final class PeersProgram {
    private final ServerSocketChannel viewer = ServerSocketChannel.open();

    private PeersProgram() throws IOException {
        viewer.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
    }

    /** Runs until the end of stdin. */
    public static void run() throws IOException {
        PeersProgram program = new PeersProgram();
        Thread.ofPlatform().daemon().name("viewer").start(program::view);
        answer(Integer.toString(((InetSocketAddress) program.viewer.getLocalAddress()).getPort()));
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        for (String line = commands.readLine(); line != null; line = commands.readLine()) {
            obey(line.split(" "));
        }
    }

    private static void obey(String[] command) throws IOException {
        switch (command[0]) {
            case "film" -> film(Integer.parseInt(command[1]), Long.parseLong(command[2]));
            case "digest" -> answer(new Footage().sha256(Long.parseLong(command[1])));
            default -> throw new IOException("unknown command " + command[0]);
        }
    }

    private static void film(int port, long size) throws IOException {
        Footage footage = new Footage();
        InetSocketAddress server = new InetSocketAddress(InetAddress.getLoopbackAddress(), port);
        try (SocketChannel camera = SocketChannel.open(server)) {
            for (long number = 0; number * Footage.FRAME < size; number++) {
                ByteBuffer frame = footage.frame(number, size);
                while (frame.hasRemaining()) {
                    camera.write(frame);
                }
            }
        }
    }

    private void view() {
        try {
            while (true) {
                try (SocketChannel stream = viewer.accept()) {
                    Viewing seen = Viewing.of(stream);
                    answer(seen.bytes() + " " + seen.fault());
                }
            }
        } catch (IOException e) {
            answer("the viewer failed: " + e.getMessage());
        }
    }

    private static synchronized void answer(String line) {
        System.out.println(line);
        System.out.flush();
    }
}
