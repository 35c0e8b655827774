package dev.sluice.examples;

import dev.sluice.Sluice;
import dev.sluice.io.TransferException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;

/** Goes on with another sink when the first one fails, without losing a byte. */
public final class Resume {
    private Resume() {}

    /** What the first sink did not accept goes to the other one. */
    public static void transfer(ReadableByteChannel source, WritableByteChannel sink, WritableByteChannel another)
            throws IOException {
        try {
            Sluice.transfer(source, sink);
        } catch (TransferException e) {
            ByteBuffer rest = e.residue();
            while (rest.hasRemaining()) {
                another.write(rest);
            }
            Sluice.transfer(source, another);
        }
    }
}
