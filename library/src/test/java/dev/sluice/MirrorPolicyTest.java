package dev.sluice;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.file.KernelFile;
import dev.sluice.io.Route;
import dev.sluice.io.TransferResult;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Pair;
import dev.sluice.testkit.Pair.Kind;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@ExtendWith(LeakCheck.class)
@Timeout(60)
class MirrorPolicyTest {
    private static final byte[] FILM = Bytes.random(31, 24_000_000);

    @ParameterizedTest
    @EnumSource(
            value = Route.class,
            names = {"SPLICE", "COPY"})
    void aStalledMirrorIsDetachedAndTheOthersGetEverything(Route route) throws Exception {
        try (Pair camera = Pair.open(Kind.TCP);
                Pair client = Pair.open(Kind.TCP);
                Pair good = Pair.open(Kind.UNIX);
                Pair stalled = Pair.open(Kind.TCP);
                Pair alsoStalled = Pair.open(Kind.UNIX)) {
            CompletableFuture<byte[]> watching = Bytes.async(() -> Bytes.readAll(client.far()));
            CompletableFuture<byte[]> recording = Bytes.async(() -> Bytes.readAll(good.far()));
            CompletableFuture<Object> filming = Bytes.async(() -> {
                Bytes.write(camera.far(), FILM, 100_000);
                return camera.far().shutdownOutput();
            });

            TransferResult result = Pipeline.from(camera.near())
                    .route(route)
                    .mirror(stalled.near(), MirrorPolicy.optional(Duration.ofMillis(100)))
                    .mirror(good.near())
                    .mirror(alsoStalled.near(), MirrorPolicy.optional(Duration.ofMillis(150)))
                    .to(client.near());
            client.near().shutdownOutput();
            good.near().shutdownOutput();

            filming.get();
            assertThat(result.bytes()).isEqualTo(FILM.length);
            assertThat(Arrays.mismatch(watching.get(), FILM)).isEqualTo(-1);
            assertThat(Arrays.mismatch(recording.get(), FILM)).isEqualTo(-1);
            assertThat(result.mirrors().get(0).failure())
                    .hasValueSatisfying(e -> assertThat(e)
                            .hasMessageContaining(result.mirrors().get(0).name())
                            .hasMessageContaining("held the stream up"));
            assertThat(result.mirrors().get(1).failure()).isEmpty();
            assertThat(result.mirrors().get(2).failure()).isPresent();

            // What a detached mirror was given is a beginning of the stream, without a hole.
            stalled.near().shutdownOutput();
            byte[] beginning = Bytes.readAll(stalled.far());
            assertThat((long) beginning.length)
                    .isEqualTo(result.mirrors().get(0).bytes())
                    .isLessThan(FILM.length);
            assertThat(beginning).isEqualTo(Arrays.copyOf(FILM, beginning.length));
        }
    }

    @Test
    void aDetachedMirrorCanBeClosedWhileTheStreamGoesOn() throws Exception {
        try (Pair camera = Pair.open(Kind.TCP);
                Pair client = Pair.open(Kind.TCP);
                Pair stalled = Pair.open(Kind.TCP)) {
            CompletableFuture<TransferResult> transfer = Bytes.async(() -> Pipeline.from(camera.near())
                    .mirror(stalled.near(), MirrorPolicy.optional(Duration.ofMillis(10)))
                    .to(client.near()));
            CompletableFuture<Object> filming = Bytes.async(() -> {
                Bytes.write(camera.far(), FILM, 100_000);
                return null;
            });
            // More than fits between the camera and the mirror: the client has it only if the mirror is detached.
            byte[] got = Bytes.read(client.far(), FILM.length);
            assertThat(Arrays.mismatch(got, FILM)).isEqualTo(-1);
            filming.get();

            stalled.near().abort();
            assertThatThrownBy(() -> Bytes.readAll(stalled.far())).hasMessageContaining("ECONNRESET");
            assertThat(transfer).isNotDone();
            camera.far().shutdownOutput();
            assertThat(transfer.get().mirrors().getFirst().failure()).isPresent();
        }
    }

    @Test
    void aMirrorThatCatchesUpInTimeStays() throws Exception {
        try (Pair camera = Pair.open(Kind.TCP);
                Pair client = Pair.open(Kind.TCP);
                Pair mirror = Pair.open(Kind.TCP)) {
            CompletableFuture<byte[]> watching = Bytes.async(() -> Bytes.readAll(client.far()));
            CompletableFuture<byte[]> recording = Bytes.async(() -> {
                Thread.sleep(200);
                return Bytes.readAll(mirror.far());
            });
            CompletableFuture<Object> filming = Bytes.async(() -> {
                Bytes.write(camera.far(), FILM, 100_000);
                return camera.far().shutdownOutput();
            });

            TransferResult result = Pipeline.from(camera.near())
                    .mirror(mirror.near(), MirrorPolicy.optional(Duration.ofSeconds(50)))
                    .to(client.near());
            client.near().shutdownOutput();
            mirror.near().shutdownOutput();

            filming.get();
            assertThat(result.mirrors().getFirst().failure()).isEmpty();
            assertThat(Arrays.mismatch(watching.get(), FILM)).isEqualTo(-1);
            assertThat(Arrays.mismatch(recording.get(), FILM)).isEqualTo(-1);
        }
    }

    @Test
    @DisplayName("Time runs for a mirror of a file copy, too, though no loop takes part in that")
    void anOptionalMirrorOfAFileCopy(@TempDir Path directory) throws Exception {
        Path film = Files.write(directory.resolve("film"), FILM);
        try (KernelFile from = KernelFile.open(film);
                KernelFile to = create(directory.resolve("to"));
                KernelFile mirror = create(directory.resolve("mirror"))) {
            TransferResult result = Pipeline.from(from)
                    .mirror(mirror, MirrorPolicy.optional(Duration.ofSeconds(50)))
                    .to(to);

            assertThat(result.mirrors().getFirst().failure()).isEmpty();
            assertThat(Files.mismatch(film, directory.resolve("to"))).isEqualTo(-1);
            assertThat(Files.mismatch(film, directory.resolve("mirror"))).isEqualTo(-1);
        }
    }

    private static KernelFile create(Path path) throws IOException {
        return KernelFile.open(path, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    }

    @Test
    void patienceIsNotNegative() {
        assertThatIllegalArgumentException().isThrownBy(() -> MirrorPolicy.optional(Duration.ofMillis(-1)));
    }
}
