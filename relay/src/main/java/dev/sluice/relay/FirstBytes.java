package dev.sluice.relay;

import dev.sluice.internal.fd.CopyBuffer;
import dev.sluice.internal.fd.Descriptor;
import dev.sluice.internal.fd.Waiter;
import dev.sluice.internal.linux.Errno;
import dev.sluice.internal.linux.Sockets;
import dev.sluice.loop.EventLoop;
import dev.sluice.loop.Watch;
import dev.sluice.relay.Peeked.Found;
import dev.sluice.relay.Peeked.More;
import dev.sluice.relay.Peeked.Rejected;
import dev.sluice.relay.SessionRecord.End;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * Looks at what a client sends first until it is all there, and takes away what it was. Until then all of it stays in the
 * socket, so that a client that is slow holds no memory of ours. On the session's loop.
 */
final class FirstBytes<T> implements Waiter {
    private final Descriptor client;
    private final EventLoop loop;
    private final Expected<T> expected;
    private final Consumer<T> onFound;
    private final BiConsumer<End, String> onFailure;
    private final Watch watch;
    private final EventLoop.Timer timer;
    private boolean over;

    /**
     * What is looked for.
     *
     * @param name in words, with an article
     * @param longest how many bytes the parser has to be shown at most to come to an answer
     * @param parser the length of what it finds is taken away, and may be 0
     * @param time for all of it to come
     */
    record Expected<T>(String name, int longest, Function<ByteBuffer, Peeked<T>> parser, Duration time) {}

    /** One of the two is told, once. */
    FirstBytes(
            Descriptor client,
            EventLoop loop,
            Expected<T> expected,
            Consumer<T> onFound,
            BiConsumer<End, String> onFailure)
            throws IOException {
        this.client = client;
        this.loop = loop;
        this.expected = expected;
        this.onFound = onFound;
        this.onFailure = onFailure;
        this.watch = Watch.of(client, loop);
        this.timer = loop.schedule(expected.time().toNanos(), this::late);
    }

    /** Nobody will be told any more. */
    void stop() {
        over = true;
        timer.cancel();
        watch.disarm(Watch.READ, this);
    }

    @Override
    public void ready() {
        loop.execute(this::look);
    }

    /** May tell before it returns. */
    void look() {
        CopyBuffer buffer = CopyBuffer.borrowBriefly();
        try {
            while (!over) {
                if (waits(buffer)) {
                    return;
                }
            }
        } catch (RuntimeException | Error e) {
            // Such as memory that ran out. If it was told already, it is not the client's affair any more.
            if (over) {
                throw e;
            }
            fail(End.ERROR, e.toString());
        } finally {
            CopyBuffer.giveBack(buffer);
        }
    }

    /** One look; true if more has to come, of which an edge will tell. */
    private boolean waits(CopyBuffer buffer) {
        watch.clear(Watch.READ);
        // Asked first, so that the look sees everything that came before the end.
        boolean last = watch.hungUp();
        long count = Sockets.peek(client.fd(), buffer.address(), expected.longest());
        boolean failed = count < 0 && !Errno.wouldBlock(count);
        ByteBuffer seen = buffer.view().clear().limit((int) Math.max(0, count));
        switch (expected.parser().apply(seen)) {
            case Found<T> found -> take(found, buffer);
            case Rejected<T> rejected -> fail(End.REFUSED, rejected.reason());
            case More<T> more -> {
                if (!last && !failed && count != 0) {
                    return watch.arm(Watch.READ, this);
                }
                int error = Sockets.option(client.fd(), Sockets.SOL_SOCKET, Sockets.SO_ERROR);
                fail(
                        failed || error != 0 ? End.RST : End.FIN,
                        "the client ended before " + expected.name() + " was complete");
            }
        }
        return false;
    }

    private void take(Found<T> found, CopyBuffer buffer) {
        for (int left = found.length(); left > 0; ) {
            long count = Sockets.receive(client.fd(), buffer.address(), left);
            if (count <= 0) {
                // It was there a moment ago, and nobody else reads.
                fail(End.ERROR, client.failure("recv", count).getMessage());
                return;
            }
            left -= (int) count;
        }
        stop();
        onFound.accept(found.value());
    }

    private void late() {
        if (!over) {
            fail(
                    End.TIMEOUT,
                    expected.name() + " was not complete within "
                            + expected.time().toMillis() + " ms");
        }
    }

    private void fail(End end, String why) {
        stop();
        onFailure.accept(end, why);
    }
}
