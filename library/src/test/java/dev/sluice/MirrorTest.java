package dev.sluice;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.file.StandardOpenOption.APPEND;
import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.WRITE;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.file.KernelFile;
import dev.sluice.io.MirrorResult;
import dev.sluice.io.Route;
import dev.sluice.io.TransferResult;
import dev.sluice.pipe.KernelPipe;
import dev.sluice.testkit.Account;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Pair;
import dev.sluice.testkit.Pair.Kind;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channel;
import java.nio.channels.Channels;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.Timeout.ThreadMode;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** The camera recipe: a stream goes to a client and, complete, to every kind and any number of mirrors. */
@ExtendWith(LeakCheck.class)
@Timeout(value = 60, threadMode = ThreadMode.SEPARATE_THREAD)
class MirrorTest {
    private static final long SEED = 1_000_003;

    /** More than any pipe holds, and not a multiple of anything. */
    private static final byte[] FILM = Bytes.random(SEED, (8 << 20) + 4099);

    private static final byte[] PREFIX = "earlier film".getBytes(US_ASCII);

    @TempDir
    private Path directory;

    /** Where a mirror records to. */
    enum Tape {
        FILE,
        APPENDED_FILE,
        SOCKET,
        PIPE,
        FOREIGN;

        Recorder open(Path directory) throws IOException {
            Path path = Files.createTempFile(directory, "tape", "");
            switch (this) {
                case FILE:
                    KernelFile file = KernelFile.open(path, WRITE);
                    return new Recorder(this, file, file.toString(), () -> Files.readAllBytes(path));
                case APPENDED_FILE:
                    Files.write(path, PREFIX);
                    KernelFile appended = KernelFile.open(path, APPEND, CREATE);
                    return new Recorder(this, appended, appended.toString(), () -> withoutPrefix(path));
                case SOCKET:
                    Pair pair = Pair.open(Kind.UNIX);
                    return drained(pair.near(), pair.far());
                case PIPE:
                    KernelPipe pipe = KernelPipe.open();
                    return drained(pipe.sink(), pipe.source());
                default:
                    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
                    WritableByteChannel channel = Channels.newChannel(bytes);
                    return new Recorder(this, channel, channel.toString(), bytes::toByteArray);
            }
        }

        private Recorder drained(WritableByteChannel near, ReadableByteChannel far) {
            CompletableFuture<byte[]> drain = Bytes.async(() -> {
                try (far) {
                    return Bytes.readAll(far);
                }
            });
            return new Recorder(this, near, near.toString(), drain::get);
        }

        private static byte[] withoutPrefix(Path path) throws IOException {
            byte[] all = Files.readAllBytes(path);
            assertThat(all).startsWith(PREFIX);
            return Arrays.copyOfRange(all, PREFIX.length, all.length);
        }
    }

    record Recorder(Tape tape, WritableByteChannel channel, String name, Bytes.Call<byte[]> film) {
        byte[] finish() throws Exception {
            channel.close();
            return film.make();
        }

        /** By tee(2) and splice(2) where the kernel lets us, by copying where not, and it says why. */
        void check(MirrorResult result, long bytes, Route asked) {
            assertThat(name).startsWith(result.name());
            assertThat(result.bytes()).isEqualTo(bytes);
            assertThat(result.failure()).isEmpty();
            if (asked == Route.COPY) {
                assertThat(result.route()).isEqualTo(Route.COPY);
                assertThat(result.reason()).isEqualTo("copying was asked for");
                return;
            }
            switch (tape) {
                case FILE, SOCKET, PIPE -> {
                    if (asked == Route.SPLICE) {
                        assertThat(result.route()).as(result.reason()).isEqualTo(Route.SPLICE);
                    }
                    assertThat(result.reason())
                            .as("the reason to %s", result.route())
                            .startsWith(result.route() == Route.SPLICE ? "tee(2) and splice(2)" : "small portions");
                }
                case APPENDED_FILE -> {
                    assertThat(result.route()).isEqualTo(Route.COPY);
                    assertThat(result.reason()).contains("O_APPEND");
                }
                case FOREIGN -> {
                    assertThat(result.route()).isEqualTo(Route.COPY);
                    assertThat(result.reason()).contains(channel.getClass().getName());
                }
            }
        }
    }

    /** Which mirrors, and which route is asked for, if any. */
    record Case(List<Tape> tapes, Route asked) {
        /** With only mirrors that refuse splice nothing is different: the sink, a socket, is still spliced into. */
        void check(TransferResult result, long bytes) {
            if (asked == null) {
                Account.splicedOrSmall(result, bytes);
            } else {
                Account.wentBy(asked, result, bytes);
            }
        }
    }

    static Stream<Case> cases() {
        List<List<Tape>> mirrors = Stream.concat(
                        Stream.of(Tape.values()).map(List::of),
                        Stream.of(
                                List.of(Tape.FILE, Tape.SOCKET, Tape.PIPE),
                                List.of(Tape.PIPE, Tape.PIPE, Tape.PIPE),
                                List.of(Tape.FOREIGN, Tape.FILE, Tape.APPENDED_FILE)))
                .toList();
        return mirrors.stream()
                .flatMap(tapes -> Stream.of(null, Route.SPLICE, Route.COPY).map(asked -> new Case(tapes, asked)));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void clientAndMirrorsGetTheWholeFilm(Case test) throws Exception {
        records(test, FILM, Long.MAX_VALUE, FILM.length);
    }

    @ParameterizedTest
    @MethodSource("cases")
    void clientAndMirrorsGetExactlyTheLimit(Case test) throws Exception {
        records(test, FILM, 1_234_567, 1_234_567);
    }

    @ParameterizedTest
    @MethodSource("cases")
    void anEmptyFilmIsRecordedAsOne(Case test) throws Exception {
        records(test, new byte[0], Long.MAX_VALUE, 0);
    }

    @ParameterizedTest
    @MethodSource("cases")
    void aFilmOfOneByteIsRecorded(Case test) throws Exception {
        records(test, new byte[] {42}, Long.MAX_VALUE, 1);
    }

    private void records(Case test, byte[] film, long limit, int expected) throws Exception {
        try (Pair camera = Pair.open(Kind.TCP)) {
            CompletableFuture<Void> filming = Bytes.async(() -> {
                Bytes.write(camera.far(), film, 1 << 20);
                camera.far().shutdownOutput();
                return null;
            });
            byte[] rest = shoot(test, camera.near(), film, limit, expected);
            assertThat(rest).isEqualTo(Arrays.copyOfRange(film, expected, film.length));
            filming.get();
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void aFileIsMirroredOnItsWayToTheClient(Case test) throws Exception {
        Path path = Files.write(directory.resolve("film"), FILM);
        try (KernelFile file = KernelFile.open(path)) {
            shoot(test, file, FILM, Long.MAX_VALUE, FILM.length);
            assertThat(file.position()).isEqualTo(FILM.length);
        }
    }

    /** Small and big portions in turn, so that a route which is chosen on the way changes; and a mirror that lags. */
    @ParameterizedTest
    @EnumSource(Way.class)
    void aSlowMirrorGetsEveryByteInOrder(Way way) throws Exception {
        byte[] film = Arrays.copyOf(FILM, 3_000_001);
        try (Pair camera = Pair.open(Kind.UNIX);
                Pair client = Pair.open(Kind.TCP);
                KernelPipe tape = KernelPipe.open()) {
            tape.resize(4096);
            CompletableFuture<byte[]> watching = Bytes.async(() -> Bytes.readAll(client.far()));
            CompletableFuture<byte[]> recording = Bytes.async(() -> crawl(tape));
            CompletableFuture<Void> filming = Bytes.async(() -> {
                for (int at = 0, portion = 100; at < film.length; portion = portion * 7 % 400_009) {
                    int end = Math.min(film.length, at + portion);
                    Bytes.write(camera.far(), Arrays.copyOfRange(film, at, end), portion);
                    at = end;
                }
                camera.far().shutdownOutput();
                return null;
            });
            Pipeline pipeline = Pipeline.from(camera.near()).mirror(tape);
            TransferResult result = (way.route == null ? pipeline : pipeline.route(way.route)).to(client.near());
            client.near().shutdownOutput();
            tape.closeSink();

            filming.get();
            Account.addsUp(result, film.length);
            assertThat(Arrays.mismatch(watching.get(), film)).as("client").isEqualTo(-1);
            assertThat(Arrays.mismatch(recording.get(), film)).as("mirror").isEqualTo(-1);
        }
    }

    private enum Way {
        AUTO(null),
        SPLICE(Route.SPLICE),
        COPY(Route.COPY);

        private final Route route;

        Way(Route route) {
            this.route = route;
        }
    }

    /** Reads in small bites, and lets others run after each. */
    private static byte[] crawl(ReadableByteChannel channel) throws IOException {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        ByteBuffer bite = ByteBuffer.allocate(1500);
        while (channel.read(bite.clear()) >= 0) {
            all.write(bite.array(), 0, bite.position());
            Thread.yield();
        }
        return all.toByteArray();
    }

    /** Runs the pipeline, checks all its outlets, and returns what is left in the source. */
    private byte[] shoot(Case test, ReadableByteChannel source, byte[] film, long limit, int expected)
            throws Exception {
        Channel[] open = new Channel[test.tapes.size()];
        try (Pair client = Pair.open(Kind.TCP)) {
            CompletableFuture<byte[]> watching = Bytes.async(() -> Bytes.readAll(client.far()));
            Recorder[] recorders = new Recorder[test.tapes.size()];
            Pipeline pipeline = Pipeline.from(source).limit(limit);
            for (int i = 0; i < recorders.length; i++) {
                recorders[i] = test.tapes.get(i).open(directory);
                open[i] = recorders[i].channel;
                pipeline.mirror(recorders[i].channel);
            }
            TransferResult result = (test.asked == null ? pipeline : pipeline.route(test.asked)).to(client.near());
            client.near().shutdownOutput();

            test.check(result, expected);
            assertThat(watching.get()).isEqualTo(Arrays.copyOf(film, expected));
            assertThat(result.mirrors()).hasSameSizeAs(test.tapes);
            for (int i = 0; i < recorders.length; i++) {
                assertThat(recorders[i].finish()).as("mirror %s", i).isEqualTo(Arrays.copyOf(film, expected));
                recorders[i].check(result.mirrors().get(i), expected, test.asked);
            }
            return Bytes.readAll(source);
        } finally {
            for (Channel channel : open) {
                if (channel != null) {
                    channel.close();
                }
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"UNIX, SPLICE, 1500", "TCP, SPLICE, 1500", "TCP, COPY, 30000", "TCP, COPY, 1500", "UNIX, COPY, 30000"})
    @DisplayName("Bytes reach a file in their order, however the end of one write, an edge and the next bytes meet")
    void aFileKeepsTheOrder(Kind kind, Route route, int chunk) throws Exception {
        Path tape = directory.resolve("order");
        byte[] film = Bytes.random(SEED, 32 << 20);
        try (Pair from = Pair.open(kind);
                Pair to = Pair.open(kind);
                KernelFile file = KernelFile.open(tape, WRITE, CREATE)) {
            CompletableFuture<Object> sent = Bytes.async(() -> {
                // Many short steps, so that a write often ends just while the next step is decided upon.
                Bytes.write(from.far(), film, chunk);
                return from.far().shutdownOutput();
            });
            CompletableFuture<byte[]> received = Bytes.async(() -> Bytes.readAll(to.far()));
            Pipeline.from(from.near()).mirror(file).route(route).to(to.near());
            to.near().close();
            sent.get();
            assertThat(Arrays.mismatch(received.get(), film)).as("sink").isEqualTo(-1);
        }
        assertThat(Arrays.mismatch(Files.readAllBytes(tape), film)).as("mirror").isEqualTo(-1);
    }
}
