package dev.sluice.pipe;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sluice.internal.linux.Errno;
import dev.sluice.io.SluiceException;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.Child;
import dev.sluice.testkit.LeakCheck;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.Timeout.ThreadMode;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** TestSetBufferSize, and every way in which the kernel refuses a size. */
@ExtendWith(LeakCheck.class)
@Timeout(value = 60, threadMode = ThreadMode.SEPARATE_THREAD)
class PipeSizeTest {
    private static final long SEED = 3_240_960;
    private static final List<String> WITHOUT_CAPABILITIES = List.of("setpriv", "--bounding-set=-all");

    @ParameterizedTest
    @ValueSource(ints = {1, 4095, 4096, 4097, 100_000, 32 * 4096, 1 << 20})
    void theSizeIsRoundedUpToAPowerOfTwoPagesAndReadBack(int asked) throws Exception {
        try (KernelPipe pipe = KernelPipe.open()) {
            int page = pipe.resize(1);
            int expected = Math.max(page, Integer.highestOneBit(2 * asked - 1));

            assertThat(pipe.resize(asked)).isEqualTo(expected);
            assertThat(pipe.capacity()).isEqualTo(expected);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 4097, 100_000, 1 << 20})
    void aPipeCanBeAskedForWithACapacity(int asked) throws Exception {
        try (KernelPipe pipe = KernelPipe.open(asked)) {
            assertThat(pipe.capacity()).isBetween(asked, Math.max(4096, 2 * asked));
        }
    }

    @Test
    void aPipeTooLargeToBeHadIsAsLargeAsItComes() throws Exception {
        int usual;
        try (KernelPipe pipe = KernelPipe.open()) {
            usual = pipe.capacity();
        }
        // More than INT_MAX rounded up to a power of two, which the kernel refuses to everybody.
        try (KernelPipe pipe = KernelPipe.open(Integer.MAX_VALUE)) {
            assertThat(pipe.capacity()).isEqualTo(usual);
            pipe.write(ByteBuffer.wrap(new byte[] {7}));
            assertThat(Bytes.read(pipe, 1)).containsExactly(7);
        }
        assertThatIllegalArgumentException().isThrownBy(() -> KernelPipe.open(0));
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 32 * 4096, 1 << 20})
    void dataComesThroughAPipeOfAnySize(int size) throws Exception {
        byte[] bytes = Bytes.random(SEED, 3 << 20);
        try (KernelPipe pipe = KernelPipe.open()) {
            pipe.resize(size);
            CompletableFuture<byte[]> reading = Bytes.async(() -> Bytes.readAll(pipe));
            pipe.write(ByteBuffer.wrap(bytes));
            pipe.closeSink();
            assertThat(reading.get()).isEqualTo(bytes);
        }
    }

    @Test
    void aPipeCanBeResizedWithBytesInsideThatFit() throws Exception {
        byte[] bytes = Bytes.random(SEED + 1, 10_000);
        try (KernelPipe pipe = KernelPipe.open()) {
            pipe.write(ByteBuffer.wrap(bytes));
            pipe.resize(1 << 20);
            pipe.resize(16_384);
            pipe.closeSink();
            assertThat(Bytes.readAll(pipe)).isEqualTo(bytes);
        }
    }

    @Test
    void shrinkingBelowTheContentSaysThatItIsBusyAndWhatToDo() throws Exception {
        try (KernelPipe pipe = KernelPipe.open()) {
            int capacity = pipe.capacity();
            byte[] bytes = Bytes.random(SEED + 2, capacity);
            pipe.write(ByteBuffer.wrap(bytes));

            assertThatExceptionOfType(SluiceException.class)
                    .isThrownBy(() -> pipe.resize(4096))
                    .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.EBUSY))
                    .withMessageContaining(pipe.toString())
                    .withMessageContaining("EBUSY")
                    .withMessageContaining("read them first")
                    .satisfies(e -> assertThat(e.getMessage()).doesNotContain("\n"));
            assertThat(pipe.capacity()).isEqualTo(capacity);
            assertThat(Bytes.read(pipe, capacity)).isEqualTo(bytes);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, -1, Integer.MIN_VALUE})
    void aSizeThatIsNoneIsRefused(int size) throws Exception {
        try (KernelPipe pipe = KernelPipe.open()) {
            assertThatIllegalArgumentException().isThrownBy(() -> pipe.resize(size));
        }
    }

    @Test
    void theSizeCanBeAskedAtEitherEnd() throws Exception {
        try (KernelPipe pipe = KernelPipe.open()) {
            int capacity = pipe.capacity();
            pipe.closeSource();
            assertThat(pipe.capacity()).isEqualTo(capacity);
        }
        try (KernelPipe pipe = KernelPipe.open()) {
            int capacity = pipe.capacity();
            pipe.closeSink();
            assertThat(pipe.capacity()).isEqualTo(capacity);
        }
    }

    @Test
    void anUnprivilegedUserIsToldWhichLimitIsInTheWay() throws Exception {
        assumeTrue(Child.has("setpriv", "--bounding-set=-all", "true"), "setpriv is not there to drop capabilities");

        Child child = Child.run(Child.command(WITHOUT_CAPABILITIES, List.of(), TooLarge.class));

        assertThat(child.exit()).as("%s", child).isZero();
        assertThat(child.out().lines())
                .singleElement()
                .satisfies(message -> assertThat(message)
                        .startsWith("1 pipe ")
                        .contains("EPERM")
                        .contains("fs.pipe-max-size")
                        .contains("sysctl"));
    }

    /** Asks for more than anybody without CAP_SYS_RESOURCE may have. */
    static final class TooLarge {
        public static void main(String[] args) throws Exception {
            byte[] text = new byte[32];
            int length;
            try (InputStream in = Files.newInputStream(Path.of("/proc/sys/fs/pipe-max-size"))) {
                // In one read: the file says that it ends after the first, however short.
                length = in.read(text);
            }
            int max = Integer.parseInt(new String(text, 0, length, US_ASCII).strip());
            try (KernelPipe pipe = KernelPipe.open()) {
                pipe.resize(2 * max);
                System.out.println("was given " + pipe.capacity());
            } catch (SluiceException e) {
                System.out.println(e.errno() + " " + e.getMessage());
            }
        }
    }
}
