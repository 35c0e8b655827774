package dev.sluice.bench;

import dev.sluice.Pipeline;
import dev.sluice.Sluice;
import dev.sluice.file.KernelFile;
import dev.sluice.io.Endpoint;
import dev.sluice.io.Route;
import dev.sluice.net.StreamListener;
import dev.sluice.net.StreamSocket;
import dev.sluice.ring.Completion;
import dev.sluice.ring.Ring;
import dev.sluice.ring.RingFile;
import dev.sluice.ring.RingSetup;
import dev.sluice.ring.SharedRing;
import dev.sluice.ring.Submission;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.stream.IntStream;

/**
 * The ring against liburing, and files and fan-out on it against the JDK's calls, round by round in one run. From the root of
 * the repository; {@code FILE [--rounds N] [--bytes N] [--only table=WORD]...}: a file to read, which is made if it is
 * missing, 1 GiB of it; how large a file to copy; and what the tables to be made have in their titles.
 */
public final class RingMatch {
    /** Rounds that are not counted: until the compilers are done. */
    private static final int WARM_UP = 3;

    private static final int BLOCK = 4096;
    private static final int NOPS = 2_000_000;
    private static final int READS = 200_000;
    private static final int DISK_READS = 20_000;
    private static final long FILE_SIZE = 1L << 30;
    private static final int SOCKETS = 256;
    private static final int MESSAGE = 64 * 1024;
    private static final int MESSAGES = 40;

    private static final int AT_FDCWD = -100;
    private static final int O_DIRECT = System.getProperty("os.arch").equals("aarch64") ? 0x10000 : 0x4000;

    private static final int CHUNK = 256 * 1024;
    private static final int CHUNKS = 8;
    private static final int O_CLOEXEC = 0x80000;
    private static final int O_CREATE_TO_WRITE = 0x41;
    private static final int OWNER = 0600;

    private final Options options;
    private final int rounds;
    private final Party liburing;

    private RingMatch(Options options, Party liburing) {
        this.options = options;
        this.rounds = options.rounds();
        this.liburing = liburing;
    }

    /** Prints a table. */
    public static void main(String[] arguments) throws Exception {
        if (CubicNetwork.holds(RingMatch.class, arguments)) {
            return;
        }
        Path file = Path.of(arguments[0]);
        if (!Files.exists(file)) {
            try (FileChannel out = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
                ByteBuffer zeros = ByteBuffer.allocateDirect(1 << 20);
                for (long at = 0; at < FILE_SIZE; at += zeros.capacity()) {
                    out.write(zeros.clear());
                }
            }
        }
        Options options = Options.parse(Arrays.copyOfRange(arguments, 1, arguments.length), 5, 4L << 30);
        // The library stands before the source, so it must be kept in spite of nobody having asked for it yet.
        String[] compiler = {"gcc", "-O2", "-Wall", "-Wextra", "-Wl,--no-as-needed", "-luring"};
        try (Party liburing = Party.built("liburing", Path.of("bench/c/ring.c"), compiler)) {
            RingMatch match = new RingMatch(options, liburing);
            match.nops();
            for (boolean direct : new boolean[] {false, true}) {
                for (int depth : new int[] {1, 8, 32, 128}) {
                    match.reads(file, depth, direct);
                }
            }
            match.fanOut();
            match.copies();
        }
    }

    private interface Work {
        void run() throws Exception;
    }

    /** One contender: its name, and what it does in a run. */
    private record Contender(String name, Work work) {}

    private void compare(String what, long operations, List<Contender> contenders) throws Exception {
        if (!options.wants("table", what)) {
            return;
        }
        Rounds<Long> times = new Rounds<>();
        for (int round = -WARM_UP; round < rounds; round++) {
            List<Long> row = new ArrayList<>();
            for (Contender contender : contenders) {
                long start = System.nanoTime();
                contender.work.run();
                row.add(System.nanoTime() - start);
            }
            if (round >= 0) {
                times.add(row);
            }
        }
        System.out.println(what);
        for (int i = 0; i < contenders.size(); i++) {
            System.out.printf(
                    Locale.ROOT,
                    "  %-34s %12s thousand/s, %s times the first%n",
                    contenders.get(i).name,
                    times.of(i, nanos -> operations * 1e6 / nanos),
                    times.ratio(0, i, nanos -> nanos));
        }
    }

    private void ask(String question) throws IOException {
        liburing.ask(question);
        liburing.answer("done");
    }

    private void nops() throws Exception {
        try (Ring ring = new RingSetup().entries(1024).open()) {
            for (int batch : new int[] {1, 32, 256}) {
                int count = batch == 1 ? NOPS / 4 : NOPS;
                List<Contender> contenders = new ArrayList<>();
                if (liburing != null) {
                    contenders.add(new Contender("liburing", () -> ask("nop " + batch + " " + count)));
                }
                contenders.add(new Contender("Ring", () -> nops(ring, batch, count)));
                compare("no-ops, " + batch + " per call", count, contenders);
            }
        }
    }

    private static void nops(Ring ring, int batch, int count) throws IOException {
        Ring.Handler handler = completion -> {};
        for (int done = 0; done < count; done += batch) {
            for (int i = 0; i < batch; i++) {
                ring.next().nop();
            }
            ring.submitAndWait(batch);
            ring.reap(handler);
        }
    }

    private void reads(Path path, int depth, boolean direct) throws Exception {
        int count = direct ? DISK_READS : READS;
        String question = "read " + path.toAbsolutePath() + " " + depth + " " + (direct ? 1 : 0) + " " + count;
        OpenOption[] jdk = direct
                ? new OpenOption[] {StandardOpenOption.READ, com.sun.nio.file.ExtendedOpenOption.DIRECT}
                : new OpenOption[] {StandardOpenOption.READ};
        OpenOption[] own = direct ? new OpenOption[] {RingFile.Option.DIRECT} : new OpenOption[0];
        try (Ring ring = new RingSetup().entries(1024).open();
                FileChannel channel = FileChannel.open(path, jdk);
                RingFile file = RingFile.open(path, own)) {
            List<Contender> contenders = new ArrayList<>();
            if (liburing != null) {
                contenders.add(new Contender("liburing", () -> ask(question)));
            }
            contenders.add(new Contender("Ring", () -> reads(ring, path, depth, direct, count)));
            contenders.add(new Contender(
                    "FileChannel on virtual threads", () -> threads(depth, count, channel::read, channel.size())));
            contenders.add(
                    new Contender("RingFile on virtual threads", () -> threads(depth, count, file::read, file.size())));
            compare(
                    "reads of 4 KiB, " + (direct ? "O_DIRECT" : "cached") + ", " + depth + " at a time",
                    count,
                    contenders);
        }
    }

    private static void reads(Ring ring, Path path, int depth, boolean direct, int count) throws IOException {
        int fd = -1;
        try (Arena arena = Arena.ofConfined()) {
            fd = one(ring, ring.next().open(AT_FDCWD, arena.allocateFrom(path.toString()), direct ? O_DIRECT : 0, 0));
            MemorySegment memory = arena.allocate((long) depth * BLOCK, BLOCK);
            MemorySegment[] parts = new MemorySegment[depth];
            for (int i = 0; i < depth; i++) {
                parts[i] = memory.asSlice((long) i * BLOCK, BLOCK);
            }
            int open = fd;
            long blocks = Files.size(path) / BLOCK;
            long random = 88172645463325252L;
            int queued = 0;
            int[] done = new int[1];
            Ring.Handler handler = completion -> done[0] += taken(completion);
            while (done[0] < count) {
                while (queued - done[0] < depth && queued < count) {
                    random = next(random);
                    ring.next().read(open, parts[queued % depth], (random >>> 1) % blocks * BLOCK);
                    queued++;
                }
                ring.submitAndWait(1);
                ring.reap(handler);
            }
        } finally {
            one(ring, ring.next().close(fd));
        }
    }

    private static int one(Ring ring, Submission submission) throws IOException {
        submission.id(0);
        ring.submitAndWait(1);
        int result = ring.peek().result();
        ring.advance();
        if (result < 0) {
            throw new IOException("errno " + -result);
        }
        return result;
    }

    private static int taken(Completion completion) {
        if (completion.result() != BLOCK) {
            throw new IllegalStateException(completion.toString());
        }
        return 1;
    }

    private static long next(long random) {
        long x = random ^ random << 13;
        x ^= x >>> 7;
        return x ^ x << 17;
    }

    private interface Reading {
        int at(ByteBuffer buffer, long offset) throws IOException;
    }

    private static void threads(int depth, int count, Reading reading, long size) throws InterruptedException {
        CountDownLatch done = new CountDownLatch(depth);
        for (int i = 0; i < depth; i++) {
            long seed = 88172645463325252L + i;
            Thread.startVirtualThread(() -> {
                ByteBuffer buffer =
                        ByteBuffer.allocateDirect(2 * BLOCK).alignedSlice(BLOCK).limit(BLOCK);
                long random = seed;
                try {
                    for (int j = 0; j < count / depth; j++) {
                        random = next(random);
                        reading.at(buffer.position(0), (random >>> 1) % (size / BLOCK) * BLOCK);
                    }
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                } finally {
                    done.countDown();
                }
            });
        }
        done.await();
    }

    private void fanOut() throws Exception {
        fanOut("64 KiB to 256 sockets whose readers copy", null);
        try (Party party = Party.built("sinks", Path.of("bench/c/sinks.c"), "gcc", "-O2", "-Wall", "-Wextra")) {
            if (party != null) {
                fanOut("64 KiB to 256 sockets whose readers copy nothing", "127.0.0.1:" + party.answer("port"));
            }
        }
    }

    private void fanOut(String title, String receiver) throws Exception {
        List<StreamSocket> sinks = new ArrayList<>();
        try (StreamListener listener = StreamListener.listen(Endpoint.parse("127.0.0.1:0"));
                SharedRing ring = SharedRing.open(512)) {
            for (int i = 0; i < SOCKETS; i++) {
                if (receiver == null) {
                    sinks.add(StreamSocket.connect(listener.endpoint()));
                    StreamSocket far = listener.accept();
                    Thread.startVirtualThread(() -> swallow(far));
                } else {
                    sinks.add(StreamSocket.connect(Endpoint.parse(receiver)));
                }
            }
            ByteBuffer message = ByteBuffer.allocateDirect(MESSAGE);
            List<Contender> contenders = List.of(
                    new Contender("a loop of writes", () -> {
                        for (int i = 0; i < MESSAGES; i++) {
                            for (StreamSocket sink : sinks) {
                                sink.write(message.duplicate());
                            }
                        }
                    }),
                    new Contender("fanOut", () -> {
                        for (int i = 0; i < MESSAGES; i++) {
                            ring.fanOut(message, Duration.ofSeconds(30), sinks);
                        }
                    }));
            compare(title, (long) MESSAGES * SOCKETS, contenders);
            System.out.printf(
                    Locale.ROOT,
                    "  fanOut: %.1f system calls of the ring per round%n",
                    (double) ring.systemCalls() / ((rounds + WARM_UP) * MESSAGES));
        } finally {
            for (StreamSocket socket : sinks) {
                socket.close();
            }
        }
    }

    private static void swallow(StreamSocket source) {
        ByteBuffer buffer = ByteBuffer.allocateDirect(MESSAGE);
        try (source) {
            while (source.read(buffer.clear()) >= 0) {
                // Only its taking counts.
            }
        } catch (IOException e) {
            // The other end was closed first.
        }
    }

    private interface Copy {
        void run(Path from, Path to) throws Exception;
    }

    private record Copier(String name, Copy copy) {}

    private record Cost(long nanos, long cpuNanos) {}

    /** A file in the page cache to a new one on the same file system, by everything that can. */
    private void copies() throws Exception {
        try (Ring ring = new RingSetup().entries(2 * CHUNKS).open();
                Arena arena = Arena.ofConfined()) {
            MemorySegment memory = arena.allocate((long) CHUNKS * CHUNK, BLOCK);
            ring.registry().buffers(memory);
            List<Copier> copiers = List.of(
                    new Copier("Sluice.transfer", (from, to) -> transfer(null, from, to)),
                    new Copier("copy_file_range", (from, to) -> transfer(Route.COPY_FILE_RANGE, from, to)),
                    new Copier("splice", (from, to) -> transfer(Route.SPLICE, from, to)),
                    new Copier("sendfile", (from, to) -> transfer(Route.SENDFILE, from, to)),
                    new Copier("FileChannel.transferTo", RingMatch::transferTo),
                    new Copier("Ring, reads linked to writes", (from, to) -> linked(ring, memory, from, to)));
            for (Path directory : FileToSocket.directories()) {
                String what = "copying a cached file on " + FileToSocket.type(directory);
                if (options.wants("table", what)) {
                    copies(what, directory, copiers);
                }
            }
        }
    }

    private void copies(String what, Path directory, List<Copier> copiers) throws Exception {
        Path from = Files.createTempFile(directory, "sluice-bench", "");
        Path to = from.resolveSibling(from.getFileName() + "-copy");
        long pid = ProcessHandle.current().pid();
        List<Integer> order =
                new ArrayList<>(IntStream.range(0, copiers.size()).boxed().toList());
        Rounds<Cost> costs = new Rounds<>();
        try {
            FileToSocket.write(from, options.bytes());
            for (int round = -1; round < rounds; round++) {
                Cost[] row = new Cost[copiers.size()];
                // What one leaves to be written back slows the next down: so that is not always the same one.
                Collections.shuffle(order, new Random(round));
                for (int number : order) {
                    Copier copier = copiers.get(number);
                    long start = System.nanoTime();
                    long cpu = Libc.cpuNanos(pid);
                    copier.copy.run(from, to);
                    row[number] = new Cost(System.nanoTime() - start, Libc.cpuNanos(pid) - cpu);
                    if (Files.size(to) != options.bytes()) {
                        throw new IllegalStateException(copier.name + " copied " + Files.size(to) + " bytes");
                    }
                    Files.delete(to);
                }
                if (round >= 0) {
                    costs.add(List.of(row));
                }
            }
            String route = route(from, to);
            System.out.println(what + ", " + (options.bytes() >> 20) + " MiB; the transfer chose " + route);
        } finally {
            Files.delete(from);
            Files.deleteIfExists(to);
        }
        for (int i = 0; i < copiers.size(); i++) {
            System.out.printf(
                    Locale.ROOT,
                    "  %-34s %20s s, %20s CPU-s per GB, %s times the speed of the first%n",
                    copiers.get(i).name,
                    costs.of(i, cost -> cost.nanos / 1e9),
                    costs.of(i, cost -> (double) cost.cpuNanos / options.bytes()),
                    costs.ratio(0, i, cost -> cost.nanos));
        }
    }

    private static String route(Path from, Path to) throws IOException {
        try (KernelFile source = KernelFile.open(from, StandardOpenOption.READ);
                KernelFile sink = KernelFile.open(to, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            return Sluice.transfer(source, sink).route().name();
        }
    }

    private static void transfer(Route route, Path from, Path to) throws IOException {
        try (KernelFile source = KernelFile.open(from, StandardOpenOption.READ);
                KernelFile sink = KernelFile.open(to, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            if (route == null) {
                Sluice.transfer(source, sink);
            } else {
                Pipeline.from(source).route(route).to(sink);
            }
        }
    }

    private static void transferTo(Path from, Path to) throws IOException {
        try (FileChannel source = FileChannel.open(from, StandardOpenOption.READ);
                FileChannel sink = FileChannel.open(to, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            long size = source.size();
            for (long at = 0; at < size; ) {
                at += source.transferTo(at, size - at, sink);
            }
        }
    }

    /** Several pairs at a time, by registered memory; a pair that falls short is not made up for, but noticed. */
    private static void linked(Ring ring, MemorySegment memory, Path from, Path to) throws IOException {
        int source = -1;
        int sink = -1;
        try (Arena arena = Arena.ofConfined()) {
            source = one(ring, ring.next().open(AT_FDCWD, arena.allocateFrom(from.toString()), O_CLOEXEC, 0));
            MemorySegment name = arena.allocateFrom(to.toString());
            sink = one(ring, ring.next().open(AT_FDCWD, name, O_CREATE_TO_WRITE | O_CLOEXEC, OWNER));
            long size = Files.size(from);
            Ring.Handler handler = completion -> {
                if (completion.result() <= 0) {
                    throw new IllegalStateException(completion.toString());
                }
            };
            for (long at = 0; at < size; ) {
                int queued = 0;
                for (int i = 0; i < CHUNKS && at < size; i++) {
                    MemorySegment chunk = memory.asSlice((long) i * CHUNK, Math.min(CHUNK, size - at));
                    ring.next().readFixed(source, chunk, 0, at).link();
                    ring.next().writeFixed(sink, chunk, 0, at);
                    at += chunk.byteSize();
                    queued += 2;
                }
                ring.submitAndWait(queued);
                if (ring.reap(handler) != queued) {
                    throw new IllegalStateException("a completion is missing");
                }
            }
        } finally {
            for (int fd : new int[] {source, sink}) {
                if (fd >= 0) {
                    one(ring, ring.next().close(fd));
                }
            }
        }
    }
}
