package dev.sluice.cli.blackbox;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;

/** The two ends of what the relay takes for one session. */
record Session(Peer client, Peer server) implements AutoCloseable {

    /** A message there and one back: it is alive. */
    void exchange(int bytes) throws IOException {
        client.send(bytes);
        server.receive(bytes);
        server.send(bytes);
        client.receive(bytes);
    }

    /** Ends both streams in good order. */
    void finish() throws IOException {
        client.fin();
        assertThat(server.drain()).isEqualTo(Peer.Ending.FIN);
        server.fin();
        assertThat(client.drain()).isEqualTo(Peer.Ending.FIN);
        assertComplete();
    }

    /** What either end has received is all that the other has sent. */
    void assertComplete() {
        assertThat(server.received()).as("request").isEqualTo(client.sent());
        assertThat(client.received()).as("reply").isEqualTo(server.sent());
    }

    Peer sender(Way way) {
        return way == Way.REQUEST ? client : server;
    }

    Peer receiver(Way way) {
        return way == Way.REQUEST ? server : client;
    }

    @Override
    public void close() throws IOException {
        client.close();
        server.close();
    }
}
