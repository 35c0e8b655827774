package dev.sluice.traps;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.io.Endpoint;
import dev.sluice.net.StreamListener;
import dev.sluice.net.StreamSocket;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.Child;
import dev.sluice.testkit.LeakCheck;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.random.RandomGenerator;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** What a transfer really asks the kernel for, seen from outside. */
@ExtendWith(LeakCheck.class)
@Timeout(120)
class SyscallCensusTest {
    private static final long MEBIBYTES = Long.getLong("sluice.test.censusMebibytes", 256);
    private static final List<String> COPYING = List.of(
            "read", "readv", "pread64", "recvfrom", "recvmsg", "write", "writev", "pwrite64", "sendto", "sendmsg");

    @BeforeAll
    static void straceWorks() {
        Trace.assumePossible();
    }

    @Test
    @DisplayName(
            "S17, S21, S37: the camera recipe by splice moves no payload through memory, and touches the file off the loop")
    void noPayloadThroughMemory(@TempDir Path directory) throws Exception {
        Path log = directory.resolve("trace");
        Path recording = directory.resolve("recording");
        long length = MEBIBYTES << 20;
        try (StreamListener camera = StreamListener.listen(new Endpoint.Tcp("127.0.0.1", 0));
                StreamListener client = StreamListener.listen(new Endpoint.Tcp("127.0.0.1", 0))) {
            List<String> command = Child.command(
                    Trace.prefix(log, String.join(",", COPYING) + ",splice,tee,sendfile"),
                    List.of(),
                    Mover.class,
                    "source=" + camera.endpoint(),
                    "sink=" + client.endpoint(),
                    "mirror=" + recording,
                    "route=SPLICE");
            CompletableFuture<Child> child = Bytes.platform(() -> Child.run(command));
            CompletableFuture<Long> sent = Bytes.platform(() -> send(camera, length));
            CompletableFuture<Long> received = Bytes.platform(() -> receive(client, length));
            Child end = child.get(100, TimeUnit.SECONDS);
            assertThat(end.exit()).as(end.toString()).isZero();
            assertThat(end.out()).contains("bytes=" + length).contains("route=SPLICE");
            assertThat(Stage.get(received)).isEqualTo(Stage.get(sent));
            assertThat(crc(recording)).isEqualTo(Stage.get(sent));
        }
        Trace trace = Trace.read(log);
        long copied = 0;
        for (String name : COPYING) {
            for (Trace.Call call : trace.named(name)) {
                boolean payload =
                        call.onSocket(0) || call.arguments().getFirst().contains(recording.toString());
                copied += payload ? call.result() : 0;
            }
        }
        long intoSocket = 0;
        long intoFile = 0;
        for (Trace.Call call : trace.named("splice")) {
            intoSocket += call.onSocket(2) ? call.result() : 0;
            if (call.arguments().get(2).contains(recording.toString())) {
                intoFile += call.result();
                assertThat(call.thread()).startsWith("sluice-file-");
            }
        }
        long teed = trace.named("tee").stream().mapToLong(Trace.Call::result).sum();
        System.out.println("census: " + trace.named("splice").size() + " splices, "
                + trace.named("tee").size() + " tees, " + copied + " bytes through memory");
        assertThat(intoSocket).isEqualTo(length);
        assertThat(intoFile).isEqualTo(length);
        assertThat(teed).as("teed exactly once").isEqualTo(length);
        assertThat(copied).isLessThan(64 * 1024);
    }

    private static long send(StreamListener listener, long length) throws Exception {
        CRC32C crc = new CRC32C();
        ByteBuffer block = ByteBuffer.allocateDirect(1 << 20).put(Bytes.random(5, 1 << 20));
        try (StreamSocket socket = listener.accept()) {
            for (long at = 0; at < length; at += block.capacity()) {
                block.putLong(0, at).clear();
                crc.update(block.duplicate());
                socket.write(block);
            }
        }
        return crc.getValue();
    }

    private static long receive(StreamListener listener, long length) throws Exception {
        CRC32C crc = new CRC32C();
        ByteBuffer block = ByteBuffer.allocateDirect(1 << 20);
        try (StreamSocket socket = listener.accept()) {
            while (socket.read(block.clear()) >= 0) {
                crc.update(block.flip());
            }
        }
        return crc.getValue();
    }

    private static long crc(Path file) throws Exception {
        CRC32C crc = new CRC32C();
        try (var in = Files.newInputStream(file)) {
            byte[] block = new byte[1 << 20];
            int count;
            while ((count = in.read(block)) > 0) {
                crc.update(block, 0, count);
            }
        }
        return crc.getValue();
    }

    @Test
    @DisplayName(
            "S3, S4, S5, S35: splice is never told to cork, always not to block, and to move exactly what is in the pipe")
    void lengthsAndFlags(@TempDir Path directory) throws Exception {
        Path log = directory.resolve("trace");
        RandomGenerator random = Bytes.generator(11);
        try (StreamListener left = StreamListener.listen(new Endpoint.Tcp("127.0.0.1", 0));
                StreamListener right = StreamListener.listen(new Endpoint.Tcp("127.0.0.1", 0))) {
            List<String> command = Child.command(
                    Trace.prefix(log, "pipe2,splice,tee,close"),
                    List.of(),
                    Mover.class,
                    "join=" + left.endpoint(),
                    "join=" + right.endpoint(),
                    "route=SPLICE");
            CompletableFuture<Child> child = Bytes.platform(() -> Child.run(command));
            try (StreamSocket client = left.accept();
                    StreamSocket server = right.accept()) {
                for (int i = 0; i < 300; i++) {
                    StreamSocket from = random.nextBoolean() ? client : server;
                    byte[] message = Bytes.random(i, 1 + random.nextInt(i % 10 == 0 ? 100_000 : 256));
                    CompletableFuture<Object> sent = Bytes.async(() -> {
                        Bytes.write(from, message, 1448);
                        return null;
                    });
                    assertThat(Bytes.read(from == client ? server : client, message.length))
                            .isEqualTo(message);
                    Stage.get(sent);
                }
                byte[] bulk = Bytes.random(12, 16 << 20);
                Stage.Feeder feeder = new Stage.Feeder(client, bulk, 1 << 20);
                feeder.awaitStalled();
                assertThat(Bytes.read(server, bulk.length)).isEqualTo(bulk);
                Stage.get(feeder.done);
            }
            Child end = child.get(60, TimeUnit.SECONDS);
            assertThat(end.exit()).as(end.toString()).isZero();
        }
        checkPipes(Trace.read(log));
    }

    /** Follows every pipe's content through the trace. */
    private static void checkPipes(Trace trace) {
        Map<Integer, long[]> pipes = new HashMap<>();
        List<String> wrong = new ArrayList<>();
        int out = 0;
        for (Trace.Call call : trace.calls()) {
            switch (call.name()) {
                case "pipe2" -> {
                    String[] ends = call.arguments()
                            .getFirst()
                            .replaceAll("<[^>]*>|[\\[\\]]", "")
                            .split(", *");
                    long[] inside = new long[1];
                    pipes.put(Integer.parseInt(ends[0]), inside);
                    pipes.put(Integer.parseInt(ends[1]), inside);
                }
                case "close" -> pipes.remove(call.fd(0));
                case "splice" -> {
                    String flags = call.arguments().get(5);
                    if (flags.contains("SPLICE_F_MORE") || !flags.contains("SPLICE_F_NONBLOCK")) {
                        wrong.add("flags of " + call);
                    }
                    long moved = Math.max(0, call.result());
                    long[] to = pipes.get(call.fd(2));
                    if (to != null) {
                        if (to[0] != 0) {
                            wrong.add(to[0] + " bytes inside before " + call);
                        }
                        if (moved > 1 << 20) {
                            wrong.add("more than a pipe holds: " + call);
                        }
                        to[0] += moved;
                    }
                    long[] from = pipes.get(call.fd(0));
                    if (from != null) {
                        out++;
                        if (Long.parseLong(call.arguments().get(4)) != from[0]) {
                            wrong.add(from[0] + " bytes inside, but " + call);
                        }
                        from[0] -= moved;
                    }
                }
                default -> {
                    // A tee takes nothing out, and nobody teed here.
                }
            }
        }
        System.out.println(out + " splices out of pipes were checked");
        assertThat(wrong).isEmpty();
        assertThat(out).isGreaterThan(300);
    }
}
