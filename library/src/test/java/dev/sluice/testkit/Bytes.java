package dev.sluice.testkit;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.util.concurrent.CompletableFuture;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;

/** Payloads that can be checked, and threads that write and read them. */
public final class Bytes {
    private Bytes() {}

    /** Random bytes of a seed. */
    public static byte[] random(long seed, int length) {
        byte[] bytes = new byte[length];
        generator(seed).nextBytes(bytes);
        return bytes;
    }

    public static RandomGenerator generator(long seed) {
        return RandomGeneratorFactory.of("L64X128MixRandom").create(seed);
    }

    /** Everything from now to the end of the stream. */
    public static byte[] readAll(ReadableByteChannel channel) throws IOException {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        ByteBuffer buffer = ByteBuffer.allocate(64 * 1024);
        while (channel.read(buffer.clear()) >= 0) {
            all.write(buffer.array(), 0, buffer.position());
        }
        return all.toByteArray();
    }

    /** Exactly so many bytes. */
    public static byte[] read(ReadableByteChannel channel, int length) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(length);
        while (buffer.hasRemaining()) {
            if (channel.read(buffer) < 0) {
                throw new IOException("the stream ended after " + buffer.position() + " of " + length + " bytes");
            }
        }
        return buffer.array();
    }

    /** Writes in chunks. */
    public static void write(WritableByteChannel channel, byte[] bytes, int chunk) throws IOException {
        for (int at = 0; at < bytes.length; at += chunk) {
            ByteBuffer part = ByteBuffer.wrap(bytes, at, Math.min(chunk, bytes.length - at));
            while (part.hasRemaining()) {
                channel.write(part);
            }
        }
    }

    /** Something that may throw. */
    public interface Call<T> {
        T make() throws Exception;
    }

    /** Runs it on a virtual thread of its own. */
    public static <T> CompletableFuture<T> async(Call<T> call) {
        return start(Thread.ofVirtual(), call);
    }

    /** Runs it on a platform thread of its own. */
    public static <T> CompletableFuture<T> platform(Call<T> call) {
        return start(Thread.ofPlatform().daemon(), call);
    }

    private static <T> CompletableFuture<T> start(Thread.Builder thread, Call<T> call) {
        CompletableFuture<T> future = new CompletableFuture<>();
        thread.start(() -> {
            try {
                future.complete(call.make());
            } catch (Throwable t) {
                future.completeExceptionally(t);
            }
        });
        return future;
    }
}
