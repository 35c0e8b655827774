package dev.sluice.file;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.nio.file.StandardOpenOption.APPEND;
import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.CREATE_NEW;
import static java.nio.file.StandardOpenOption.DELETE_ON_CLOSE;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.TRUNCATE_EXISTING;
import static java.nio.file.StandardOpenOption.WRITE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sluice.internal.linux.Errno;
import dev.sluice.io.SluiceException;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.Child;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Parked;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.file.Files;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.Timeout.ThreadMode;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Opening, reading, writing and the position, without any transfer. */
@ExtendWith(LeakCheck.class)
@Timeout(value = 60, threadMode = ThreadMode.SEPARATE_THREAD)
class KernelFileTest {
    private static final long SEED = 314_159;

    @TempDir
    private Path directory;

    private Path path;

    @BeforeEach
    void aFile() throws Exception {
        path = Files.writeString(directory.resolve("file"), "precious");
    }

    private static void fails(int errno, ThrowingCallable call, String... words) {
        assertThatExceptionOfType(SluiceException.class).isThrownBy(call).satisfies(e -> {
            assertThat(e.errno()).as(e.getMessage()).isEqualTo(errno);
            assertThat(e.getMessage())
                    .contains(words)
                    .contains(Errno.name(errno))
                    .doesNotContain("\n");
        });
    }

    @Test
    void whatCannotBeOpenedSaysWhyInOneLine() throws Exception {
        Path nothing = directory.resolve("nothing");
        fails(Errno.ENOENT, () -> KernelFile.open(nothing), nothing.toString(), "open", "check the path");
        fails(Errno.EEXIST, () -> KernelFile.open(path, WRITE, CREATE_NEW), path.toString());
        fails(21, () -> KernelFile.open(directory, WRITE), directory.toString(), "EISDIR");
        assertThatExceptionOfType(SluiceException.class)
                .isThrownBy(() -> KernelFile.open(directory))
                .withMessageStartingWith(directory.toString())
                .withMessageContaining("neither a file");
    }

    @Test
    void aFileThatMayNotBeReadSaysSo() throws Exception {
        assumeTrue(Child.has("setpriv", "--bounding-set=-all", "true"), "setpriv is not there to drop capabilities");
        Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("---------"));
        List<String> unprivileged = List.of("setpriv", "--bounding-set=-all");

        Child child = Child.run(Child.command(unprivileged, List.of(), Opens.class, path.toString()));

        assertThat(child.exit()).as("%s", child).isZero();
        assertThat(child.out().strip())
                .startsWith("13 " + path)
                .contains("EACCES")
                .contains("no permission");
    }

    /** Says what happens to somebody who opens the file. */
    static final class Opens {
        public static void main(String[] args) throws Exception {
            try (KernelFile file = KernelFile.open(Path.of(args[0]))) {
                System.out.println("opened " + file);
            } catch (SluiceException e) {
                System.out.println(e.errno() + " " + e.getMessage());
            }
        }
    }

    @Test
    void optionsOfTheJdkMeanWhatTheyMeanThere() throws Exception {
        Path made = directory.resolve("made");
        try (KernelFile file = KernelFile.open(made, WRITE, CREATE_NEW)) {
            file.write(ByteBuffer.wrap("new".getBytes(UTF_8)));
        }
        assertThat(made).hasContent("new");
        try (KernelFile file = KernelFile.open(made, WRITE, CREATE)) {
            assertThat(file.size()).isEqualTo(3);
        }
        try (KernelFile file = KernelFile.open(made, APPEND)) {
            file.write(ByteBuffer.wrap("er".getBytes(UTF_8)));
        }
        assertThat(made).hasContent("newer");
        try (KernelFile file = KernelFile.open(made, READ, WRITE)) {
            assertThat(new String(Bytes.read(file, 3), UTF_8)).isEqualTo("new");
            file.write(ByteBuffer.wrap("!".getBytes(UTF_8)));
        }
        assertThat(made).hasContent("new!r");
        try (KernelFile file = KernelFile.open(made, WRITE, TRUNCATE_EXISTING)) {
            assertThat(file.size()).isZero();
        }
    }

    /** StandardOpenOption: "ignored if the file is opened only for reading". */
    @Test
    void aFileOpenedOnlyForReadingIsNotTruncated() throws Exception {
        for (OpenOption[] options :
                List.of(new OpenOption[] {READ, TRUNCATE_EXISTING}, new OpenOption[] {TRUNCATE_EXISTING})) {
            try (KernelFile file = KernelFile.open(path, options)) {
                assertThat(file.size()).isEqualTo(8);
            }
            assertThat(path).hasContent("precious");
        }
    }

    /** Files.newByteChannel: CREATE and CREATE_NEW are "ignored when the file is opened only for reading". */
    @Test
    void aFileOpenedOnlyForReadingIsNotCreated() {
        Path nothing = directory.resolve("nothing");
        fails(Errno.ENOENT, () -> KernelFile.open(nothing, READ, CREATE).close(), nothing.toString());
        fails(Errno.ENOENT, () -> KernelFile.open(nothing, READ, CREATE_NEW).close(), nothing.toString());
        assertThat(nothing).doesNotExist();
    }

    @Test
    void anOptionThatIsNotSupportedIsRefused() {
        assertThatExceptionOfType(UnsupportedOperationException.class)
                .isThrownBy(() -> KernelFile.open(path, READ, DELETE_ON_CLOSE))
                .withMessageContaining("DELETE_ON_CLOSE");
        assertThat(path).exists();
    }

    @Test
    void theWrongDirectionSaysThatTheDescriptorIsBad() throws Exception {
        try (KernelFile readable = KernelFile.open(path);
                KernelFile writable = KernelFile.open(path, WRITE)) {
            fails(Errno.EBADF, () -> readable.write(ByteBuffer.allocate(1)), path.toString(), "write");
            fails(Errno.EBADF, () -> writable.read(ByteBuffer.allocate(1)), path.toString(), "read");
        }
        assertThat(path).hasContent("precious");
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 4096, 65_535, 65_536, 65_537, 1 << 20})
    void heapAndDirectBuffersAreWrittenAndReadBack(int size) throws Exception {
        byte[] bytes = Bytes.random(SEED, size);
        try (KernelFile file = KernelFile.open(path, READ, WRITE, TRUNCATE_EXISTING)) {
            assertThat(file.write(ByteBuffer.wrap(bytes).asReadOnlyBuffer())).isEqualTo(size);
            assertThat(file.write(ByteBuffer.allocateDirect(size).put(bytes).flip()))
                    .isEqualTo(size);
            assertThat(file.position()).isEqualTo(2L * size);
            assertThat(file.size()).isEqualTo(2L * size);

            assertThat(file.position(0)).isSameAs(file);
            assertThat(Bytes.read(file, size)).isEqualTo(bytes);
            ByteBuffer direct = ByteBuffer.allocateDirect(size);
            while (direct.hasRemaining()) {
                assertThat(file.read(direct)).isPositive();
            }
            assertThat(direct.flip()).isEqualTo(ByteBuffer.wrap(bytes));
            assertThat(file.read(ByteBuffer.allocate(1))).isEqualTo(-1);
            assertThat(file.read(ByteBuffer.allocate(0))).isZero();
        }
    }

    @Test
    void truncateCutsAndNeverGrowsAndPullsThePositionBack() throws Exception {
        try (KernelFile file = KernelFile.open(path, WRITE)) {
            file.position(6);
            assertThat(file.truncate(100)).isSameAs(file);
            assertThat(file.size()).isEqualTo(8);
            assertThat(file.position()).isEqualTo(6);
            file.truncate(4);
            assertThat(file.size()).isEqualTo(4);
            assertThat(file.position()).isEqualTo(4);
            file.force();
            assertThatIllegalArgumentException().isThrownBy(() -> file.truncate(-1));
            assertThatIllegalArgumentException().isThrownBy(() -> file.position(-1));
        }
        assertThat(path).hasContent("prec");
    }

    @Test
    void writingBeyondTheEndLeavesAHole() throws Exception {
        try (KernelFile file = KernelFile.open(path, READ, WRITE)) {
            file.position(3L << 30);
            assertThat(file.read(ByteBuffer.allocate(1))).isEqualTo(-1);
            file.write(ByteBuffer.wrap(new byte[] {1}));
            assertThat(file.size()).isEqualTo((3L << 30) + 1);
            file.position((3L << 30) - 1);
            assertThat(Bytes.readAll(file)).containsExactly(0, 1);
        }
    }

    @Test
    void closingTwiceIsClosingOnceAndNothingWorksAfterwards() throws Exception {
        KernelFile file = KernelFile.open(path, READ, WRITE);
        assertThat(file.isOpen()).isTrue();
        file.close();
        file.close();
        assertThat(file.isOpen()).isFalse();
        assertThatExceptionOfType(ClosedChannelException.class).isThrownBy(() -> file.read(ByteBuffer.allocate(1)));
        assertThatExceptionOfType(ClosedChannelException.class).isThrownBy(() -> file.write(ByteBuffer.allocate(1)));
        assertThatExceptionOfType(ClosedChannelException.class).isThrownBy(file::position);
        assertThatExceptionOfType(ClosedChannelException.class).isThrownBy(file::size);
        assertThatExceptionOfType(ClosedChannelException.class).isThrownBy(() -> file.truncate(0));
        assertThatExceptionOfType(ClosedChannelException.class).isThrownBy(file::force);
    }

    @Test
    void aVirtualThreadDoesAllOfThisToo() throws Exception {
        byte[] bytes = Bytes.random(SEED + 1, 300_000);
        Bytes.async(() -> {
                    try (KernelFile file = KernelFile.open(path, READ, WRITE)) {
                        assertThat(file.write(ByteBuffer.wrap(bytes))).isEqualTo(bytes.length);
                        file.force();
                        file.truncate(200_000).position(100_000);
                        assertThat(Bytes.readAll(file)).hasSize(100_000);
                        fails(Errno.EINVAL, () -> file.position(Long.MAX_VALUE), path.toString(), "lseek");
                    }
                    return null;
                })
                .get();
        assertThat(Files.size(path)).isEqualTo(200_000);
    }

    @Test
    void aFifoIsAFileWithoutAPosition() throws Exception {
        Path fifo = directory.resolve("fifo");
        assertThat(new ProcessBuilder("mkfifo", fifo.toString()).start().waitFor())
                .isZero();
        try (KernelFile both = KernelFile.open(fifo, READ, WRITE)) {
            Parked<byte[]> reading = Parked.virtual(() -> Bytes.read(both, 5));
            both.write(ByteBuffer.wrap("hello".getBytes(UTF_8)));
            assertThat(reading.get()).asString(UTF_8).isEqualTo("hello");
            fails(Errno.ESPIPE, both::position, fifo.toString());
        }
    }
}
