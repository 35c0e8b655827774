package dev.sluice.cli.blackbox;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * An endless stream of random bytes, each a function of the seed and of its position: whoever receives a part of it can
 * tell whether it is the right part, and neither side has to hold it.
 *
 * @param seed what tells it from other streams
 */
record Seeded(long seed) {

    /** The bytes from a position on, as many as the buffer has room for. */
    void fill(ByteBuffer buffer, long position) {
        buffer.order(ByteOrder.LITTLE_ENDIAN);
        long at = position;
        while (buffer.hasRemaining()) {
            if ((at & 7) == 0 && buffer.remaining() >= Long.BYTES) {
                buffer.putLong(word(at >>> 3));
                at += Long.BYTES;
            } else {
                buffer.put(at(at++));
            }
        }
    }

    /** Reads the buffer up, which has to hold the bytes from the position on. */
    void check(ByteBuffer buffer, long position) {
        buffer.order(ByteOrder.LITTLE_ENDIAN);
        long at = position;
        while (buffer.hasRemaining()) {
            if ((at & 7) == 0
                    && buffer.remaining() >= Long.BYTES
                    && buffer.getLong(buffer.position()) == word(at >>> 3)) {
                buffer.position(buffer.position() + Long.BYTES);
                at += Long.BYTES;
            } else if (buffer.get() == at(at)) {
                at++;
            } else {
                throw new AssertionError("byte " + at + " is not the one that was sent there");
            }
        }
    }

    private byte at(long position) {
        return (byte) (word(position >>> 3) >>> (position & 7) * Byte.SIZE);
    }

    /** The finalizer of SplitMix64. */
    private long word(long index) {
        long z = seed * 0xD1342543DE82EF95L + index * 0x9E3779B97F4A7C15L;
        z = (z ^ z >>> 30) * 0xBF58476D1CE4E5B9L;
        z = (z ^ z >>> 27) * 0x94D049BB133111EBL;
        return z ^ z >>> 31;
    }
}
