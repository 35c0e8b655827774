package dev.sluice.pipe;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.sluice.Pipeline;
import dev.sluice.Sluice;
import dev.sluice.file.KernelFile;
import dev.sluice.internal.linux.Errno;
import dev.sluice.io.Route;
import dev.sluice.io.Side;
import dev.sluice.io.SluiceException;
import dev.sluice.io.TransferException;
import dev.sluice.io.TransferResult;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Pair;
import dev.sluice.testkit.Parked;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.Pipe;
import java.nio.channels.ReadPendingException;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.Timeout.ThreadMode;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A pipe's own mirrors (Z9 to Z12): whichever way bytes leave it, the mirrors get them. */
@ExtendWith(LeakCheck.class)
@Timeout(value = 60, threadMode = ThreadMode.SEPARATE_THREAD)
class PipeTeeTest {
    private static final long SEED = 77;
    private static final byte[] ELEVEN = "hello world".getBytes(US_ASCII);

    /** The ways out of a pipe. Each empties it to its end and gives what came out. */
    enum Way {
        READ {
            @Override
            byte[] empty(KernelPipe pipe) throws IOException {
                return Bytes.readAll(pipe);
            }
        },
        READ_THE_END {
            @Override
            byte[] empty(KernelPipe pipe) throws IOException {
                return Bytes.readAll(pipe.source());
            }
        },
        WRITE_TO {
            @Override
            byte[] empty(KernelPipe pipe) throws IOException {
                return throughSocket(socket -> pipe.writeTo(socket));
            }
        },
        TRANSFER {
            @Override
            byte[] empty(KernelPipe pipe) throws IOException {
                return throughSocket(socket -> Sluice.transfer(pipe.source(), socket));
            }
        },
        SPLICE {
            @Override
            byte[] empty(KernelPipe pipe) throws IOException {
                return throughSocket(
                        socket -> Pipeline.from(pipe).route(Route.SPLICE).to(socket));
            }
        },
        COPY {
            @Override
            byte[] empty(KernelPipe pipe) throws IOException {
                return throughSocket(
                        socket -> Pipeline.from(pipe).route(Route.COPY).to(socket));
            }
        },
        TO_A_FOREIGN_CHANNEL {
            @Override
            byte[] empty(KernelPipe pipe) throws IOException {
                ByteArrayOutputStream out = new ByteArrayOutputStream();
                pipe.writeTo(Channels.newChannel(out));
                return out.toByteArray();
            }
        };

        abstract byte[] empty(KernelPipe pipe) throws IOException;

        private interface Writer {
            TransferResult to(WritableByteChannel socket) throws IOException;
        }

        private static byte[] throughSocket(Writer writer) throws IOException {
            try (Pair pair = Pair.open(Pair.Kind.UNIX)) {
                CompletableFuture<byte[]> received = Bytes.async(() -> Bytes.readAll(pair.far()));
                writer.to(pair.near());
                pair.near().shutdownOutput();
                return received.join();
            }
        }
    }

    private static void assertSame(String what, byte[] actual, byte[] expected) {
        assertThat(actual.length).as(what).isEqualTo(expected.length);
        assertThat(Arrays.mismatch(actual, expected))
                .as(what + ": first wrong byte")
                .isEqualTo(-1);
    }

    /** TestTeeRead: small enough to lie in the mirror until somebody looks. */
    @ParameterizedTest
    @EnumSource
    void theMirrorHasItBeforeTheEnd(Way way) throws Exception {
        try (KernelPipe primary = KernelPipe.open();
                KernelPipe secondary = KernelPipe.open()) {
            primary.tee(secondary);
            primary.write(ByteBuffer.wrap(ELEVEN));
            primary.closeSink();

            assertThat(way.empty(primary)).isEqualTo(ELEVEN);
            assertThat(secondary.available()).isEqualTo(11);
            assertThat(Bytes.read(secondary, 11)).isEqualTo(ELEVEN);
            assertThat(secondary.isOpen()).as("the mirror stays open").isTrue();
        }
    }

    static List<Arguments> chains() {
        List<Arguments> chains = new ArrayList<>();
        for (Way way : Way.values()) {
            for (int length : new int[] {1, 2, 5, 10}) {
                chains.add(Arguments.of(way, length));
            }
        }
        return chains;
    }

    /** TestTeeChain, with more than fits into all pipes of the chain together. */
    @ParameterizedTest
    @MethodSource("chains")
    void everyPipeOfAChainGivesTheSame(Way way, int length) throws Exception {
        byte[] bytes = Bytes.random(SEED + length, (length + 2) * 65536 + 17);
        List<KernelPipe> chain = new ArrayList<>();
        List<CompletableFuture<byte[]>> seen = new ArrayList<>();
        try {
            for (int i = 0; i <= length; i++) {
                chain.add(KernelPipe.open());
            }
            for (int i = 0; i < length; i++) {
                chain.get(i).tee(chain.get(i + 1).sink());
            }
            for (int i = 0; i <= length; i++) {
                KernelPipe next = i < length ? chain.get(i + 1) : null;
                KernelPipe pipe = chain.get(i);
                seen.add(Bytes.async(() -> {
                    byte[] out = way.empty(pipe);
                    if (next != null) {
                        next.closeSink();
                    }
                    return out;
                }));
            }
            chain.getFirst().write(ByteBuffer.wrap(bytes));
            chain.getFirst().closeSink();

            for (int i = 0; i <= length; i++) {
                assertSame("pipe " + i, seen.get(i).get(), bytes);
            }
        } finally {
            chain.forEach(KernelPipe::close);
        }
    }

    /** The camera recipe as the README of acln.ro/zerocopy prints it, where it records nothing (findings 1 and 2). */
    @Test
    void theCameraRecipeRecords(@TempDir Path directory) throws Exception {
        byte[] film = Bytes.random(SEED, 3 << 20);
        Path path = directory.resolve("recording");
        try (Pair camera = Pair.open(Pair.Kind.TCP);
                Pair client = Pair.open(Pair.Kind.TCP);
                KernelFile recording = KernelFile.open(path, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                KernelPipe fromCamera = KernelPipe.open();
                KernelPipe toRecording = KernelPipe.open()) {
            fromCamera.tee(toRecording);

            CompletableFuture<TransferResult> filling = Bytes.async(() -> {
                TransferResult result = fromCamera.readFrom(camera.near());
                fromCamera.closeSink();
                return result;
            });
            CompletableFuture<TransferResult> recorded = Bytes.async(() -> toRecording.writeTo(recording));
            CompletableFuture<TransferResult> shown = Bytes.async(() -> {
                TransferResult result = fromCamera.writeTo(client.near());
                client.near().shutdownOutput();
                toRecording.closeSink();
                return result;
            });
            CompletableFuture<byte[]> seen = Bytes.async(() -> Bytes.readAll(client.far()));
            Bytes.write(camera.far(), film, 50_000);
            camera.far().shutdownOutput();

            assertThat(filling.get().bytes()).isEqualTo(film.length);
            assertThat(shown.get().mirrors())
                    .singleElement()
                    .satisfies(mirror -> assertThat(mirror.bytes()).isEqualTo(film.length));
            assertThat(recorded.get().bytes()).isEqualTo(film.length);
            assertSame("client", seen.get(), film);
            assertSame("recording", Files.readAllBytes(path), film);
        }
    }

    /** Z10, and Z9: without a copy where the mirror can do without. */
    @Test
    void aPipeHasMirrorsOfEveryKindAndTheyReportFirst(@TempDir Path directory) throws Exception {
        byte[] bytes = Bytes.random(SEED + 1, 300_000);
        Path path = directory.resolve("mirror");
        ByteArrayOutputStream stream = new ByteArrayOutputStream();
        Pipe jdk = Pipe.open();
        try (KernelPipe pipe = KernelPipe.open();
                KernelPipe second = KernelPipe.open();
                Pair out = Pair.open(Pair.Kind.TCP);
                Pair far = Pair.open(Pair.Kind.UNIX);
                Pipe.SourceChannel jdkSource = jdk.source();
                Pipe.SinkChannel jdkSink = jdk.sink();
                KernelFile file = KernelFile.open(path, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            pipe.tee(second)
                    .tee(far.near())
                    .tee(file)
                    .tee(Channels.newChannel(stream))
                    .tee(jdkSink);
            List<CompletableFuture<byte[]>> seen = List.of(
                    Bytes.async(() -> Bytes.readAll(second)),
                    Bytes.async(() -> Bytes.readAll(far.far())),
                    Bytes.async(() -> Bytes.readAll(jdkSource)),
                    Bytes.async(() -> Bytes.readAll(out.far())));
            CompletableFuture<Integer> writing = Bytes.async(() -> {
                try (var end = pipe.sink()) {
                    return end.write(ByteBuffer.wrap(bytes));
                }
            });
            ByteArrayOutputStream late = new ByteArrayOutputStream();

            TransferResult result = Pipeline.from(pipe.source())
                    .route(Route.SPLICE)
                    .mirror(Channels.newChannel(late))
                    .to(out.near());
            second.closeSink();
            far.near().shutdownOutput();
            jdkSink.close();
            out.near().shutdownOutput();

            assertThat(writing.get()).isEqualTo(bytes.length);
            for (CompletableFuture<byte[]> one : seen) {
                assertSame("channel", one.get(), bytes);
            }
            assertSame("file", Files.readAllBytes(path), bytes);
            assertSame("stream", stream.toByteArray(), bytes);
            assertSame("mirror of the pipeline", late.toByteArray(), bytes);
            assertThat(result.mirrors())
                    .hasSize(6)
                    .allSatisfy(mirror -> assertThat(mirror.bytes()).isEqualTo(bytes.length));
            assertThat(result.mirrors())
                    .extracting(mirror -> mirror.route())
                    .containsExactly(Route.SPLICE, Route.SPLICE, Route.SPLICE, Route.COPY, Route.SPLICE, Route.COPY);
        }
    }

    /** Z12. */
    @ParameterizedTest
    @ValueSource(strings = {"read", "source", "writeTo", "transfer"})
    void onceReadFromAPipeTakesNoMoreMirrors(String way) throws Exception {
        try (KernelPipe pipe = KernelPipe.open();
                KernelPipe mirror = KernelPipe.open();
                KernelFile nowhere = KernelFile.open(Path.of("/dev/null"), StandardOpenOption.WRITE)) {
            pipe.write(ByteBuffer.wrap(ELEVEN));
            pipe.tee(mirror);
            switch (way) {
                case "read" -> pipe.read(ByteBuffer.allocate(1));
                case "source" -> pipe.source().read(ByteBuffer.allocate(1));
                case "writeTo" -> pipe.writeTo(nowhere, 1);
                default -> Sluice.transfer(pipe, nowhere, 1);
            }

            assertThatIllegalStateException()
                    .isThrownBy(() -> pipe.tee(nowhere))
                    .withMessageContaining(pipe.toString())
                    .withMessageContaining("read from");
            assertThat(Bytes.read(mirror, 1)).isEqualTo(new byte[] {'h'});
        }
    }

    @Test
    void aPipeIsNotItsOwnMirror() throws Exception {
        try (KernelPipe pipe = KernelPipe.open()) {
            assertThatIllegalArgumentException().isThrownBy(() -> pipe.tee(pipe));
            assertThatIllegalArgumentException().isThrownBy(() -> pipe.tee(pipe.sink()));
            assertThatExceptionOfType(NullPointerException.class).isThrownBy(() -> pipe.tee(null));
        }
    }

    /** The mirror is complete before the read is, and meanwhile nobody else may read what comes after. */
    @Test
    void aReadWaitsForItsMirror() throws Exception {
        try (KernelPipe pipe = KernelPipe.open();
                KernelPipe mirror = KernelPipe.open()) {
            pipe.tee(mirror);
            byte[] before = Bytes.random(SEED + 2, mirror.capacity());
            mirror.write(ByteBuffer.wrap(before));
            pipe.write(ByteBuffer.wrap(ELEVEN));

            Parked<Integer> reading = Parked.virtual(() -> pipe.read(ByteBuffer.allocate(100)));
            assertThatExceptionOfType(ReadPendingException.class).isThrownBy(() -> pipe.read(ByteBuffer.allocate(1)));
            assertThat(Bytes.read(mirror, before.length)).isEqualTo(before);

            assertThat(reading.get()).isEqualTo(11);
            assertThat(Bytes.read(mirror, 11)).isEqualTo(ELEVEN);
        }
    }

    /** Also of a channel in non-blocking mode, which tells by a count of 0 that it is full. */
    @Test
    void aReadWaitsForAMirrorThatIsNonBlocking() throws Exception {
        byte[] bytes = Bytes.random(SEED + 3, 500_000);
        Pipe jdk = Pipe.open();
        try (KernelPipe pipe = KernelPipe.open();
                Pipe.SourceChannel source = jdk.source();
                Pipe.SinkChannel sink = jdk.sink()) {
            sink.configureBlocking(false);
            pipe.tee(sink);
            CompletableFuture<Integer> writing = Bytes.async(() -> {
                try (var end = pipe.sink()) {
                    return end.write(ByteBuffer.wrap(bytes));
                }
            });
            CompletableFuture<byte[]> reading = Bytes.async(() -> {
                byte[] all = Bytes.readAll(pipe);
                sink.close();
                return all;
            });
            assertSame("mirror", Bytes.readAll(source), bytes);
            assertSame("reader", reading.get(), bytes);
            assertThat(writing.get()).isEqualTo(bytes.length);
        }
    }

    @Test
    void afterAMirrorFailedAReadHasItsBytesAllTheSame() throws Exception {
        try (KernelPipe pipe = KernelPipe.open();
                KernelPipe mirror = KernelPipe.open()) {
            pipe.tee(mirror);
            mirror.closeSource();
            pipe.write(ByteBuffer.wrap(ELEVEN));
            ByteBuffer buffer = ByteBuffer.allocate(100);

            assertThatExceptionOfType(SluiceException.class)
                    .isThrownBy(() -> pipe.read(buffer))
                    .withMessageContaining(mirror.toString())
                    .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.EPIPE));
            assertThat(buffer.flip()).isEqualTo(ByteBuffer.wrap(ELEVEN));
        }
    }

    @ParameterizedTest
    @CsvSource({"SPLICE", "COPY"})
    void aMirrorThatFailsFailsTheTransferWithEveryByteAccountedFor(Route route) throws Exception {
        byte[] bytes = Bytes.random(SEED + 4, 60_000);
        try (KernelPipe pipe = KernelPipe.open();
                KernelPipe mirror = KernelPipe.open();
                Pair out = Pair.open(Pair.Kind.UNIX)) {
            pipe.tee(mirror);
            mirror.closeSource();
            pipe.write(ByteBuffer.wrap(bytes));

            assertThatExceptionOfType(TransferException.class)
                    .isThrownBy(() -> Pipeline.from(pipe).route(route).to(out.near()))
                    .satisfies(e -> {
                        assertThat(e.side()).isEqualTo(Side.MIRROR);
                        assertThat(e.name()).isEqualTo(mirror.toString());
                        assertThat(e.errno()).isEqualTo(Errno.EPIPE);
                        out.near().shutdownOutput();
                        ByteArrayOutputStream all = new ByteArrayOutputStream();
                        all.writeBytes(Bytes.readAll(out.far()));
                        byte[] residue = new byte[e.residue().remaining()];
                        e.residue().get(residue);
                        all.writeBytes(residue);
                        assertThat(all.size() + pipe.available()).isEqualTo(bytes.length);
                        assertThat(Arrays.mismatch(all.toByteArray(), Arrays.copyOf(bytes, all.size())))
                                .isEqualTo(-1);
                    });
        }
    }

    @Test
    void aMirrorThatIsClosedAlreadyIsRefusedAndThePipeStaysFree() throws Exception {
        try (KernelPipe pipe = KernelPipe.open();
                KernelPipe mirror = KernelPipe.open();
                OutputStream nowhere = OutputStream.nullOutputStream()) {
            pipe.tee(mirror.sink());
            mirror.closeSink();
            pipe.write(ByteBuffer.wrap(ELEVEN));

            assertThatExceptionOfType(ClosedChannelException.class)
                    .isThrownBy(() -> pipe.writeTo(Channels.newChannel(nowhere)));
            assertThat(pipe.available()).isEqualTo(11);
        }
    }
}
