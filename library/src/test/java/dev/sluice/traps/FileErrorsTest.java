package dev.sluice.traps;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.Pipeline;
import dev.sluice.Sluice;
import dev.sluice.file.KernelFile;
import dev.sluice.internal.linux.Errno;
import dev.sluice.io.Route;
import dev.sluice.io.Side;
import dev.sluice.io.TransferException;
import dev.sluice.io.TransferResult;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.Child;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Pair;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@ExtendWith(LeakCheck.class)
@Timeout(60)
class FileErrorsTest {
    private static final byte[] DATA = Bytes.random(17, 5 << 20);

    @ParameterizedTest
    @EnumSource(
            value = Route.class,
            names = {"SPLICE", "COPY"})
    @DisplayName("S17: a full file system ends the transfer; the account agrees with what the file holds, to the byte")
    void noSpace(Route route, @TempDir Path directory) throws Exception {
        Path mount = Files.createDirectory(directory.resolve("full"));
        Assumptions.assumeTrue(
                Child.has("mount", "-t", "tmpfs", "-o", "size=1m", "none", mount.toString()),
                "a tmpfs can't be mounted: needs root");
        try (Pair in = Pair.open(Pair.Kind.TCP);
                KernelFile file =
                        KernelFile.open(mount.resolve("f"), StandardOpenOption.WRITE, StandardOpenOption.CREATE)) {
            Stage.Feeder feeder = new Stage.Feeder(in.near(), DATA, 100_000);
            TransferException e = Stage.failure(
                    Bytes.async(() -> Pipeline.from(in.far()).route(route).to(file)), TransferException.class);
            checkAccount(e, Files.readAllBytes(mount.resolve("f")), Errno.ENOSPC, "ENOSPC");
            in.close();
            feeder.done.exceptionally(t -> null).join();
        } finally {
            assertThat(Child.has("umount", mount.toString())).isTrue();
        }
    }

    private static void checkAccount(TransferException e, byte[] inFile, int errno, String name) {
        assertThat(e.side()).isEqualTo(Side.SINK);
        assertThat(e.errno()).isEqualTo(errno);
        assertThat(e.getMessage()).contains(name).contains(e.name()).doesNotContain("\n");
        assertThat(inFile).hasSize((int) e.accepted()).isEqualTo(Arrays.copyOf(DATA, inFile.length));
        byte[] residue = Stage.bytes(e.residue());
        assertThat(residue).isEqualTo(Arrays.copyOfRange(DATA, inFile.length, inFile.length + residue.length));
    }

    @Test
    @DisplayName("S17: the process's limit of file sizes (EFBIG, SIGXFSZ) ends the transfer, not the process")
    void fileTooBig(@TempDir Path directory) throws Exception {
        Assumptions.assumeTrue(Child.has("prlimit", "--fsize=1000000", "true"), "prlimit is missing");
        Path from = Files.write(directory.resolve("from"), DATA);
        Path to = directory.resolve("to");
        // Without the JVM's shared memory file, which has a size too.
        for (String route : List.of("SPLICE", "COPY", "COPY_FILE_RANGE")) {
            Files.deleteIfExists(to);
            Child child = Child.run(Child.command(
                    List.of("prlimit", "--fsize=1000000"),
                    List.of("-XX:-UsePerfData"),
                    Mover.class,
                    "source=" + from,
                    "sink=" + to,
                    "route=" + route));
            assertThat(child.exit()).as(child.toString()).isEqualTo(Mover.FAILED);
            assertThat(child.out()).contains("EFBIG").contains(to.toString()).contains("accepted=1000000 ");
            assertThat(Files.readAllBytes(to)).isEqualTo(Arrays.copyOf(DATA, 1_000_000));
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = Route.class,
            names = {"SPLICE", "COPY", "SENDFILE"})
    @DisplayName("S18, #18: a file that shrinks while it is sent fails the transfer instead of ending it early")
    void fileShrinks(Route route, @TempDir Path directory) throws Exception {
        Path path = directory.resolve("shrinking");
        byte[] data = Bytes.random(18, 32 << 20);
        Files.write(path, data);
        try (Pair out = Pair.open(Pair.Kind.TCP);
                KernelFile file = KernelFile.open(path)) {
            CompletableFuture<TransferResult> transfer =
                    Bytes.async(() -> Pipeline.from(file).route(route).to(out.near()));
            Bytes.read(out.far(), 1000);
            Stage.awaitStill(() -> position(file));
            try (RandomAccessFile cut = new RandomAccessFile(path.toFile(), "rw")) {
                cut.setLength(20 << 20);
            }
            CompletableFuture<byte[]> received = Bytes.async(() -> Bytes.readAll(out.far()));
            TransferException e = Stage.failure(transfer, TransferException.class);
            out.near().shutdownOutput();
            assertThat(e.side()).isEqualTo(Side.SOURCE);
            assertThat(e.getMessage()).contains("shrank", path.toString(), (12 << 20) + " bytes are missing");
            assertThat(e.accepted()).isLessThanOrEqualTo(20 << 20);
            byte[] head = Stage.get(received);
            assertThat(head).isEqualTo(Arrays.copyOfRange(data, 1000, 1000 + head.length));
        }
    }

    private static long position(KernelFile file) {
        try {
            return file.position();
        } catch (java.io.IOException e) {
            throw new AssertionError(e);
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = Route.class,
            names = {"SPLICE", "COPY", "SENDFILE", "COPY_FILE_RANGE"})
    @DisplayName("S19: holes are sent as zeros, and short counts at their edges are no end")
    void holes(Route route, @TempDir Path directory) throws Exception {
        Path path = directory.resolve("sparse");
        try (RandomAccessFile sparse = new RandomAccessFile(path.toFile(), "rw")) {
            for (int at = 0; at < 8 << 20; at += 1_000_001) {
                sparse.seek(at);
                sparse.write(DATA, at % 1000, 5000);
            }
            sparse.setLength(9 << 20);
        }
        Path copy = directory.resolve("copy");
        try (Pair out = Pair.open(Pair.Kind.TCP);
                KernelFile file = KernelFile.open(path);
                KernelFile to = KernelFile.open(copy, StandardOpenOption.WRITE, StandardOpenOption.CREATE)) {
            if (route == Route.COPY_FILE_RANGE) {
                Stage.get(Bytes.async(() -> Pipeline.from(file).route(route).to(to)));
                assertThat(Files.mismatch(path, copy)).isEqualTo(-1);
                return;
            }
            CompletableFuture<byte[]> received = Bytes.async(() -> Bytes.readAll(out.far()));
            TransferResult result =
                    Stage.get(Bytes.async(() -> Pipeline.from(file).route(route).to(out.near())));
            out.near().shutdownOutput();
            assertThat(result.bytes()).isEqualTo(9 << 20);
            assertThat(Stage.get(received)).isEqualTo(Files.readAllBytes(path));
        }
    }

    @Test
    @DisplayName("J9: a transfer moves the positions of both files, as reading and writing would")
    void positionsMove(@TempDir Path directory) throws Exception {
        Path path = Files.write(directory.resolve("from"), DATA);
        try (KernelFile from = KernelFile.open(path);
                KernelFile to =
                        KernelFile.open(directory.resolve("to"), StandardOpenOption.WRITE, StandardOpenOption.CREATE)) {
            for (Route route : Route.values()) {
                from.position(1000);
                to.position(2000);
                Pipeline.from(from).route(route).limit(70_000).to(to);
                assertThat(from.position()).as(route + "").isEqualTo(71_000);
                assertThat(to.position()).as(route + "").isEqualTo(72_000);
            }
            assertThat(Sluice.transfer(from, to).bytes()).isEqualTo(DATA.length - 71_000);
        }
    }
}
