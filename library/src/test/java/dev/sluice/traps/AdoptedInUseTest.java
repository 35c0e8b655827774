package dev.sluice.traps;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.Pipeline;
import dev.sluice.Transfer;
import dev.sluice.internal.fd.Adoption;
import dev.sluice.internal.linux.Files;
import dev.sluice.io.Route;
import dev.sluice.io.TransferException;
import dev.sluice.io.TransferException.Reason;
import dev.sluice.io.TransferResult;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.JdkPair;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Pair;
import dev.sluice.testkit.Parked;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.SocketOption;
import java.net.SocketTimeoutException;
import java.net.StandardProtocolFamily;
import java.net.StandardSocketOptions;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** What the user's own threads may do with a SocketChannel while a transfer uses its descriptor. */
@ExtendWith(LeakCheck.class)
@Timeout(60)
class AdoptedInUseTest {
    private static final byte[] DATA = Bytes.random(61, 3 << 20);

    /** How the user's thread reads; all of them count on blocking mode. */
    enum Reading {
        CHANNEL {
            @Override
            int read(SocketChannel channel, byte[] into) throws IOException {
                return channel.read(ByteBuffer.wrap(into));
            }
        },
        STREAM {
            @Override
            int read(SocketChannel channel, byte[] into) throws IOException {
                InputStream stream = channel.socket().getInputStream();
                return stream.read(into);
            }
        },
        /** For which the JDK changes O_NONBLOCK at each read. */
        STREAM_WITH_TIMEOUT {
            @Override
            int read(SocketChannel channel, byte[] into) throws IOException {
                channel.socket().setSoTimeout(5);
                while (true) {
                    try {
                        return STREAM.read(channel, into);
                    } catch (SocketTimeoutException e) {
                        // Once more.
                    }
                }
            }
        };

        abstract int read(SocketChannel channel, byte[] into) throws IOException;
    }

    /** Reads so many bytes the way that user's programs do. */
    private static byte[] readAll(Reading reading, SocketChannel channel, int length, int atOnce) throws IOException {
        byte[] all = new byte[length];
        byte[] buffer = new byte[atOnce];
        for (int at = 0; at < length; ) {
            int count = reading.read(channel, buffer);
            // 0 is what a blocking read promises never to give.
            assertThat(count).as("after " + at + " bytes").isPositive();
            System.arraycopy(buffer, 0, all, at, count);
            at += count;
        }
        return all;
    }

    @ParameterizedTest
    @EnumSource(Reading.class)
    @DisplayName("J7: a thread blocked in read() while its socket becomes a sink goes on and gets every byte")
    void aReaderOfTheOtherDirectionIsNotDisturbed(Reading reading) throws Exception {
        String method = reading == Reading.STREAM_WITH_TIMEOUT ? "poll" : "read0";
        try (JdkPair pair = JdkPair.open()) {
            CompletableFuture<byte[]> reader = blockedIn(method, () -> readAll(reading, pair.near(), 20 * 1000, 8192));
            for (int i = 0; i < 20; i++) {
                send(pair, 100_000);
                Bytes.write(pair.far(), Arrays.copyOfRange(DATA, i * 1000, i * 1000 + 1000), 100);
            }
            same(Stage.get(reader), DATA, 20 * 1000);
            assertThat(pair.near().isBlocking()).isTrue();
        }
    }

    /** A transfer into the pair. */
    private static void send(JdkPair pair, int length) throws Exception {
        CompletableFuture<byte[]> received = Bytes.async(() -> Bytes.read(pair.far(), length));
        try (Pair in = Pair.open(Pair.Kind.TCP)) {
            Bytes.write(in.near(), Arrays.copyOf(DATA, length), length);
            TransferResult result =
                    Pipeline.from(in.far()).route(Route.SPLICE).limit(length).to(pair.near());
            assertThat(result.bytes()).isEqualTo(length);
            assertThat(result.route()).as(result.reason()).isEqualTo(Route.SPLICE);
        }
        same(Stage.get(received), DATA, length);
    }

    @ParameterizedTest
    @CsvSource({
        "CHANNEL, false",
        "CHANNEL, true",
        "STREAM, false",
        "STREAM, true",
        "STREAM_WITH_TIMEOUT, false",
        "STREAM_WITH_TIMEOUT, true"
    })
    @DisplayName(
            "J7: while 300 transfers into a socket come and go, a thread that reads it all the time notices nothing")
    void aBusyReaderOfTheOtherDirectionIsNotDisturbed(Reading reading, boolean virtual) throws Exception {
        AtomicBoolean stop = new AtomicBoolean();
        try (JdkPair pair = JdkPair.open()) {
            Bytes.Call<byte[]> reads = () -> readAll(reading, pair.near(), DATA.length, 100);
            CompletableFuture<byte[]> reader = virtual ? Bytes.async(reads) : Bytes.platform(reads);
            CompletableFuture<Object> writer = Bytes.platform(() -> {
                for (int at = 0; at < DATA.length; ) {
                    // In small pieces until the transfers are over, so that the reader waits now and then.
                    int length = Math.min(stop.get() ? 100_000 : 300, DATA.length - at);
                    at += pair.far().write(ByteBuffer.wrap(DATA, at, length));
                    if (!stop.get()) {
                        Thread.sleep(0, 1000);
                    }
                }
                return null;
            });
            for (int i = 0; i < 300; i++) {
                send(pair, 1000);
                assertThat(reader.isDone() && !stop.get() && !writer.isDone())
                        .as("the reader gave up")
                        .isFalse();
            }
            stop.set(true);
            Stage.get(writer);
            same(Stage.get(reader), DATA, DATA.length);
            assertThat(pair.near().isBlocking()).isTrue();
        }
    }

    @Test
    @DisplayName("J7: while 300 transfers from a socket come and go, a thread that writes to it never writes half")
    void aWriterOfTheOtherDirectionIsNotDisturbed() throws Exception {
        try (JdkPair pair = JdkPair.open();
                Pair out = Pair.open(Pair.Kind.TCP)) {
            CompletableFuture<byte[]> read = Bytes.async(() -> Bytes.read(pair.far(), 5 * DATA.length));
            CompletableFuture<Object> writer = Bytes.platform(() -> {
                for (int i = 0; i < 5; i++) {
                    // More than the buffers take: only a write that waits does all of it at once.
                    assertThat(pair.near()
                                    .write(ByteBuffer.allocateDirect(DATA.length)
                                            .put(DATA)
                                            .flip()))
                            .isEqualTo(DATA.length);
                }
                return null;
            });
            for (int i = 0; i < 300; i++) {
                pair.far().write(ByteBuffer.wrap(DATA, 0, 1000));
                TransferResult result = Pipeline.from(pair.near())
                        .route(Route.SPLICE)
                        .limit(1000)
                        .to(out.near());
                assertThat(result.route()).as(result.reason()).isEqualTo(Route.SPLICE);
                same(Bytes.read(out.far(), 1000), DATA, 1000);
            }
            Stage.get(writer);
            assertThat(Stage.get(read).length).isEqualTo(5 * DATA.length);
        }
    }

    @Test
    @DisplayName(
            "Afterwards the socket waits in the kernel again, both ways, unless a virtual thread has used it meanwhile")
    void callsWaitAgain() throws Exception {
        try (JdkPair pair = JdkPair.open()) {
            int fd = descriptor(pair.near());
            for (int i = 0; i < 3; i++) {
                send(pair, 1000);
            }
            try (Pair out = Pair.open(Pair.Kind.TCP)) {
                Bytes.write(pair.far(), Arrays.copyOf(DATA, 10_000), 10_000);
                Pipeline.from(pair.near()).route(Route.SPLICE).limit(10_000).to(out.near());
                same(Bytes.read(out.far(), 10_000), DATA, 10_000);
            }
            ByteBuffer one = ByteBuffer.allocate(1);
            CompletableFuture<Integer> read =
                    blockedIn("read0", () -> pair.near().read(one));
            pair.far().write(ByteBuffer.wrap(new byte[1]));
            assertThat(Stage.get(read)).isOne();
            CompletableFuture<Integer> write =
                    blockedIn("write0", () -> pair.near().write(ByteBuffer.allocateDirect(8 * DATA.length)));
            Bytes.read(pair.far(), 8 * DATA.length);
            assertThat(Stage.get(write)).isEqualTo(8 * DATA.length);
            assertThat(descriptorIsBlocking(fd)).isTrue();

            try (Pair in = Pair.open(Pair.Kind.TCP)) {
                Transfer transfer =
                        Pipeline.from(in.far()).route(Route.SPLICE).limit(1000).start(pair.near());
                pair.far().write(ByteBuffer.wrap(new byte[1]));
                Stage.get(Bytes.async(() -> pair.near().read(one.clear())));
                Bytes.write(in.near(), Arrays.copyOf(DATA, 1000), 1000);
                assertThat(transfer.await().route()).isEqualTo(Route.SPLICE);
            }
            // Or the next read of a virtual thread would block its carrier.
            assertThat(descriptorIsBlocking(fd)).isFalse();
        }
    }

    @Test
    @DisplayName(
            "An option that marks a socket while it is looked for is what it was, and sockets like it are told apart")
    void theMark() throws Exception {
        List<JdkPair> pairs = new ArrayList<>();
        try {
            for (int count : new int[] {113, 87, 114, 86, 5}) {
                JdkPair pair = JdkPair.open();
                pairs.add(pair);
                pair.near().setOption(keepCount(pair.near()), count);
                pair.far().setOption(keepCount(pair.far()), count);
            }
            List<Integer> before = counts(pairs);
            for (JdkPair pair : pairs) {
                send(pair, 1000);
                assertThat(counts(pairs)).isEqualTo(before);
            }
        } finally {
            for (JdkPair pair : pairs) {
                pair.close();
            }
        }
    }

    private static List<Integer> counts(List<JdkPair> pairs) throws IOException {
        List<Integer> counts = new ArrayList<>();
        for (JdkPair pair : pairs) {
            counts.add(pair.near().getOption(keepCount(pair.near())));
            counts.add(pair.far().getOption(keepCount(pair.far())));
        }
        return counts;
    }

    @SuppressWarnings("unchecked")
    private static SocketOption<Integer> keepCount(SocketChannel channel) {
        return (SocketOption<Integer>) channel.supportedOptions().stream()
                .filter(option -> option.name().equals("TCP_KEEPCOUNT"))
                .findFirst()
                .orElseThrow();
    }

    @Test
    @DisplayName("Unix sockets, which all have the same name, are told apart, and their reader is not disturbed")
    void unixSockets(@TempDir Path directory) throws Exception {
        UnixDomainSocketAddress address = UnixDomainSocketAddress.of(directory.resolve("s"));
        List<JdkPair> pairs = new ArrayList<>();
        try (ServerSocketChannel server =
                ServerSocketChannel.open(StandardProtocolFamily.UNIX).bind(address)) {
            for (int i = 0; i < 20; i++) {
                SocketChannel far = SocketChannel.open(address);
                pairs.add(new JdkPair(server.accept(), far));
            }
            List<CompletableFuture<byte[]>> readers = new ArrayList<>();
            for (JdkPair pair : pairs) {
                readers.add(Bytes.platform(() -> readAll(Reading.CHANNEL, pair.near(), 2000, 100)));
            }
            for (int i = 0; i < 2; i++) {
                for (JdkPair pair : pairs) {
                    send(pair, 10_000);
                    Bytes.write(pair.far(), Arrays.copyOfRange(DATA, i * 1000, i * 1000 + 1000), 100);
                }
            }
            for (CompletableFuture<byte[]> reader : readers) {
                same(Stage.get(reader), DATA, 2000);
            }
        } finally {
            for (JdkPair pair : pairs) {
                pair.close();
            }
        }
    }

    /** Runs the call on a platform thread, and returns once that is inside the native method: no thread state tells. */
    private static <T> CompletableFuture<T> blockedIn(String method, Bytes.Call<T> call) throws InterruptedException {
        CompletableFuture<T> future = new CompletableFuture<>();
        Thread thread = Thread.ofPlatform().daemon().start(() -> {
            try {
                future.complete(call.make());
            } catch (Throwable t) {
                future.completeExceptionally(t);
            }
        });
        Stage.await(method, () -> {
            StackTraceElement[] stack = thread.getStackTrace();
            return stack.length > 0 && stack[0].getMethodName().equals(method) || future.isDone();
        });
        return future;
    }

    private static void same(byte[] actual, byte[] expected, int length) {
        assertThat(actual.length).isEqualTo(length);
        assertThat(Arrays.mismatch(actual, 0, length, expected, 0, length))
                .as("first wrong byte")
                .isEqualTo(-1);
    }

    @Test
    @DisplayName("A thread blocked in read() on the source gets what it waits for, and the transfer copies the rest")
    void aReaderOfTheSourceIsServedFirst() throws Exception {
        try (JdkPair in = JdkPair.open();
                Pair out = Pair.open(Pair.Kind.TCP)) {
            ByteBuffer taken = ByteBuffer.allocate(1000);
            CompletableFuture<Integer> reader =
                    blockedIn("read0", () -> in.near().read(taken));
            CompletableFuture<byte[]> received = Bytes.async(() -> Bytes.readAll(out.far()));
            Transfer transfer = Pipeline.from(in.near()).start(out.near());
            Bytes.write(in.far(), DATA, 100_000);
            in.far().shutdownOutput();
            TransferResult result = transfer.await();
            out.near().shutdownOutput();
            int first = Stage.get(reader);
            assertThat(result.route()).isEqualTo(Route.COPY);
            assertThat(result.reason())
                    .isEqualTo("the source is a JDK channel that somebody else is reading or writing");
            same(taken.array(), DATA, first);
            same(Stage.get(received), Arrays.copyOfRange(DATA, first, DATA.length), DATA.length - first);
        }
    }

    @Test
    @DisplayName(
            "A thread that reads the source during the transfer gets bytes that the sink then does not get, and no others")
    void aSecondReaderOfTheSource() throws Exception {
        try (JdkPair in = JdkPair.open();
                Pair out = Pair.open(Pair.Kind.TCP)) {
            CompletableFuture<byte[]> received = Bytes.async(() -> Bytes.readAll(out.far()));
            Transfer transfer = Pipeline.from(in.near()).route(Route.SPLICE).start(out.near());
            List<byte[]> taken = new ArrayList<>();
            CompletableFuture<Object> thief = Bytes.platform(() -> {
                ByteBuffer buffer = ByteBuffer.allocate(5000);
                while (in.near().read(buffer.clear()) >= 0) {
                    taken.add(Arrays.copyOf(buffer.array(), buffer.position()));
                }
                return null;
            });
            Bytes.write(in.far(), DATA, 100_000);
            in.far().shutdownOutput();
            TransferResult result = transfer.await();
            out.near().shutdownOutput();
            Stage.get(thief);
            assertThat(result.route()).isEqualTo(Route.SPLICE);
            byte[] rest = without(DATA, taken);
            System.out.println(DATA.length - rest.length + " bytes were read by the second reader");
            same(Stage.get(received), rest, rest.length);
            assertThat(result.bytes()).isEqualTo(rest.length);
        }
    }

    /** The bytes without some parts of theirs, which come in order and are found by their random content. */
    private static byte[] without(byte[] bytes, List<byte[]> parts) {
        ByteArrayOutputStream rest = new ByteArrayOutputStream();
        int at = 0;
        for (byte[] part : parts) {
            int found = at;
            while (found + part.length <= bytes.length
                    && Arrays.mismatch(bytes, found, found + part.length, part, 0, part.length) >= 0) {
                found++;
            }
            assertThat(found + part.length).as("bytes of nobody's").isLessThanOrEqualTo(bytes.length);
            rest.write(bytes, at, found - at);
            at = found + part.length;
        }
        rest.write(bytes, at, bytes.length - at);
        return rest.toByteArray();
    }

    @Test
    @DisplayName(
            "What another thread writes to the sink during the transfer arrives once, in order, among the transfer's bytes")
    void aSecondWriterToTheSink() throws Exception {
        byte[] own = DATA.clone();
        byte[] other = Arrays.copyOf(DATA, 100_000);
        for (int i = 0; i < own.length; i++) {
            own[i] &= 0x7f;
        }
        for (int i = 0; i < other.length; i++) {
            other[i] |= (byte) 0x80;
        }
        try (Pair in = Pair.open(Pair.Kind.TCP);
                JdkPair out = JdkPair.open()) {
            CompletableFuture<byte[]> received = Bytes.async(() -> Bytes.readAll(out.far()));
            Transfer transfer = Pipeline.from(in.far()).route(Route.SPLICE).start(out.near());
            CompletableFuture<Object> writer = Bytes.platform(() -> {
                Bytes.write(out.near(), other, 500);
                return null;
            });
            Bytes.write(in.near(), own, 100_000);
            in.near().shutdownOutput();
            assertThat(transfer.await().bytes()).isEqualTo(own.length);
            Stage.get(writer);
            out.near().shutdownOutput();
            ByteArrayOutputStream low = new ByteArrayOutputStream();
            ByteArrayOutputStream high = new ByteArrayOutputStream();
            for (byte b : Stage.get(received)) {
                (b >= 0 ? low : high).write(b);
            }
            same(low.toByteArray(), own, own.length);
            same(high.toByteArray(), other, other.length);
        }
    }

    @Test
    @DisplayName("J7: a channel registered with the user's selector is spliced, and its key is what it was afterwards")
    void aRegisteredChannel() throws Exception {
        try (JdkPair in = JdkPair.open();
                JdkPair out = JdkPair.open();
                Selector selector = Selector.open()) {
            in.near().configureBlocking(false);
            out.near().configureBlocking(false);
            SelectionKey source = in.near().register(selector, SelectionKey.OP_READ, "source");
            SelectionKey sink = out.near().register(selector, SelectionKey.OP_WRITE | SelectionKey.OP_READ, "sink");
            AtomicInteger selections = new AtomicInteger();
            AtomicBoolean stop = new AtomicBoolean();
            CompletableFuture<Object> selecting = Bytes.platform(() -> {
                do {
                    selector.select(1000);
                    selector.selectedKeys().clear();
                    selections.incrementAndGet();
                } while (!stop.get());
                return null;
            });
            CompletableFuture<byte[]> received = Bytes.async(() -> Bytes.readAll(out.far()));
            CompletableFuture<Object> fed = Bytes.async(() -> {
                Bytes.write(in.far(), DATA, 100_000);
                return null;
            });
            TransferResult result = Pipeline.from(in.near())
                    .route(Route.SPLICE)
                    .limit(DATA.length)
                    .to(out.near());
            stop.set(true);
            selector.wakeup();
            Stage.get(selecting);
            Stage.get(fed);

            assertThat(result.route()).as(result.reason()).isEqualTo(Route.SPLICE);
            assertThat(source.isValid() && sink.isValid()).isTrue();
            assertThat(source.interestOps()).isEqualTo(SelectionKey.OP_READ);
            assertThat(sink.interestOps()).isEqualTo(SelectionKey.OP_WRITE | SelectionKey.OP_READ);
            assertThat(source.attachment()).isEqualTo("source");
            assertThat(selector.keys()).containsExactlyInAnyOrder(source, sink);
            assertThat(in.near().keyFor(selector)).isSameAs(source);
            assertThat(in.near().isBlocking()).isFalse();
            assertThat(selections.get()).isPositive();

            // It still tells what is ready, and the channel still gives it.
            sink.interestOps(0);
            selector.selectedKeys().clear();
            assertThat(selector.selectNow()).isZero();
            in.far().write(ByteBuffer.wrap(new byte[] {42}));
            assertThat(selector.select(10_000)).isOne();
            assertThat(selector.selectedKeys()).containsExactly(source);
            ByteBuffer one = ByteBuffer.allocate(2);
            assertThat(in.near().read(one)).isOne();
            assertThat(one.get(0)).isEqualTo((byte) 42);
            out.near().shutdownOutput();
            same(Stage.get(received), DATA, DATA.length);
        }
    }

    /** The ways that a transfer can end. */
    enum Ending {
        SUCCESS,
        LIMIT,
        SINK_RESET,
        OTHER_CLOSED,
        CANCELLED,
        DEADLINE,
        INTERRUPTED
    }

    @ParameterizedTest
    @EnumSource(Ending.class)
    @DisplayName("Both channels have their mode and their O_NONBLOCK again, however the transfer ends")
    void modesComeBack(Ending ending) throws Exception {
        for (boolean blocking : new boolean[] {true, false}) {
            try (JdkPair in = JdkPair.open();
                    JdkPair out = JdkPair.open()) {
                in.near().configureBlocking(blocking);
                out.near().configureBlocking(blocking);
                Integer fd = descriptor(in.near());
                end(ending, in, out);
                assertThat(in.near().isOpen()).isTrue();
                assertThat(in.near().isBlocking()).isEqualTo(blocking);
                assertThat(descriptorIsBlocking(fd)).isEqualTo(blocking);
                if (ending != Ending.OTHER_CLOSED) {
                    assertThat(out.near().isOpen()).isTrue();
                    assertThat(out.near().isBlocking()).isEqualTo(blocking);
                }
            }
        }
    }

    private static void end(Ending ending, JdkPair in, JdkPair out) throws Exception {
        Pipeline pipeline = Pipeline.from(in.near()).route(Route.SPLICE);
        Bytes.write(in.far(), Arrays.copyOf(DATA, 20_000), 20_000);
        switch (ending) {
            case SUCCESS -> {
                in.far().shutdownOutput();
                assertThat(pipeline.to(out.near()).bytes()).isEqualTo(20_000);
                return;
            }
            case LIMIT -> {
                assertThat(pipeline.limit(10_000).to(out.near()).bytes()).isEqualTo(10_000);
                return;
            }
            case DEADLINE -> pipeline.timeout(Duration.ofMillis(50));
            default -> {}
        }
        if (ending == Ending.CANCELLED) {
            Transfer started = pipeline.start(out.near());
            Stage.await("bytes", () -> started.bytes() == 20_000);
            started.cancel();
            failedWith(Reason.CANCELLED, Bytes.async(started::await));
            return;
        }
        AtomicReference<Thread> caller = new AtomicReference<>();
        CompletableFuture<TransferResult> transfer = Bytes.async(() -> {
            caller.set(Thread.currentThread());
            try {
                return pipeline.to(out.near());
            } finally {
                assertThat(Thread.currentThread().isInterrupted()).isEqualTo(ending == Ending.INTERRUPTED);
            }
        });
        same(Bytes.read(out.far(), 20_000), DATA, 20_000);
        switch (ending) {
            case SINK_RESET -> {
                out.far().setOption(StandardSocketOptions.SO_LINGER, 0);
                out.far().close();
                Bytes.write(in.far(), DATA, 100_000);
            }
            case OTHER_CLOSED -> out.near().close();
            case INTERRUPTED -> caller.get().interrupt();
            default -> {}
        }
        Reason reason = switch (ending) {
            case SINK_RESET -> Reason.FAILED;
            case OTHER_CLOSED -> Reason.CLOSED;
            default -> Reason.valueOf(ending.name());
        };
        failedWith(reason, transfer);
    }

    private static void failedWith(Reason reason, CompletableFuture<TransferResult> transfer) throws Exception {
        TransferException e = Stage.failure(transfer, TransferException.class);
        assertThat(e.reason()).isEqualTo(reason);
        assertThat(e.accepted()).isGreaterThanOrEqualTo(20_000);
    }

    /** The number of the channel's descriptor, by the inode of what an adoption finds. */
    private static Integer descriptor(SocketChannel channel) throws Exception {
        Adoption adoption = Adoption.of(channel, Adoption.Way.READ);
        try {
            long inode = Files.status(adoption.descriptor().fd()).inode();
            for (int fd = 0; ; fd++) {
                Files.Status status = Files.status(fd);
                if (fd != adoption.descriptor().fd() && status != null && status.inode() == inode) {
                    return fd;
                }
            }
        } finally {
            adoption.leave();
        }
    }

    private static boolean descriptorIsBlocking(int fd) {
        return (Files.flags(fd) & Files.O_NONBLOCK) == 0;
    }

    @ParameterizedTest
    @EnumSource(
            value = Route.class,
            names = {"SPLICE", "COPY"})
    @DisplayName(
            "J7: whoever makes a channel blocking during its transfer blocks no event loop, and so nobody else's transfer")
    void blockingModeDuringTheTransfer(Route route) throws Exception {
        try (JdkPair in = JdkPair.open();
                JdkPair out = JdkPair.open()) {
            in.near().configureBlocking(false);
            out.near().configureBlocking(false);
            Transfer transfer = Pipeline.from(in.near()).route(route).start(out.near());
            Bytes.write(in.far(), Arrays.copyOf(DATA, 20_000), 20_000);
            same(Bytes.read(out.far(), 20_000), DATA, 20_000);
            in.near().configureBlocking(true);
            out.near().configureBlocking(true);
            // More than the sink's buffers take: a blocking loop would hang in the sink, or after it in the source.
            Stage.Feeder feeder = new Stage.Feeder(in.far(), Arrays.copyOfRange(DATA, 20_000, DATA.length), 100_000);
            Stage.awaitStill(transfer::bytes);
            othersGoOn();
            byte[] received = Stage.get(Bytes.async(() -> Bytes.read(out.far(), DATA.length - 20_000)));
            same(received, Arrays.copyOfRange(DATA, 20_000, DATA.length), received.length);
            Stage.get(feeder.done);
            othersGoOn();
            in.far().shutdownOutput();
            assertThat(transfer.await().bytes()).isEqualTo(DATA.length);
            assertThat(in.near().isBlocking()).isTrue();
        }
    }

    /** A transfer on each of the loops. */
    private static void othersGoOn() throws Exception {
        List<CompletableFuture<Object>> others = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            others.add(Bytes.async(() -> {
                try (Pair in = Pair.open(Pair.Kind.TCP);
                        Pair out = Pair.open(Pair.Kind.TCP)) {
                    Bytes.write(in.near(), Arrays.copyOf(DATA, 20_000), 20_000);
                    in.near().shutdownOutput();
                    Pipeline.from(in.far()).to(out.near());
                    same(Bytes.read(out.far(), 20_000), DATA, 20_000);
                    return null;
                }
            }));
        }
        for (CompletableFuture<Object> other : others) {
            Stage.get(other);
        }
    }

    @Test
    @DisplayName("An interrupt ends a spliced transfer and leaves the JDK's channels open")
    void interruptClosesNothing() throws Exception {
        try (JdkPair in = JdkPair.open();
                JdkPair out = JdkPair.open()) {
            Parked<TransferResult> transfer = Parked.platform(
                    () -> Pipeline.from(in.near()).route(Route.SPLICE).to(out.near()));
            transfer.thread().interrupt();
            TransferException e = (TransferException) transfer.failure();
            assertThat(e.reason()).isEqualTo(Reason.INTERRUPTED);
            in.far().write(ByteBuffer.wrap(new byte[] {7}));
            assertThat(in.near().read(ByteBuffer.allocate(2))).isOne();
        }
    }
}
