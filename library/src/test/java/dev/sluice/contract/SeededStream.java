package dev.sluice.contract;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.testkit.Bytes;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.util.Arrays;
import java.util.random.RandomGenerator;

/** A stream of a seed, as long as need be: one end writes it, the other checks that it gets the same, in order. */
record SeededStream(long seed, long length) {
    private static final int BLOCK = 64 * 1024;

    /** Writes it in chunks; whole words, so that the stream does not depend on the size of the chunks. */
    void writeTo(WritableByteChannel channel, int chunk) throws IOException {
        if (chunk % Long.BYTES != 0) {
            throw new IllegalArgumentException("chunk " + chunk);
        }
        RandomGenerator generator = Bytes.generator(seed);
        byte[] bytes = new byte[chunk];
        for (long left = length; left > 0; left -= chunk) {
            generator.nextBytes(bytes);
            Bytes.write(channel, left < chunk ? Arrays.copyOf(bytes, (int) left) : bytes, chunk);
        }
    }

    /** Reads to the end; true if exactly this stream came. */
    boolean arrivesAt(ReadableByteChannel channel) throws IOException {
        RandomGenerator generator = Bytes.generator(seed);
        byte[] expected = new byte[BLOCK];
        ByteBuffer block = ByteBuffer.allocate(BLOCK);
        long arrived = 0;
        boolean ended = false;
        while (!ended) {
            block.clear();
            while (block.hasRemaining() && !ended) {
                ended = channel.read(block) < 0;
            }
            generator.nextBytes(expected);
            int mismatch = Arrays.mismatch(block.array(), 0, block.position(), expected, 0, block.position());
            if (mismatch >= 0) {
                throw new AssertionError("seed " + seed + ": byte " + (arrived + mismatch) + " is wrong");
            }
            arrived += block.position();
        }
        assertThat(arrived).as("bytes that arrived, seed %s", seed).isEqualTo(length);
        return true;
    }
}
