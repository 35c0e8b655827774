package dev.sluice.cli.demo;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;

/**
 * What a viewer saw.
 *
 * @param bytes until the end of the stream
 * @param fault the position of the first byte that was not as it was sent, or −1
 */
public record Viewing(long bytes, long fault) {

    /** Reads to the end and checks every byte. */
    public static Viewing of(ReadableByteChannel stream) throws IOException {
        Footage footage = new Footage();
        ByteBuffer buffer = ByteBuffer.allocateDirect(Footage.FRAME);
        long bytes = 0;
        long fault = -1;
        for (long number = 0; fill(buffer.clear(), stream) > 0; number++) {
            bytes += buffer.flip().remaining();
            if (fault < 0) {
                fault = footage.firstFault(number, buffer);
            }
        }
        return new Viewing(bytes, fault);
    }

    private static int fill(ByteBuffer buffer, ReadableByteChannel stream) throws IOException {
        while (buffer.hasRemaining() && stream.read(buffer) >= 0) {
            // A frame comes in as many pieces as the network likes.
        }
        return buffer.position();
    }

    /** Whether it was the whole footage of that size. */
    public boolean complete(long size) {
        return bytes == size && fault < 0;
    }
}
