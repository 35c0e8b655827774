package dev.sluice.traps;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.Pipeline;
import dev.sluice.io.Route;
import dev.sluice.io.TransferResult;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.JdkPair;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Pair;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What the user's own threads may do with a SocketChannel while a transfer uses its descriptor. */
@ExtendWith(LeakCheck.class)
@Timeout(60)
class AdoptedInUseTest {
    private static final byte[] DATA = Bytes.random(61, 3 << 20);

    /** How the user's thread reads; all of them count on blocking mode. */
    enum Reading {
        CHANNEL {
            @Override
            int read(SocketChannel channel, byte[] into) throws IOException {
                return channel.read(ByteBuffer.wrap(into));
            }
        },
        STREAM {
            @Override
            int read(SocketChannel channel, byte[] into) throws IOException {
                InputStream stream = channel.socket().getInputStream();
                return stream.read(into);
            }
        };

        abstract int read(SocketChannel channel, byte[] into) throws IOException;
    }

    /** Reads so many bytes the way that user's programs do, to whom blocking mode has promised at least one each time. */
    private static byte[] readAll(Reading reading, SocketChannel channel, int length) throws IOException {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        byte[] buffer = new byte[8192];
        while (all.size() < length) {
            int count = reading.read(channel, buffer);
            if (count <= 0) {
                throw new AssertionError("a blocking read returned " + count + " after " + all.size() + " bytes");
            }
            all.write(buffer, 0, count);
        }
        return all.toByteArray();
    }

    @ParameterizedTest
    @EnumSource(Reading.class)
    @DisplayName("J7: a thread blocked in read() while its socket becomes a sink never sees the socket in another mode")
    void aReaderOfTheOtherDirectionIsNotDisturbed(Reading reading) throws Exception {
        try (JdkPair pair = JdkPair.open()) {
            CompletableFuture<byte[]> reader = blockedIn("read0", () -> readAll(reading, pair.near(), 20 * 1000));
            for (int i = 0; i < 20; i++) {
                CompletableFuture<byte[]> received = Bytes.async(() -> Bytes.read(pair.far(), 100_000));
                try (Pair in = Pair.open(Pair.Kind.TCP)) {
                    Bytes.write(in.near(), Arrays.copyOf(DATA, 100_000), 100_000);
                    TransferResult result = Pipeline.from(in.far())
                            .route(Route.SPLICE)
                            .limit(100_000)
                            .to(pair.near());
                    assertThat(result.bytes()).isEqualTo(100_000);
                    if (result.route() == Route.COPY) {
                        assertThat(result.reason()).contains("the sink is a JDK channel that somebody else is reading");
                    }
                }
                same(Stage.get(received), DATA, 100_000);
                Bytes.write(pair.far(), Arrays.copyOfRange(DATA, i * 1000, i * 1000 + 1000), 100);
            }
            same(Stage.get(reader), DATA, 20 * 1000);
            assertThat(pair.near().isBlocking()).isTrue();
        }
    }

    /** Runs the call on a platform thread, and returns once that is inside the native method: no thread state tells. */
    private static <T> CompletableFuture<T> blockedIn(String method, Bytes.Call<T> call) throws InterruptedException {
        CompletableFuture<T> future = new CompletableFuture<>();
        Thread thread = Thread.ofPlatform().daemon().start(() -> {
            try {
                future.complete(call.make());
            } catch (Throwable t) {
                future.completeExceptionally(t);
            }
        });
        Stage.await(method, () -> {
            StackTraceElement[] stack = thread.getStackTrace();
            return stack.length > 0 && stack[0].getMethodName().equals(method) || future.isDone();
        });
        return future;
    }

    private static void same(byte[] actual, byte[] expected, int length) {
        assertThat(actual.length).isEqualTo(length);
        assertThat(Arrays.mismatch(actual, 0, length, expected, 0, length))
                .as("first wrong byte")
                .isEqualTo(-1);
    }
}
