package dev.sluice.examples;

import dev.sluice.JoinResult;
import dev.sluice.Sluice;
import dev.sluice.io.Endpoint;
import dev.sluice.net.StreamListener;
import dev.sluice.net.StreamSocket;
import java.io.IOException;
import java.nio.channels.ClosedChannelException;

/** A TCP proxy: one line per connection, on a virtual thread that parks once. */
public final class Proxy {
    private Proxy() {}

    /** Arguments: where to listen, where to connect to. */
    public static void main(String[] arguments) throws IOException {
        try (StreamListener listener = StreamListener.listen(Endpoint.parse(arguments[0]))) {
            System.out.println("listening on " + listener.endpoint());
            serve(listener, Endpoint.parse(arguments[1]));
        }
    }

    /** Until the listener is closed. */
    static void serve(StreamListener listener, Endpoint target) throws IOException {
        try {
            while (true) {
                StreamSocket client = listener.accept();
                Thread.ofVirtual().start(() -> join(client, target));
            }
        } catch (ClosedChannelException e) {
            // The way to stop it.
        }
    }

    private static void join(StreamSocket client, Endpoint target) {
        try (client;
                StreamSocket upstream = StreamSocket.connect(target)) {
            JoinResult result = Sluice.join(client, upstream);
            System.out.println(
                    client.remoteEndpoint() + ": " + result.forward().result().bytes() + " up, "
                            + result.backward().result().bytes() + " down");
        } catch (IOException e) {
            System.err.println(e.getMessage());
        }
    }
}
