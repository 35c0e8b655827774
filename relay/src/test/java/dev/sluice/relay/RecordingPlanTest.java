package dev.sluice.relay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.MirrorFailure;
import dev.sluice.MirrorPolicy;
import dev.sluice.SlowMirror;
import dev.sluice.file.Recording.Rotation;
import dev.sluice.io.MirrorResult;
import dev.sluice.io.Route;
import dev.sluice.loop.BlockingPool;
import dev.sluice.relay.SessionRecord.Direction;
import dev.sluice.relay.SessionRecord.End;
import java.io.IOException;
import java.net.Socket;
import java.net.SocketException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Sessions in files: rebuilt from their index, and never in the way of the session. */
@Timeout(60)
class RecordingPlanTest {
    private static final Talk LONG = Talk.of(8_000_001, 5_000_003);
    private static final MirrorPolicy PATIENT = MirrorPolicy.optional(Duration.ofSeconds(20));

    /** More threads than the pool has. */
    private static final int ALL_THREADS = 64;

    @TempDir
    private Path directory;

    private static RelayFixture recorded(RecordingPlan plan) throws IOException {
        return new RelayFixture(service -> service.mirrors(plan));
    }

    private static MirrorResult only(Direction direction) {
        assertThat(direction.mirrors()).hasSize(1);
        return direction.mirrors().getFirst();
    }

    private static Film film(Direction direction) throws IOException {
        return Film.of(Path.of(only(direction).name()));
    }

    @ParameterizedTest
    @EnumSource(
            value = Route.class,
            names = {"SPLICE", "COPY"})
    @DisplayName("Both directions are rebuilt exactly from the index and the rotated files")
    void rebuilt(Route route) throws Exception {
        RecordingPlan plan = RecordingPlan.of(directory)
                .policy(PATIENT)
                .rotation(Rotation.bytes(1 << 20))
                .naming("{service}-{client}-{start}-{session}.{direction}");
        try (RelayFixture fixture =
                new RelayFixture(service -> service.route(route).mirrors(plan))) {
            LONG.through(fixture);
            SessionRecord record = fixture.record();
            assertThat(record.error()).isEmpty();
            assertThat(only(record.toTarget()))
                    .matches(mirror -> mirror.failure().isEmpty() && mirror.bytes() == LONG.request().length);
            assertThat(Path.of(only(record.toTarget()).name()).getFileName().toString())
                    .matches("test-tcp_127.0.0.1_\\d+-\\d{8}T\\d{6}\\.\\d{3}Z-[a-z0-9]+\\.to-target");
            Film request = film(record.toTarget());
            request.isOf(LONG.request());
            assertThat(request.end()).isEqualTo("end");
            assertThat(request.files()).isEqualTo(8);
            Film answer = film(record.toClient());
            answer.isOf(LONG.answer());
            assertThat(answer.end()).isEqualTo("end");
            assertThat(answer.files()).isEqualTo(5);
        }
    }

    @Test
    @DisplayName("No two sessions have the same name, nor sessions of a relay before")
    void names() throws Exception {
        Set<String> names = new HashSet<>();
        for (int run = 0; run < 2; run++) {
            try (RelayFixture fixture =
                    recorded(RecordingPlan.of(directory).policy(PATIENT).naming("{session}{direction}"))) {
                for (int i = 0; i < 10; i++) {
                    Talk.of(100, 100).through(fixture);
                    SessionRecord record = fixture.record();
                    assertThat(names.add(only(record.toTarget()).name())).isTrue();
                    assertThat(names.add(only(record.toClient()).name())).isTrue();
                }
            }
        }
        try (Stream<Path> files = Files.list(directory)) {
            assertThat(files.count()).isEqualTo(80);
        }
    }

    @Test
    @DisplayName("A session that is reset leaves a recording that says so")
    void reset() throws Exception {
        try (RelayFixture fixture = recorded(RecordingPlan.of(directory).policy(PATIENT));
                Socket client = fixture.client();
                Socket server = fixture.server.accept()) {
            client.getOutputStream().write(7);
            assertThat(server.getInputStream().read()).isEqualTo(7);
            client.setSoLinger(true, 0);
            client.close();
            SessionRecord record = fixture.record();
            Film film = film(record.toTarget());
            assertThat(film.bytes()).containsExactly(7);
            assertThat(film.end()).isEqualTo("cut");
            assertThat(film(record.toClient()).end()).isEqualTo("cut");
        }
    }

    @Test
    @DisplayName("While the disk stalls, recordings miss bytes, and peers neither these nor the ends of their streams")
    void stalledDisk() throws Exception {
        try (RelayFixture fixture =
                recorded(RecordingPlan.of(directory).policy(MirrorPolicy.gaps(Duration.ofMillis(300))))) {
            CountDownLatch stall = null;
            try (Socket client = fixture.client();
                    Socket server = fixture.server.accept()) {
                // The recordings are open once bytes flow.
                client.getOutputStream().write(1);
                assertThat(server.getInputStream().read()).isEqualTo(1);
                stall = stall();
                LONG.between(client, server);
            } finally {
                if (stall != null) {
                    stall.countDown();
                }
            }
            SessionRecord record = fixture.record();
            assertThat(record.error()).isEmpty();
            MirrorResult request = only(record.toTarget());
            assertThat(request.failure()).isEmpty();
            assertThat(request.missed()).isPositive();
            assertThat(request.bytes() + request.missed()).isEqualTo(LONG.request().length + 1);
            Film film = film(record.toTarget());
            assertThat(film.end()).isEqualTo("end");
            assertThat(film.gaps()).hasSize((int) request.gaps());
            byte[] all = new byte[LONG.request().length + 1];
            all[0] = 1;
            System.arraycopy(LONG.request(), 0, all, 1, LONG.request().length);
            film.isOf(all);
            film(record.toClient()).isOf(LONG.answer());
            assertThat(fixture.relay.stats().mirrors().getFirst().missed())
                    .isEqualTo(request.missed() + only(record.toClient()).missed());
        }
    }

    @Test
    @DisplayName("A disk that is stalled at the start makes a session begin without its recording")
    void stalledAtTheStart() throws Exception {
        CountDownLatch stall = stall();
        try (RelayFixture fixture =
                recorded(RecordingPlan.of(directory).policy(MirrorPolicy.gaps(Duration.ofMillis(20))))) {
            for (String why : List.of("not there after", "left for a while")) {
                LONG.through(fixture);
                SessionRecord record = fixture.record();
                assertThat(record.error()).isEmpty();
                assertThat(only(record.toTarget()).failure())
                        .hasValueSatisfying(e -> assertThat(e).hasMessageContaining(why));
                assertThat(only(record.toTarget()).bytes()).isZero();
            }
            stall.countDown();
            stall().countDown();
            try (Stream<Path> indices =
                    Files.list(directory).filter(path -> path.toString().endsWith(".index"))) {
                for (Path index : indices.toList()) {
                    assertThat(Files.readString(index)).contains("{\"cut\":0,");
                }
            }
        } finally {
            stall.countDown();
        }
    }

    /** Every thread for files is busy until the latch opens. */
    private static CountDownLatch stall() throws InterruptedException {
        CountDownLatch go = new CountDownLatch(1);
        int threads = Math.clamp(2L * Runtime.getRuntime().availableProcessors(), 4, ALL_THREADS);
        CountDownLatch busy = new CountDownLatch(threads);
        for (int i = 0; i < threads; i++) {
            BlockingPool.shared().execute(() -> {
                busy.countDown();
                try {
                    go.await(20, TimeUnit.SECONDS);
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            });
        }
        assertThat(busy.await(20, TimeUnit.SECONDS)).isTrue();
        return go;
    }

    @ParameterizedTest
    @EnumSource(SlowMirror.class)
    @DisplayName("On a full disk the recording ends, and the sessions go on")
    void fullDisk(SlowMirror slow) throws Exception {
        Path small = smallFileSystem();
        try (RelayFixture fixture = recorded(RecordingPlan.of(small)
                .directions(Directions.TO_TARGET)
                .policy(new MirrorPolicy(MirrorFailure.DETACH, slow, Duration.ofSeconds(20))))) {
            for (int i = 0; i < 2; i++) {
                LONG.through(fixture);
                SessionRecord record = fixture.record();
                assertThat(record.error()).isEmpty();
                MirrorResult recording = only(record.toTarget());
                assertThat(recording.failure()).isPresent();
                assertThat(recording.failure().get()).hasMessageMatching(".*(ENOSPC|No space left).*");
                if (i == 0) {
                    byte[] kept = Files.readAllBytes(Path.of(recording.name() + ".000001"));
                    Talk.beginning(kept, LONG.request());
                    assertThat(recording.bytes()).isEqualTo(kept.length);
                }
            }
        } finally {
            run("umount", small.toString());
        }
    }

    @Test
    @DisplayName("On a full disk a recording that must be fails its session")
    void fullDiskMustBe() throws Exception {
        Path small = smallFileSystem();
        try (RelayFixture fixture = recorded(RecordingPlan.of(small).policy(MirrorPolicy.COMPLETE));
                Socket client = fixture.client();
                Socket server = fixture.server.accept()) {
            CompletableFuture<Void> asking = Talk.send(client, LONG.request());
            assertThatThrownBy(() -> server.getInputStream().readAllBytes()).isInstanceOf(SocketException.class);
            SessionRecord record = fixture.record();
            // The kernel tells of a reset once, to the write or to the read, whichever comes first.
            CompletableFuture<Integer> reading =
                    Talk.async(() -> client.getInputStream().read());
            assertThat(fails(asking) | fails(reading)).isTrue();
            assertThat(record.error()).contains("ENOSPC");
            assertThat(record.toTarget().end()).isEqualTo(End.ERROR);
        } finally {
            run("umount", small.toString());
        }
    }

    private static boolean fails(CompletableFuture<?> future) throws Exception {
        try {
            Talk.get(future);
            return false;
        } catch (ExecutionException e) {
            return e.getCause() instanceof SocketException;
        }
    }

    private Path smallFileSystem() throws Exception {
        Path place = Files.createDirectory(directory.resolve("small"));
        Assumptions.assumeTrue(
                run("mount", "-t", "tmpfs", "-o", "size=1m", "none", place.toString()),
                "a tmpfs can't be mounted: needs root");
        return place;
    }

    private static boolean run(String... command) throws Exception {
        return new ProcessBuilder(command).redirectErrorStream(true).start().waitFor() == 0;
    }

    @Test
    @DisplayName("Many sessions are recorded at once, each to the byte")
    void underLoad() throws Exception {
        Talk talk = Talk.of(1_000_000, 300_000);
        try (RelayFixture fixture = recorded(RecordingPlan.of(directory).policy(PATIENT))) {
            List<CompletableFuture<Void>> all = new ArrayList<>();
            for (int i = 0; i < 30; i++) {
                all.add(talk.begin(fixture));
            }
            for (CompletableFuture<Void> one : all) {
                Talk.get(one);
                SessionRecord record = fixture.record();
                film(record.toTarget()).isOf(talk.request());
                film(record.toClient()).isOf(talk.answer());
            }
        }
    }

    @Test
    void impossibleChoices() throws Exception {
        RecordingPlan plan = RecordingPlan.of(directory);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> plan.naming("{session}"))
                .withMessageContaining("{direction}");
        assertThatIllegalArgumentException().isThrownBy(() -> plan.naming("../{session}{direction}"));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> plan.naming("{session}{direction}{user}"))
                .withMessageContaining("{user}");
        assertThatIllegalArgumentException().isThrownBy(() -> plan.sample(-1));
        Path nowhere = directory.resolve("nowhere");
        assertThatThrownBy(() -> recorded(RecordingPlan.of(nowhere)))
                .isInstanceOf(IOException.class)
                .hasMessageContaining(nowhere + ": recordings go to a directory that exists");
    }
}
