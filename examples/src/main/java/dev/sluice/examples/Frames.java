package dev.sluice.examples;

import dev.sluice.net.StreamSocket;
import dev.sluice.ring.SharedRing;
import dev.sluice.send.BufferLease;
import dev.sluice.send.BufferPool;
import dev.sluice.send.SendReceipt;
import dev.sluice.send.Stage;
import dev.sluice.send.ZeroCopySender;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import java.time.Duration;

/** Ways to send from buffers that the kernel may read until it says that it has let go. */
public final class Frames {
    private Frames() {}

    /** Pipelined: while the kernel sends up to eight frames, the next one is filled. */
    public static void stream(ReadableByteChannel source, StreamSocket socket) throws Exception {
        try (BufferPool pool = BufferPool.open(256 * 1024, 8);
                ZeroCopySender sender = ZeroCopySender.open(socket)) {

            BufferLease frame = pool.lease();
            while (frame.readFrom(source) >= 0) {
                sender.send(frame);
                frame = pool.lease();
            }
            frame.close();
        }
    }

    /** One frame, and the thread waits until its memory is free: released, still held, or given up with the connection. */
    public static boolean sendAndWait(ZeroCopySender sender, BufferLease frame, Duration patience) throws Exception {
        return switch (sender.sendUntilReleased(frame, patience)) {
            case RELEASED -> true;
            case HELD -> {
                // The buffer stays the kernel's, so nothing is lost by waiting on; this caller would rather end it.
                sender.abort();
                yield false;
            }
            case QUARANTINED -> false;
        };
    }

    /** The same through the ring, and then the socket is closed. */
    public static boolean sendByRing(StreamSocket socket, BufferLease frame, Duration patience) throws Exception {
        try (ZeroCopySender sender =
                ZeroCopySender.over(socket).by(SharedRing.shared().sends()).open()) {
            return sendAndWait(sender, frame, patience);
        }
    }

    /** A header of eight bytes by copy and the frame behind it by zero copy, and the word of the peer's TCP that it has both. */
    public static boolean deliver(ZeroCopySender sender, long number, BufferLease frame) throws Exception {
        ByteBuffer header = ByteBuffer.allocate(Long.BYTES).putLong(number).flip();
        SendReceipt receipt = sender.send(header, frame, Stage.ACKED);
        return receipt.await(Stage.ACKED, Duration.ofSeconds(10));
    }

    /** A mail is delivered at the other side's "250 OK", and not when its bytes are acknowledged. */
    public static void mail(ZeroCopySender sender, BufferLease mail, StreamSocket socket) throws IOException {
        SendReceipt receipt = sender.send(mail);
        receipt.whenReached(Stage.CONFIRMED).thenAccept(done -> System.out.println("delivered: " + done));
        ByteBuffer answer = ByteBuffer.allocate(64);
        if (socket.read(answer) > 2 && new String(answer.array(), 0, 3).equals("250")) {
            receipt.confirm();
        }
    }
}
