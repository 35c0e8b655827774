package dev.sluice.examples;

import dev.sluice.ring.RingFile;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicLong;

/** Adds up the bytes of a file: a virtual thread per block, all of them reading at once. */
public final class ParallelSum {
    private static final int BLOCK = 64 * 1024;

    private ParallelSum() {}

    /** The sum of all bytes, taken as unsigned. */
    public static long of(Path path) throws IOException {
        AtomicLong sum = new AtomicLong();
        try (RingFile file = RingFile.open(path);
                ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            for (long offset = 0; offset < file.size(); offset += BLOCK) {
                long at = offset;
                threads.execute(() -> sum.addAndGet(block(file, at)));
            }
        }
        return sum.get();
    }

    private static long block(RingFile file, long offset) {
        ByteBuffer buffer = ByteBuffer.allocate(BLOCK);
        try {
            while (buffer.hasRemaining() && file.read(buffer, offset + buffer.position()) >= 0) {
                // A read may be short.
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        long sum = 0;
        for (buffer.flip(); buffer.hasRemaining(); ) {
            sum += Byte.toUnsignedInt(buffer.get());
        }
        return sum;
    }
}
