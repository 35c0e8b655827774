package dev.sluice.cli;

import dev.sluice.io.Endpoint;
import dev.sluice.net.StreamListener;
import dev.sluice.net.StreamSocket;
import dev.sluice.relay.Relay;
import dev.sluice.relay.RelayConfig;
import dev.sluice.relay.Service;
import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** Does once what a relay does when it starts, so that the launcher can have the JVM remember it (an AOT cache). */
@Command(name = TrainCommand.NAME, hidden = true, description = "What the launcher trains the JVM with.")
final class TrainCommand implements Callable<Integer> {
    static final String NAME = "train";

    private static final int BULK = 1 << 20;

    @Spec
    private CommandSpec command;

    @Override
    public Integer call() throws Exception {
        Endpoint anywhere = new Endpoint.Tcp("127.0.0.1", 0);
        try (StreamListener target = StreamListener.listen(anywhere);
                RecordLog log = RecordLog.start(new RecordLog.Choice(RecordLog.Format.JSON, Optional.empty()), false);
                Relay relay = Relay.start(RelayConfig.of(Service.of("train", anywhere, target.endpoint()))
                        .onEnd(log::add))) {
            command.root()
                    .commandLine()
                    .parseArgs("relay", anywhere.toString(), target.endpoint().toString(), "--json");
            try (StreamSocket client = StreamSocket.connect(relay.endpoints().getFirst());
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
            }
        }
        return 0;
    }

    private static void send(StreamSocket client) {
        try {
            client.write(ByteBuffer.allocate(BULK));
            client.shutdownOutput();
        } catch (java.io.IOException e) {
            // Then the JVM remembers less.
        }
    }
}
