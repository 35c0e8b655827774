package dev.sluice.file;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.MirrorPolicy;
import dev.sluice.Pipeline;
import dev.sluice.Sluice;
import dev.sluice.file.Recording.Rotation;
import dev.sluice.io.MirrorResult;
import dev.sluice.io.Route;
import dev.sluice.io.TransferException;
import dev.sluice.io.TransferResult;
import dev.sluice.loop.BlockingPool;
import dev.sluice.pipe.KernelPipe;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.Child;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Pair;
import dev.sluice.testkit.Pair.Kind;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.locks.LockSupport;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

@ExtendWith(LeakCheck.class)
@Timeout(60)
class RecordingTest {
    private static final byte[] FILM = Bytes.random(77, 12_000_001);

    @TempDir
    private Path directory;

    /** A film with its gaps, rebuilt from nothing but the index and the files. */
    private record Played(byte[] bytes, List<long[]> gaps, int files, boolean ended) {}

    private static final Pattern FILE = Pattern.compile("\\{\"file\":\"(.*?)\",\"at\":(\\d+),.*");
    private static final Pattern GAP =
            Pattern.compile("\\{\"gap\":(\\d+),\"at\":(\\d+),\"file\":\"(.*?)\",\"after\":(\\d+),.*");
    private static final Pattern END =
            Pattern.compile("\\{\"end\":(\\d+),\"recorded\":(\\d+),\"gaps\":(\\d+),\"missed\":(\\d+),.*");

    private Played play(String name) throws IOException {
        ByteArrayOutputStream film = new ByteArrayOutputStream();
        List<long[]> gaps = new ArrayList<>();
        byte[] now = new byte[0];
        int at = 0;
        int files = 0;
        boolean ended = false;
        for (String line : Files.readAllLines(directory.resolve(name + ".index"))) {
            Matcher file = FILE.matcher(line);
            Matcher gap = GAP.matcher(line);
            Matcher end = END.matcher(line);
            if (file.matches()) {
                film.write(now, at, now.length - at);
                assertThat(Long.parseLong(file.group(2))).isEqualTo(film.size());
                now = Files.readAllBytes(directory.resolve(file.group(1)));
                at = 0;
                files++;
            } else if (gap.matches()) {
                int until = Integer.parseInt(gap.group(4));
                film.write(now, at, until - at);
                at = until;
                int bytes = Integer.parseInt(gap.group(1));
                assertThat(Long.parseLong(gap.group(2))).isEqualTo(film.size());
                gaps.add(new long[] {film.size(), bytes});
                film.write(new byte[bytes]);
            } else if (end.matches()) {
                film.write(now, at, now.length - at);
                assertThat(Long.parseLong(end.group(1))).isEqualTo(film.size());
                assertThat(Integer.parseInt(end.group(3))).isEqualTo(gaps.size());
                ended = true;
            } else {
                throw new AssertionError("what is this: " + line);
            }
        }
        return new Played(film.toByteArray(), gaps, files, ended);
    }

    @ParameterizedTest
    @CsvSource({"SPLICE,1000000", "COPY,1000000", "SPLICE,65536", "COPY,4097", "SPLICE,0", "SPLICE,100000000"})
    @DisplayName("A mirrored stream is recorded into files of exactly the size asked for, and rebuilt from the index")
    void rotatesBySize(Route route, long size) throws Exception {
        TransferResult result;
        try (Recording recording = Recording.open(directory, "camera", Rotation.bytes(size))) {
            result = film(route, recording, MirrorPolicy.COMPLETE);
            assertThat(recording.recorded()).isEqualTo(FILM.length);
        }
        Played played = play("camera");
        assertThat(Arrays.mismatch(played.bytes(), FILM)).isEqualTo(-1);
        assertThat(played.ended()).isTrue();
        assertThat(played.gaps()).isEmpty();
        int expected = size == 0 ? 1 : (int) ((FILM.length + size - 1) / size);
        assertThat(played.files()).isEqualTo(expected);
        assertThat(size(1)).isEqualTo(size == 0 ? FILM.length : Math.min(size, FILM.length));
        MirrorResult mirror = result.mirrors().getFirst();
        assertThat(mirror.bytes()).isEqualTo(FILM.length);
        assertThat(mirror.name()).endsWith("camera");
        assertThat(mirror.gaps()).isZero();
    }

    private long size(int number) throws IOException {
        return Files.size(directory.resolve("camera.%06d".formatted(number)));
    }

    private static TransferResult film(Route route, Recording recording, MirrorPolicy policy) throws Exception {
        try (Pair camera = Pair.open(Kind.TCP);
                Pair client = Pair.open(Kind.TCP)) {
            CompletableFuture<byte[]> watching = Bytes.async(() -> Bytes.readAll(client.far()));
            CompletableFuture<Object> filming = Bytes.async(() -> {
                Bytes.write(camera.far(), FILM, 50_000);
                return camera.far().shutdownOutput();
            });
            Pipeline pipeline = Pipeline.from(camera.near()).mirror(recording, policy);
            TransferResult result = (route == null ? pipeline : pipeline.route(route)).to(client.near());
            client.near().shutdownOutput();
            filming.get();
            assertThat(Arrays.mismatch(watching.get(), FILM)).isEqualTo(-1);
            return result;
        }
    }

    @Test
    @DisplayName("A recording is a channel and a sink, too, and turns to its next file by time when bytes come")
    void rotatesByTime() throws Exception {
        try (Recording recording = Recording.open(directory, "camera", new Rotation(0, Duration.ofMillis(30)))) {
            recording.write(ByteBuffer.wrap("one".getBytes(US_ASCII)));
            Thread.sleep(60);
            recording.write(ByteBuffer.wrap("two".getBytes(US_ASCII)));
            Thread.sleep(60);
            try (KernelPipe pipe = KernelPipe.open()) {
                pipe.write(ByteBuffer.wrap("three".getBytes(US_ASCII)));
                pipe.closeSink();
                Sluice.transfer(pipe, recording);
            }
        }
        assertThat(Files.readString(directory.resolve("camera.000001"))).isEqualTo("one");
        assertThat(Files.readString(directory.resolve("camera.000002"))).isEqualTo("two");
        assertThat(new String(play("camera").bytes(), US_ASCII)).isEqualTo("onetwothree");
    }

    @ParameterizedTest
    @EnumSource(
            value = Route.class,
            names = {"SPLICE", "COPY"})
    @DisplayName("A recording on a disk that stalls misses bytes, the stream none; every gap is in index and result")
    void slowDiskLeavesGaps(Route route) throws Exception {
        TransferResult result;
        try (Recording recording = Recording.open(directory, "camera", Rotation.bytes(3_000_000));
                SlowDisk slow = new SlowDisk()) {
            result = film(route, recording, MirrorPolicy.gaps(Duration.ZERO));
        }
        MirrorResult mirror = result.mirrors().getFirst();
        assertThat(mirror.route()).as(mirror.reason()).isEqualTo(route);
        assertThat(mirror.missed()).isPositive();
        assertThat(mirror.bytes() + mirror.missed()).isEqualTo(FILM.length);
        Played played = play("camera");
        assertThat(played.gaps()).hasSize((int) mirror.gaps()).isNotEmpty();
        byte[] expected = FILM.clone();
        for (long[] gap : played.gaps()) {
            Arrays.fill(expected, (int) gap[0], (int) (gap[0] + gap[1]), (byte) 0);
        }
        assertThat(Arrays.mismatch(played.bytes(), expected)).isEqualTo(-1);
        assertThat(played.gaps().stream().mapToLong(gap -> gap[1]).sum()).isEqualTo(mirror.missed());
    }

    /** Every thread that may write to a disk is busy most of the time, as with a disk that hardly answers. */
    private static final class SlowDisk implements AutoCloseable {
        private final Thread thread = Thread.ofPlatform().start(this::keepBusy);
        private volatile boolean over;

        private void keepBusy() {
            while (!over) {
                CountDownLatch stalls = new CountDownLatch(64);
                for (int i = 0; i < 64; i++) {
                    BlockingPool.shared().execute(() -> {
                        LockSupport.parkNanos(3_000_000);
                        stalls.countDown();
                    });
                }
                try {
                    stalls.await();
                } catch (InterruptedException e) {
                    return;
                }
            }
        }

        @Override
        public void close() throws InterruptedException {
            over = true;
            thread.join();
        }
    }

    @Test
    @DisplayName("With patience, a disk that keeps up in time misses nothing")
    void patienceKeepsEverything() throws Exception {
        try (Recording recording = Recording.open(directory, "camera", Rotation.NONE)) {
            TransferResult result = film(null, recording, MirrorPolicy.gaps(Duration.ofSeconds(20)));
            assertThat(result.mirrors().getFirst().missed()).isZero();
        }
        assertThat(Arrays.mismatch(play("camera").bytes(), FILM)).isEqualTo(-1);
    }

    @Test
    @DisplayName("Only a recording may have gaps; names, doubles and directories that can't be are refused in one line")
    void refusals() throws Exception {
        try (KernelPipe pipe = KernelPipe.open()) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> Pipeline.from(pipe).mirror(pipe, MirrorPolicy.gaps(Duration.ZERO)))
                    .withMessageContaining("only a Recording");
        }
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Recording.open(directory, "a/b", Rotation.NONE))
                .withMessageContaining("a/b");
        Recording.open(directory, "twice", Rotation.NONE).close();
        assertThatThrownBy(() -> Recording.open(directory, "twice", Rotation.NONE))
                .isInstanceOf(FileAlreadyExistsException.class);
        assertThatThrownBy(() -> Recording.open(directory.resolve("none"), "x", Rotation.NONE))
                .isInstanceOf(IOException.class);
    }

    @Test
    @DisplayName("A next file that can't be opened fails the mirror, by name and errno")
    void nextFileFails() throws Exception {
        Files.write(directory.resolve("camera.000002"), new byte[] {1});
        try (Recording recording = Recording.open(directory, "camera", Rotation.bytes(1_000_000))) {
            assertThatThrownBy(() -> film(Route.SPLICE, recording, MirrorPolicy.COMPLETE))
                    .isInstanceOfSatisfying(TransferException.class, e -> {
                        assertThat(e).hasMessageContaining("EEXIST").hasMessageContaining("camera.000002");
                        assertThat(e.partial().mirrors().getFirst().bytes()).isEqualTo(1_000_000);
                    });
        }
        assertThat(size(1)).isEqualTo(1_000_000);
        assertThat(Files.readAllBytes(directory.resolve("camera.000002"))).containsExactly(1);
    }

    @Test
    @DisplayName("Closing a recording in the middle fails the mirror; what the index says is a beginning")
    void closedInTheMiddle() throws Exception {
        try (Pair camera = Pair.open(Kind.TCP);
                Pair client = Pair.open(Kind.TCP);
                Recording recording = Recording.open(directory, "camera", Rotation.bytes(500_000))) {
            CompletableFuture<byte[]> watching = Bytes.async(() -> Bytes.readAll(client.far()));
            var transfer = Pipeline.from(camera.near())
                    .mirror(recording, MirrorPolicy.optional(Duration.ofSeconds(20)))
                    .start(client.near());
            Bytes.write(camera.far(), Arrays.copyOf(FILM, 3_000_000), 100_000);
            recording.close();
            Bytes.write(camera.far(), Arrays.copyOfRange(FILM, 3_000_000, FILM.length), 100_000);
            camera.far().shutdownOutput();
            TransferResult result = transfer.await();
            client.near().shutdownOutput();
            assertThat(Arrays.mismatch(watching.get(), FILM)).isEqualTo(-1);
            assertThat(result.mirrors().getFirst().failure()).isPresent();
        }
        try (Stream<Path> files = Files.list(directory)) {
            assertThat(files.count()).isGreaterThan(1);
        }
    }

    @Test
    @DisplayName("A recording that was cut has no end, and says why in one line of JSON")
    void cut() throws Exception {
        Recording recording = Recording.open(directory, "cut", Rotation.NONE);
        recording.write(ByteBuffer.wrap(new byte[10]));
        recording.cut("a \"reset\"\nof the peer");
        recording.close();
        assertThat(Files.readAllLines(directory.resolve("cut.index")).getLast())
                .startsWith("{\"cut\":10,\"recorded\":10,\"gaps\":0,\"missed\":0,\"why\":\"a 'reset''of the peer\",");
    }

    @Test
    @DisplayName("Nothing is left of a recording that can't begin on a full disk")
    void noRoomToBegin() throws Exception {
        Path full = Files.createDirectory(directory.resolve("full"));
        Assumptions.assumeTrue(
                Child.has("mount", "-t", "tmpfs", "-o", "size=4k", "none", full.toString()),
                "a tmpfs can't be mounted: needs root");
        try {
            Files.write(full.resolve("all"), new byte[4096]);
            assertThatThrownBy(() -> Recording.open(full, "film", Rotation.NONE))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("No space left");
            try (Stream<Path> files = Files.list(full)) {
                assertThat(files).hasSize(1);
            }
        } finally {
            // Refused while a file is open there.
            assertThat(Child.has("umount", full.toString())).isTrue();
        }
    }
}
