package dev.sluice.traps;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.file.KernelFile;
import dev.sluice.io.Endpoint;
import dev.sluice.net.StreamListener;
import dev.sluice.net.StreamSocket;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.Child;
import dev.sluice.testkit.LeakCheck;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.Writer;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.channels.ReadableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.random.RandomGenerator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.CRC32;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Random transfers under random faults: every byte arrives at the sink and at every mirror, or the failure is named and
 * its account is that of the bytes which did.
 *
 * <p>{@code -Dsluice.test.faults=N} makes N transfers of each dose instead of a few, {@code -Dsluice.test.seed=S} repeats
 * those of a seed. The same seed makes the same transfers and about the same faults: who gets which depends on the threads.
 */
@ExtendWith(LeakCheck.class)
@Timeout(value = 60, unit = TimeUnit.MINUTES)
class FaultSweepTest {
    private static final int TRANSFERS = Integer.getInteger("sluice.test.faults", 60);
    private static final long SEED = Long.getLong("sluice.test.seed", System.nanoTime());
    private static final long PATIENCE_SECONDS = 60;
    private static final Pattern ACCOUNT = Pattern.compile("accepted=(\\d+)(?: residue=(\\d+) crc=(\\d+))?");
    private static final Pattern ANSWER =
            Pattern.compile("opened|refused |moved |failed |joined |lent=|the child ended");
    private static final Pattern GAP = Pattern.compile("\"gap\":(\\d+),\"at\":(\\d+)");
    private static final Pattern MIRROR = Pattern.compile(" (mirror|detached)=(\\d+)");

    /** What is done to the calls of one child. */
    enum Dose {
        SHORT(new Faults("all", 300, 0, 0, 0)),
        INTERRUPTED(new Faults("all", 100, 150, 0, 0)),
        WITHOUT_PIPES(new Faults("pipe2,fcntl,tee,epoll_wait", 100, 400, 0, 0)),
        FAILING(new Faults("all", 100, 30, 8, 0)),
        LATE(new Faults("all", 100, 0, 0, 60)),
        LATE_AND_FAILING(new Faults("all", 100, 40, 5, 60));

        private final Faults faults;

        Dose(Faults faults) {
            this.faults = faults;
        }
    }

    private enum Kind {
        TCP,
        UNIX,
        FIFO,
        FILE,
        /** A recording in several files, which may have gaps. */
        TAPE
    }

    @TempDir
    static Path shared;

    private static Path tracer;

    @BeforeAll
    static void tracerWorks() throws Exception {
        tracer = Faults.tracer(shared);
        Assumptions.assumeTrue(Child.has("mkfifo", shared.resolve("fifo").toString()), "mkfifo is missing");
    }

    @ParameterizedTest
    @EnumSource
    @DisplayName("S8, S9, S10, S14, S17, S21, S22, S23, S26: the bytes are equal, or the failure is named, in spite of")
    void sweep(Dose dose, @TempDir Path directory) throws Exception {
        long seed = SEED + dose.ordinal();
        Path log = shared.resolve(dose + ".log");
        List<String> prefix = dose.faults.prefix(tracer, seed, directory, log);
        RandomGenerator random = Bytes.generator(seed);
        System.out.println("faults: " + dose + ", -Dsluice.test.seed=" + SEED);
        try (Moving child = new Moving(Child.command(prefix, List.of("-XX:-UsePerfData"), Mover.class))) {
            for (int i = 0; i < TRANSFERS; i++) {
                Plan plan = random.nextInt(6) == 0 ? new Join() : new OneWay();
                Path place = Files.createDirectory(directory.resolve(Integer.toString(i)));
                try {
                    plan.run(child, random, place);
                } catch (Throwable t) {
                    throw new AssertionError(
                            dose + ", transfer " + i + " of seed " + SEED + ": " + plan.line + "\n" + child.heard(), t);
                }
                if (dose.faults.hard() == 0) {
                    assertThat(plan.outcome)
                            .as(plan.line)
                            .doesNotStartWith("refused")
                            .doesNotContain("failed ");
                }
                deleteAll(place);
            }
            assertThat(child.end()).isEqualTo("lent=0 left=[]");
        }
        System.out.println("faults: " + dose + ": " + Faults.summary(log));
        assertThat(Faults.onClosed(log)).isEmpty();
    }

    private static void deleteAll(Path directory) throws IOException {
        try (var files = Files.list(directory)) {
            for (Path file : files.toList()) {
                Files.delete(file);
            }
        }
        Files.delete(directory);
    }

    /** The child, which is told one transfer at a time. */
    private static final class Moving implements AutoCloseable {
        private final Process process;
        private final Writer in;
        private final BlockingQueue<String> lines = new LinkedBlockingQueue<>();
        private final List<String> heard = new ArrayList<>();

        Moving(List<String> command) throws IOException {
            process = new ProcessBuilder(command).redirectErrorStream(true).start();
            in = process.outputWriter();
            BufferedReader out = process.inputReader();
            Thread.ofPlatform().daemon().start(() -> {
                out.lines().forEach(lines::add);
                lines.add("the child ended");
            });
        }

        void tell(String line) throws IOException {
            heard.clear();
            in.write(line + "\n");
            in.flush();
        }

        String answer() throws Exception {
            String line = lines.poll(PATIENCE_SECONDS, TimeUnit.SECONDS);
            while (line != null && !ANSWER.matcher(line).lookingAt()) {
                // The library's own log.
                heard.add(line);
                line = lines.poll(PATIENCE_SECONDS, TimeUnit.SECONDS);
            }
            if (line == null) {
                for (ProcessHandle jvm : process.descendants().toList()) {
                    Child.has("kill", "-QUIT", Long.toString(jvm.pid()));
                }
                Thread.sleep(2000);
                lines.drainTo(heard);
                throw new AssertionError("no answer for " + PATIENCE_SECONDS + " s");
            }
            heard.add(line);
            return line;
        }

        String end() throws Exception {
            in.close();
            return answer();
        }

        String heard() {
            lines.drainTo(heard);
            return String.join("\n", heard);
        }

        @Override
        public void close() throws Exception {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly().waitFor();
        }
    }

    /** One transfer, or one join. */
    private abstract static class Plan {
        String line = "";
        String outcome = "";
        private final List<Party> parties = new ArrayList<>();

        <P extends Party> P add(P party) {
            parties.add(party);
            return party;
        }

        abstract void prepare(RandomGenerator random, Path place) throws Exception;

        abstract void check() throws Exception;

        void run(Moving child, RandomGenerator random, Path place) throws Exception {
            try {
                prepare(random, place);
                child.tell(line);
                outcome = child.answer();
                if (outcome.equals("opened")) {
                    for (Party party : parties) {
                        party.opened();
                    }
                    outcome = child.answer();
                    // Something of the library's own that should not have been thrown.
                    assertThat(outcome).doesNotContain("NONE step").doesNotContain("NONE settle");
                    check();
                } else {
                    assertThat(outcome).startsWith("refused ").containsPattern("E[A-Z]{3,}|java.io.IOException: ");
                }
            } finally {
                for (Party party : parties) {
                    party.close();
                }
            }
        }

        static String routes(RandomGenerator random, String... routes) {
            String route = routes[random.nextInt(routes.length)];
            return route.isEmpty() ? "" : " route=" + route;
        }
    }

    private static final class OneWay extends Plan {
        private byte[] expected;
        private Receiver sink;
        private final List<Receiver> mirrors = new ArrayList<>();

        @Override
        void prepare(RandomGenerator random, Path place) throws Exception {
            byte[] data = Bytes.random(random.nextLong(), random.nextInt(random.nextInt(10) == 0 ? 100 : 2 << 20));
            StringBuilder text = new StringBuilder("jdk=" + (random.nextInt(4) == 0));
            // A file without mirrors has routes of its own.
            boolean direct = random.nextInt(5) == 0;
            Party source = add(new Sender(random, direct ? Kind.FILE : any(random), place.resolve("source"), data));
            sink = add(new Receiver(random, any(random), place.resolve("sink")));
            text.append(" source=").append(source.where).append(" sink=").append(sink.where);
            if (random.nextInt(3) == 0) {
                text.append(" policy=DETACH").append(random.nextBoolean() ? " patience=1" : "");
            }
            for (int i = direct ? 0 : random.nextInt(4); i > 0; i--) {
                Kind kind = random.nextInt(6) == 0 ? Kind.TAPE : any(random);
                Receiver mirror = add(new Receiver(random, kind, place.resolve("mirror" + i)));
                mirrors.add(mirror);
                text.append(kind == Kind.TAPE ? " tape=" : " mirror=").append(mirror.where);
            }
            text.append(
                    direct
                            ? routes(random, "", "SENDFILE", "COPY_FILE_RANGE")
                            : routes(random, "", "", "SPLICE", "SPLICE", "COPY"));
            int prefix = random.nextInt(4) == 0 ? 1 + random.nextInt(100_000) : 0;
            int limit = random.nextInt(4) == 0 ? random.nextInt(data.length + 1) : data.length;
            if (limit < data.length) {
                text.append(" limit=").append(limit);
            }
            if (random.nextInt(8) == 0) {
                text.append(" rate=").append(4L * data.length + 1);
            }
            text.append(" prefix=").append(prefix);
            expected = Arrays.copyOf(Mover.prefix(prefix), prefix + limit);
            System.arraycopy(data, 0, expected, prefix, limit);
            line = text.toString();
        }

        private static Kind any(RandomGenerator random) {
            return Kind.values()[random.nextInt(Kind.TAPE.ordinal())];
        }

        @Override
        void check() throws Exception {
            assertAccount(outcome, expected, sink.received());
            Matcher account = MIRROR.matcher(outcome);
            for (Receiver mirror : mirrors) {
                assertThat(account.find()).as("a result of each mirror").isTrue();
                int bytes = Integer.parseInt(account.group(2));
                boolean complete =
                        outcome.startsWith("moved") && account.group(1).equals("mirror");
                if (mirror.kind == Kind.TAPE) {
                    assertThat(mirror.received().length)
                            .as("bytes of " + mirror.where)
                            .isEqualTo(bytes);
                    int reach = assertTape(mirror, expected);
                    assertThat(reach)
                            .as("the end of " + mirror.where)
                            .isBetween(complete ? expected.length : 0, expected.length);
                } else {
                    assertPrefix(mirror.where, expected, mirror.received(), complete ? expected.length : bytes);
                }
                assertThat(bytes).as("the account of " + mirror.where).isLessThanOrEqualTo(expected.length);
            }
        }
    }

    /** The bytes on tape are those of the stream beside the gaps; returns where the tape ends in the stream. */
    private static int assertTape(Receiver tape, byte[] expected) throws Exception {
        byte[] recorded = tape.received();
        int from = 0;
        int at = 0;
        for (String line : Files.readAllLines(Path.of(tape.where + ".index"))) {
            Matcher gap = GAP.matcher(line);
            if (gap.find()) {
                int begin = Integer.parseInt(gap.group(2));
                assertThat(Arrays.equals(recorded, from, from + begin - at, expected, at, begin))
                        .as("the tape before " + line)
                        .isTrue();
                from += begin - at;
                at = begin + Integer.parseInt(gap.group(1));
            }
        }
        int end = at + recorded.length - from;
        assertThat(Arrays.equals(recorded, from, recorded.length, expected, at, end))
                .as("the tape from " + at)
                .isTrue();
        return end;
    }

    private static final class Join extends Plan {
        private byte[] forth;
        private byte[] back;
        private Peer left;
        private Peer right;

        @Override
        void prepare(RandomGenerator random, Path place) throws Exception {
            forth = Bytes.random(random.nextLong(), random.nextInt(1 << 20));
            back = Bytes.random(random.nextLong(), random.nextInt(1 << 20));
            left = add(new Peer(random, socket(random), place.resolve("left"), forth));
            right = add(new Peer(random, socket(random), place.resolve("right"), back));
            line = "jdk=" + (random.nextInt(4) == 0) + " join=" + left.where + " join=" + right.where
                    + routes(random, "", "SPLICE", "COPY");
        }

        private static Kind socket(RandomGenerator random) {
            return random.nextBoolean() ? Kind.TCP : Kind.UNIX;
        }

        @Override
        void check() throws Exception {
            String[] directions = outcome.substring("joined ".length()).split(" and (?=moved|failed)");
            if (directions[0].startsWith("moved") && directions[1].startsWith("moved")) {
                assertAccount(directions[0], forth, right.received());
                assertAccount(directions[1], back, left.received());
            } else {
                // The other direction was cut with unread bytes inside, perhaps: its peer may have lost what was on its
                // way.
                assertPrefix("right", forth, right.received(), -1);
                assertPrefix("left", back, left.received(), -1);
            }
        }
    }

    private static void assertAccount(String outcome, byte[] expected, byte[] received) {
        Matcher account = ACCOUNT.matcher(outcome);
        assertThat(account.find()).isTrue();
        int accepted = Integer.parseInt(account.group(1));
        assertPrefix("the sink", expected, received, accepted);
        if (outcome.startsWith("moved")) {
            assertThat(accepted).isEqualTo(expected.length);
        } else {
            int residue = Integer.parseInt(account.group(2));
            assertThat(accepted + residue).as("accepted and residue").isLessThanOrEqualTo(expected.length);
            CRC32 checksum = new CRC32();
            checksum.update(expected, accepted, residue);
            assertThat(Long.parseLong(account.group(3)))
                    .as("the residue's checksum")
                    .isEqualTo(checksum.getValue());
        }
    }

    /** The first {@code length} of the expected bytes have arrived, or, with −1, some. */
    private static void assertPrefix(String what, byte[] expected, byte[] received, int length) {
        if (length >= 0) {
            assertThat(received.length).as("bytes at " + what).isEqualTo(length);
        }
        assertThat(received.length).isLessThanOrEqualTo(expected.length);
        int wrong = Arrays.mismatch(received, 0, received.length, expected, 0, received.length);
        assertThat(wrong).as("the first wrong byte at " + what).isEqualTo(-1);
    }

    /** What the child connects to or opens. */
    private abstract static class Party {
        final String where;
        final Kind kind;
        final Path path;
        final int chunk;
        final int pauseMicros;
        private final int bufferSize;
        private final StreamListener listener;
        private CompletableFuture<Void> begun = CompletableFuture.completedFuture(null);
        private KernelFile fifo;

        Party(RandomGenerator random, Kind kind, Path path) throws Exception {
            this.kind = kind;
            this.path = path;
            this.chunk = 1 + random.nextInt(random.nextInt(4) == 0 ? 2_000 : 200_000);
            this.pauseMicros = random.nextInt(4) == 0 && chunk > 5_000 ? random.nextInt(2_000) : 0;
            this.bufferSize = random.nextInt(3) == 0 ? 50_000 + random.nextInt(100_000) : 0;
            listener = switch (kind) {
                case TCP -> StreamListener.listen(new Endpoint.Tcp("127.0.0.1", 0));
                case UNIX -> StreamListener.listen(new Endpoint.Unix(path.toString()));
                default -> null;
            };
            where = listener != null ? listener.endpoint().toString() : path.toString();
            if (kind == Kind.FIFO) {
                Child.has("mkfifo", path.toString());
                // With both sides open, the child's open does not wait.
                fifo = KernelFile.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE);
            }
        }

        /** On a thread of its own, once the child has opened everything or at once. */
        abstract void talk(ByteChannel channel) throws Exception;

        /** Sockets are served at once, since the child waits for its connections. */
        final void serve() {
            if (listener != null) {
                begun = Bytes.async(() -> {
                    try (StreamSocket socket = listener.accept()) {
                        if (bufferSize > 0 && kind == Kind.TCP) {
                            socket.receiveBuffer(bufferSize).sendBuffer(bufferSize);
                        }
                        talk(socket);
                    }
                    return null;
                });
            }
        }

        final void opened() throws IOException {
            if (kind == Kind.FIFO) {
                boolean reads = this instanceof Receiver;
                KernelFile mine = KernelFile.open(path, reads ? StandardOpenOption.READ : StandardOpenOption.WRITE);
                fifo.close();
                begun = Bytes.async(() -> {
                    try (mine) {
                        talk(mine);
                    }
                    return null;
                });
            }
        }

        /** Once everything that can be said or heard has been. */
        final void finish() throws Exception {
            begun.exceptionally(e -> null).get(PATIENCE_SECONDS, TimeUnit.SECONDS);
        }

        final void close() throws Exception {
            if (listener != null) {
                listener.close();
            }
            if (fifo != null) {
                fifo.close();
            }
            finish();
        }

        void write(ByteChannel channel, byte[] bytes) throws Exception {
            for (int at = 0; at < bytes.length; at += chunk) {
                ByteBuffer part = ByteBuffer.wrap(bytes, at, Math.min(chunk, bytes.length - at));
                while (part.hasRemaining()) {
                    channel.write(part);
                }
                pause();
            }
        }

        void pause() throws InterruptedException {
            if (pauseMicros > 0) {
                TimeUnit.MICROSECONDS.sleep(pauseMicros);
            }
        }
    }

    private static final class Sender extends Party {
        private final byte[] data;

        Sender(RandomGenerator random, Kind kind, Path path, byte[] data) throws Exception {
            super(random, kind, path);
            this.data = data;
            if (kind == Kind.FILE) {
                Files.write(path, data);
            }
            serve();
        }

        @Override
        void talk(ByteChannel channel) throws Exception {
            write(channel, data);
            if (channel instanceof StreamSocket socket) {
                socket.shutdownOutput();
                socket.read(ByteBuffer.allocate(1));
            }
        }
    }

    private static class Receiver extends Party {
        private final java.io.ByteArrayOutputStream bytes = new java.io.ByteArrayOutputStream();

        Receiver(RandomGenerator random, Kind kind, Path path) throws Exception {
            super(random, kind, path);
            if (kind == Kind.FILE) {
                Files.createFile(path);
            }
            if (getClass() == Receiver.class) {
                serve();
            }
        }

        @Override
        void talk(ByteChannel channel) throws Exception {
            readAll(channel);
        }

        final void readAll(ReadableByteChannel channel) throws Exception {
            ByteBuffer buffer = ByteBuffer.allocate(chunk);
            while (channel.read(buffer.clear()) >= 0) {
                bytes.write(buffer.array(), 0, buffer.position());
                pause();
            }
        }

        byte[] received() throws Exception {
            finish();
            return switch (kind) {
                case FILE -> Files.readAllBytes(path);
                case TAPE -> tape();
                default -> bytes.toByteArray();
            };
        }

        private byte[] tape() throws IOException {
            bytes.reset();
            for (int i = 1; Files.exists(Path.of("%s.%06d".formatted(path, i))); i++) {
                bytes.write(Files.readAllBytes(Path.of("%s.%06d".formatted(path, i))));
            }
            return bytes.toByteArray();
        }
    }

    /** One end of a join: talks and listens. */
    private static final class Peer extends Receiver {
        private final byte[] data;

        Peer(RandomGenerator random, Kind kind, Path path, byte[] data) throws Exception {
            super(random, kind, path);
            this.data = data;
            serve();
        }

        @Override
        void talk(ByteChannel channel) throws Exception {
            CompletableFuture<Object> talking = Bytes.async(() -> {
                write(channel, data);
                return ((StreamSocket) channel).shutdownOutput();
            });
            readAll(channel);
            talking.exceptionally(e -> null).get();
        }
    }
}
