package dev.sluice.traps;

import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.WRITE;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.MirrorFailure;
import dev.sluice.Pipeline;
import dev.sluice.file.KernelFile;
import dev.sluice.internal.fd.PipePool;
import dev.sluice.internal.linux.Errno;
import dev.sluice.io.MirrorResult;
import dev.sluice.io.Route;
import dev.sluice.io.Side;
import dev.sluice.io.TransferException;
import dev.sluice.io.TransferResult;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.Child;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Pair;
import java.nio.channels.ReadableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** ENOSPC on every way into a file: the account is what the file holds, and the stream can be resumed without a gap. */
@ExtendWith(LeakCheck.class)
@Timeout(60)
class FullDiskTest {
    private static final byte[] DATA = Bytes.random(23, 3 << 20);

    @TempDir
    private Path directory;

    private Path mount;

    @BeforeEach
    void mountSmallFileSystem() throws Exception {
        Path place = Files.createDirectory(directory.resolve("small"));
        Assumptions.assumeTrue(
                Child.has("mount", "-t", "tmpfs", "-o", "size=1m", "none", place.toString()),
                "a tmpfs can't be mounted: needs root");
        mount = place;
    }

    @AfterEach
    void unmount() throws Exception {
        if (mount != null) {
            assertThat(Child.has("umount", mount.toString())).isTrue();
        }
        Stage.await("pipes come back", () -> PipePool.shared().lent() == 0);
    }

    @ParameterizedTest
    @EnumSource(Route.class)
    @DisplayName("S17: file to a full file system by every route, resumed on another one")
    void fileToFile(Route route) throws Exception {
        Path from = Files.write(directory.resolve("from"), DATA);
        try (KernelFile source = KernelFile.open(from);
                KernelFile sink = KernelFile.open(mount.resolve("to"), WRITE, CREATE)) {
            TransferException e = Stage.failure(
                    Bytes.async(() -> Pipeline.from(source).route(route).to(sink)), TransferException.class);
            assertThat(source.position())
                    .as("bytes taken")
                    .isEqualTo(e.accepted() + e.residue().remaining());
            checkSink(e, Files.readAllBytes(mount.resolve("to")));
            resume(source, e, route);
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = Route.class,
            names = {"SPLICE", "COPY"})
    @DisplayName("S17: a stream to a full file system, resumed on another one")
    void socketToFile(Route route) throws Exception {
        try (Pair in = Pair.open(Pair.Kind.TCP);
                KernelFile sink = KernelFile.open(mount.resolve("to"), WRITE, CREATE)) {
            CompletableFuture<Object> fed = feed(in);
            TransferException e = Stage.failure(
                    Bytes.async(() -> Pipeline.from(in.far()).route(route).to(sink)), TransferException.class);
            checkSink(e, Files.readAllBytes(mount.resolve("to")));
            resume(in.far(), e, route);
            Stage.get(fed);
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = Route.class,
            names = {"SPLICE", "COPY"})
    @DisplayName("S17: a device that is always full takes nothing, and everything taken is left over")
    void deviceThatIsFull(Route route) throws Exception {
        try (Pair in = Pair.open(Pair.Kind.TCP);
                KernelFile sink = KernelFile.open(Path.of("/dev/full"), WRITE)) {
            CompletableFuture<Object> fed = feed(in);
            TransferException e = Stage.failure(
                    Bytes.async(() -> Pipeline.from(in.far()).route(route).to(sink)), TransferException.class);
            assertThat(e.errno()).isEqualTo(Errno.ENOSPC);
            assertThat(e.accepted()).isZero();
            resume(in.far(), e, route);
            Stage.get(fed);
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = Route.class,
            names = {"SPLICE", "COPY"})
    @DisplayName("S17, S24: a recording that fills its disk is left behind, with the count that its file holds")
    void mirrorIsDetached(Route route) throws Exception {
        try (Pair in = Pair.open(Pair.Kind.TCP);
                Pair out = Pair.open(Pair.Kind.TCP);
                KernelFile mirror = KernelFile.open(mount.resolve("to"), WRITE, CREATE)) {
            CompletableFuture<Object> fed = feed(in);
            CompletableFuture<byte[]> received = Bytes.async(() -> Bytes.readAll(out.far()));
            TransferResult result = Stage.get(Bytes.async(() -> Pipeline.from(in.far())
                    .route(route)
                    .mirror(mirror, MirrorFailure.DETACH)
                    .to(out.near())));
            out.near().shutdownOutput();
            assertThat(result.bytes()).isEqualTo(DATA.length);
            same(Stage.get(received), DATA);
            MirrorResult recording = result.mirrors().getFirst();
            assertThat(recording.failure()).isPresent();
            assertThat(recording.failure().get().errno()).isEqualTo(Errno.ENOSPC);
            byte[] inFile = Files.readAllBytes(mount.resolve("to"));
            assertThat(recording.bytes()).isEqualTo(inFile.length);
            same(inFile, Arrays.copyOf(DATA, inFile.length));
            Stage.get(fed);
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = Route.class,
            names = {"SPLICE", "COPY"})
    @DisplayName(
            "S17, S24: a recording that must be complete fails the transfer; sink and file hold what the account says")
    void mirrorFails(Route route) throws Exception {
        try (Pair in = Pair.open(Pair.Kind.TCP);
                Pair out = Pair.open(Pair.Kind.TCP);
                KernelFile mirror = KernelFile.open(mount.resolve("to"), WRITE, CREATE)) {
            CompletableFuture<Object> fed = feed(in);
            CompletableFuture<byte[]> received = Bytes.async(() -> Bytes.readAll(out.far()));
            TransferException e = Stage.failure(
                    Bytes.async(() ->
                            Pipeline.from(in.far()).route(route).mirror(mirror).to(out.near())),
                    TransferException.class);
            assertThat(e.side()).isEqualTo(Side.MIRROR);
            assertThat(e.errno()).isEqualTo(Errno.ENOSPC);
            byte[] inFile = Files.readAllBytes(mount.resolve("to"));
            assertThat(e.partial().mirrors().getFirst().bytes()).isEqualTo(inFile.length);
            same(inFile, Arrays.copyOf(DATA, inFile.length));
            resume(in.far(), e, route);
            out.near().shutdownOutput();
            same(Stage.get(received), Arrays.copyOf(DATA, (int) e.accepted()));
            Stage.get(fed);
        }
    }

    private static CompletableFuture<Object> feed(Pair in) {
        return Bytes.async(() -> {
            Bytes.write(in.near(), DATA, 100_000);
            return in.near().shutdownOutput();
        });
    }

    private static void checkSink(TransferException e, byte[] inFile) {
        assertThat(e.side()).isEqualTo(Side.SINK);
        assertThat(e.errno()).isEqualTo(Errno.ENOSPC);
        assertThat(e.accepted()).isEqualTo(inFile.length).isPositive();
        same(inFile, Arrays.copyOf(DATA, inFile.length));
    }

    /** Everything after what was accepted: the residue, and then the rest of the source. */
    private void resume(ReadableByteChannel source, TransferException e, Route route) throws Exception {
        Path rest = directory.resolve("rest");
        try (KernelFile sink = KernelFile.open(rest, WRITE, CREATE)) {
            Stage.writeAll(sink, e.residue());
            Pipeline.from(source).route(route).to(sink);
        }
        same(Files.readAllBytes(rest), Arrays.copyOfRange(DATA, (int) e.accepted(), DATA.length));
    }

    private static void same(byte[] actual, byte[] expected) {
        assertThat(actual.length).isEqualTo(expected.length);
        assertThat(Arrays.mismatch(actual, expected)).as("first wrong byte").isEqualTo(-1);
    }
}
