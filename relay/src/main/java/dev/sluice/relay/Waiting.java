package dev.sluice.relay;

import dev.sluice.internal.fd.Descriptor;
import dev.sluice.internal.fd.Waiter;
import dev.sluice.internal.linux.Sockets;
import dev.sluice.loop.EventLoop;
import dev.sluice.loop.Watch;
import dev.sluice.relay.SessionRecord.End;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;

/** A client that waits to be let in: for how long, and whether it is still there. On the session's loop. */
final class Waiting implements Waiter {
    /** Whatever a look at the next byte sees. */
    private static final MemorySegment BYTE = Arena.global().allocate(1);

    private final Descriptor client;
    private final EventLoop loop;
    private final Consumer<End> onGone;
    private final Watch watch;
    private final EventLoop.Timer timer;
    private boolean over;

    /**
     * @param onLate run if the time is up
     * @param onGone told how the client ended, if it did
     */
    Waiting(Descriptor client, EventLoop loop, long nanos, Runnable onLate, Consumer<End> onGone) throws IOException {
        this.client = client;
        this.loop = loop;
        this.onGone = onGone;
        this.watch = Watch.of(client, loop);
        this.timer = loop.schedule(nanos, onLate);
    }

    /** May tell that the client is gone before it returns. */
    void start() {
        look();
    }

    @Override
    public void ready() {
        loop.execute(this::look);
    }

    private void look() {
        while (!over) {
            watch.clear(Watch.READ);
            End end = end();
            if (end != null) {
                stop();
                onGone.accept(end);
            } else if (watch.arm(Watch.READ, this)) {
                return;
            }
        }
    }

    /** Null if the client is there. A stream that ends behind some bytes is a request, and worth an answer. */
    private End end() {
        if (Sockets.option(client.fd(), Sockets.SOL_SOCKET, Sockets.SO_ERROR) != 0) {
            return End.RST;
        }
        return Sockets.peek(client.fd(), BYTE.address(), 1) == 0 ? End.FIN : null;
    }

    void stop() {
        over = true;
        timer.cancel();
        watch.disarm(Watch.READ, this);
    }
}
