package dev.sluice.examples;

import dev.sluice.net.StreamSocket;
import dev.sluice.ring.Delivery;
import dev.sluice.ring.SharedRing;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** Sends each message to everybody who listens; who is gone, or too slow, is dropped. */
public final class Broadcast {
    private Broadcast() {}

    /** Those who are left. */
    public static List<StreamSocket> send(ByteBuffer message, List<StreamSocket> listeners) throws IOException {
        List<StreamSocket> left = new ArrayList<>();
        for (Delivery delivery : SharedRing.shared().fanOut(message, Duration.ofSeconds(1), listeners)) {
            if (delivery.complete()) {
                left.add((StreamSocket) delivery.sink());
            } else {
                delivery.sink().close();
            }
        }
        return left;
    }
}
