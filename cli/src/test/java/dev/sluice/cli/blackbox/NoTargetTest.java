package dev.sluice.cli.blackbox;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Nobody where the relay connects to: the client hears of it, the record says why, and the relay goes on. */
@BlackBox
class NoTargetTest {

    @Test
    void refused() throws Exception {
        int port = Ports.free();
        String target = "127.0.0.1:" + port;
        try (RelayProcess relay = RelayProcess.start("127.0.0.1:0", target)) {
            assertReset(relay);
            assertThat(relay.record())
                    .returns("error", record -> record.fromClient().end())
                    .extracting(Ended::error)
                    .asString()
                    .contains("ECONNREFUSED", target);
            assertServes(relay, new InetSocketAddress(Stage.loopback(), port));
        }
    }

    @Test
    void noSuchSocket(@TempDir Path directory) throws Exception {
        Path path = directory.resolve("nobody");
        try (RelayProcess relay = RelayProcess.start("127.0.0.1:0", "unix:" + path)) {
            assertReset(relay);
            assertThat(relay.record().error()).contains("ENOENT", path.toString());
            assertServes(relay, UnixDomainSocketAddress.of(path));
        }
    }

    /** A listener whose backlog is full does not answer. */
    @Test
    void noAnswer() throws Exception {
        List<SocketChannel> waiting = new ArrayList<>();
        try (ServerSocketChannel target =
                ServerSocketChannel.open().bind(new InetSocketAddress(Stage.loopback(), 0), 1)) {
            InetSocketAddress address = (InetSocketAddress) target.getLocalAddress();
            fill(address, waiting);
            try (RelayProcess relay =
                    RelayProcess.start("127.0.0.1:0", "127.0.0.1:" + address.getPort(), "--connect-timeout", "500ms")) {
                assertReset(relay);
                assertThat(relay.record())
                        .returns("timeout", record -> record.fromClient().end())
                        .returns(0L, record -> record.fromClient().bytes());
            }
        } finally {
            for (SocketChannel channel : waiting) {
                channel.close();
            }
        }
    }

    private static void fill(InetSocketAddress address, List<SocketChannel> waiting) throws Exception {
        while (true) {
            SocketChannel channel = SocketChannel.open();
            waiting.add(channel);
            channel.configureBlocking(false);
            channel.connect(address);
            Thread.sleep(100);
            if (!channel.finishConnect()) {
                return;
            }
        }
    }

    private static void assertReset(RelayProcess relay) throws Exception {
        try (SocketChannel client = Stage.connect(new InetSocketAddress(Stage.loopback(), relay.port()))) {
            assertThat(new Peer(client, new Seeded(1), new Seeded(2)).drain()).isEqualTo(Peer.Ending.RESET);
        }
    }

    /** As soon as somebody is there. */
    private static void assertServes(RelayProcess relay, SocketAddress address) throws IOException {
        try (ServerSocketChannel target = Stage.listen(address);
                SocketChannel client = Stage.connect(new InetSocketAddress(Stage.loopback(), relay.port()));
                SocketChannel server = target.accept()) {
            client.write(ByteBuffer.wrap(new byte[] {7}));
            ByteBuffer got = ByteBuffer.allocate(1);
            assertThat(server.read(got)).isEqualTo(1);
            assertThat(got.get(0)).isEqualTo((byte) 7);
        }
    }
}
