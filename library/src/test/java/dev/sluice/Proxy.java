package dev.sluice;

import dev.sluice.io.Route;
import dev.sluice.net.StreamSocket;
import dev.sluice.testkit.Pair;
import dev.sluice.testkit.Pair.Kind;
import java.io.IOException;

/** Client and proxy's front, proxy's back and server. */
record Proxy(Pair front, Pair back) implements AutoCloseable {
    static Proxy open(Kind front, Kind back) throws IOException {
        return new Proxy(Pair.open(front), Pair.open(back));
    }

    StreamSocket client() {
        return front.far();
    }

    StreamSocket server() {
        return back.far();
    }

    JoinResult join() throws IOException {
        return Sluice.join(front.near(), back.near());
    }

    JoinResult join(Route route) throws IOException {
        return Sluice.join(front.near(), back.near(), route);
    }

    @Override
    public void close() {
        front.close();
        back.close();
    }
}
