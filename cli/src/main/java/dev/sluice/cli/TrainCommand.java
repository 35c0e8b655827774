package dev.sluice.cli;

import dev.sluice.io.Endpoint;
import dev.sluice.net.StreamListener;
import dev.sluice.net.StreamSocket;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;

/** Relays one connection, so that the launcher can have the JVM remember how a relay starts (an AOT cache). */
@Command(name = TrainCommand.NAME, hidden = true, description = "What the launcher trains the JVM with.")
final class TrainCommand implements Callable<Integer> {
    static final String NAME = "train";

    private static final Endpoint ANYWHERE = new Endpoint.Tcp("127.0.0.1", 0);
    private static final int BULK = 1 << 20;
    private static final int TRIES = 50;

    @Override
    public Integer call() throws Exception {
        Endpoint listen = free();
        try (StreamListener target = StreamListener.listen(ANYWHERE)) {
            Thread peers = Thread.ofPlatform().start(() -> talk(listen, target));
            // As a user would: to read the command line takes longer than to start the relay.
            int code = Main.run("relay", listen.toString(), target.endpoint().toString(), "--exit-idle-time", "1s");
            peers.join();
            return code;
        }
    }

    /** Where nobody listens, most likely. */
    private static Endpoint free() throws IOException {
        try (StreamListener listener = StreamListener.listen(ANYWHERE)) {
            return listener.endpoint();
        }
    }

    private static void talk(Endpoint relay, StreamListener target) {
        try (StreamSocket client = connect(relay);
                StreamSocket server = target.accept()) {
            client.write(ByteBuffer.allocate(1));
            server.read(ByteBuffer.allocate(1));
            Thread sending = Thread.ofPlatform().start(() -> send(client));
            ByteBuffer buffer = ByteBuffer.allocate(BULK);
            while (server.read(buffer.clear()) >= 0) {
                // To the end.
            }
            sending.join();
            server.shutdownOutput();
            client.read(ByteBuffer.allocate(1));
        } catch (IOException | InterruptedException e) {
            // Then the JVM remembers less.
        }
    }

    private static StreamSocket connect(Endpoint relay) throws IOException, InterruptedException {
        for (int i = 1; ; i++) {
            try {
                return StreamSocket.connect(relay);
            } catch (IOException e) {
                if (i == TRIES) {
                    throw e;
                }
                // It has not begun to listen.
                Thread.sleep(100);
            }
        }
    }

    private static void send(StreamSocket client) {
        try {
            client.write(ByteBuffer.allocate(BULK));
            client.shutdownOutput();
        } catch (IOException e) {
            // Then the JVM remembers less.
        }
    }
}
