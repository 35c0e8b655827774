package dev.sluice.cli.demo;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.SplittableRandom;

/**
 * What the camera sends: a stream whose every byte is known by its position, cheap to make and cheap to check, so that
 * making and checking it does not hide what is measured.
 *
 * <p>It is one frame of random bytes again and again, in which each page begins with its number in the stream: a byte
 * that is missing, changed, doubled or elsewhere shows. Not safe for use by several threads.
 */
public final class Footage {
    /** The bytes of a frame. */
    public static final int FRAME = 1 << 20;

    private static final int PAGE = 4096;
    private static final long SEED = 20_250_916;

    private final ByteBuffer frame = ByteBuffer.allocateDirect(FRAME).order(ByteOrder.LITTLE_ENDIAN);

    public Footage() {
        SplittableRandom random = new SplittableRandom(SEED);
        while (frame.hasRemaining()) {
            frame.putLong(random.nextLong());
        }
    }

    /** The whole frame with this number; the same buffer each time. */
    public ByteBuffer frame(long number) {
        long page = number * (FRAME / PAGE);
        for (int at = 0; at < FRAME; at += PAGE) {
            frame.putLong(at, page++);
        }
        return frame.clear();
    }

    /** The part of the frame with this number that belongs to a stream of so many bytes. */
    public ByteBuffer frame(long number, long size) {
        return frame(number).limit((int) Math.min(FRAME, size - number * FRAME));
    }

    /** The position in the stream of the first byte that is not as it was sent, or −1. The buffer begins a frame. */
    public long firstFault(long number, ByteBuffer received) {
        int mismatch = frame(number).limit(received.remaining()).mismatch(received);
        return mismatch < 0 ? -1 : number * FRAME + mismatch;
    }

    /** The SHA-256, in hexadecimal, of so many bytes. */
    public String sha256(long size) {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            for (long number = 0; number * FRAME < size; number++) {
                digest.update(frame(number, size));
            }
            return HexFormat.of().formatHex(digest.digest());
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every JDK has SHA-256", e);
        }
    }
}
