package dev.sluice.traps;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.Pipeline;
import dev.sluice.file.KernelFile;
import dev.sluice.io.Endpoint;
import dev.sluice.io.Route;
import dev.sluice.io.TransferException;
import dev.sluice.net.StreamListener;
import dev.sluice.net.StreamSocket;
import dev.sluice.pipe.KernelPipe;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.Child;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Pair;
import dev.sluice.testkit.Parked;
import java.io.IOException;
import java.io.InputStream;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousCloseException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Cases of Go's tests and issues about splice and sendfile that no other class has. */
@ExtendWith(LeakCheck.class)
@Timeout(90)
class GoCasesTest {
    private static final byte[] DATA = Bytes.random(59_041, 3 << 20);

    @ParameterizedTest(name = "{0} to {1}")
    @CsvSource({"tcp, tcp", "unix, tcp", "tcp, unix", "unix, unix", "tcp, /dev/null", "unix, /dev/null"})
    @DisplayName("TestSplice: splice is called, and nothing else carries the bytes, for every pair of kinds:")
    void spliceCarriesEverything(String from, String to, @TempDir Path directory) throws Exception {
        Trace.assumePossible();
        Path log = directory.resolve("trace");
        boolean received = !to.startsWith("/");
        try (StreamListener source = listen(from, directory.resolve("source"));
                StreamListener sink = listen(received ? to : "tcp", directory.resolve("sink"))) {
            List<String> command = Child.command(
                    Trace.prefix(log, "splice,sendto,write,read,recvfrom"),
                    List.of(),
                    Mover.class,
                    "source=" + source.endpoint(),
                    "sink=" + (received ? sink.endpoint() : to),
                    "route=SPLICE");
            CompletableFuture<Child> child = Bytes.platform(() -> Child.run(command));
            CompletableFuture<Object> sent = Bytes.async(() -> send(source));
            if (received) {
                byte[] arrived = Stage.get(Bytes.async(() -> {
                    try (StreamSocket socket = sink.accept()) {
                        return Bytes.readAll(socket);
                    }
                }));
                assertThat(Arrays.mismatch(arrived, DATA)).isEqualTo(-1);
            }
            Child end = child.get(80, TimeUnit.SECONDS);
            assertThat(end.exit()).as(end.toString()).isZero();
            Stage.get(sent);
        }
        Trace trace = Trace.read(log);
        long in = trace.named("splice").stream()
                .filter(call -> onSide(call, 0))
                .mapToLong(Trace.Call::result)
                .sum();
        long out = trace.named("splice").stream()
                .filter(call -> onSide(call, 2))
                .mapToLong(Trace.Call::result)
                .sum();
        assertThat(in).as("spliced from the source").isEqualTo(DATA.length);
        assertThat(out).as("spliced into the sink").isEqualTo(DATA.length);
        for (String name : List.of("sendto", "write", "read", "recvfrom")) {
            assertThat(trace.named(name)).noneMatch(call -> onSide(call, 0) && call.result() > 1);
        }
    }

    private static boolean onSide(Trace.Call call, int argument) {
        String text = call.arguments().get(argument);
        return text.contains("<TCP:") || text.contains("<UNIX") || text.contains("/dev/null");
    }

    private static StreamListener listen(String kind, Path path) throws IOException {
        return StreamListener.listen(
                kind.equals("unix") ? new Endpoint.Unix(path.toString()) : new Endpoint.Tcp("127.0.0.1", 0));
    }

    private static Object send(StreamListener listener) throws IOException {
        try (StreamSocket socket = listener.accept()) {
            Bytes.write(socket, DATA, 50_000);
            return socket.shutdownOutput();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"SOCK_SEQPACKET", "SOCK_DGRAM"})
    @DisplayName(
            "S31 (testSpliceNoUnixpacket, NoUnixgram): a socket whose messages have bounds is no stream, and refused")
    void messagesAreNoStream(String type, @TempDir Path directory) throws Exception {
        Assumptions.assumeTrue(
                Child.has("python3", "-c", "import socket"), "python3 is not there to hand a socket to a child");
        String parent = "import os,socket,sys; a,b=socket.socketpair(socket.AF_UNIX,socket." + type + ");"
                + "[os.set_inheritable(s.fileno(),True) for s in (a,b)]; b.send(b'message');"
                + "os.execv(sys.argv[1], sys.argv[1:]+['source=fd:%d' % a.fileno(), 'sink=" + directory + "/sink'])";
        Child child = Child.run(Child.command(List.of("python3", "-c", parent), List.of(), Mover.class));
        assertThat(child.exit()).isNotZero();
        assertThat(child.err()).contains("fd:").contains("not a stream socket");
    }

    @Test
    @DisplayName(
            "golang/go#59041 (TestCopyUnixToStdout): 100 writes of 1024 bytes from a Unix socket to the standard output")
    void unixToStandardOutput(@TempDir Path directory) throws Exception {
        byte[] data = Arrays.copyOf(DATA, 100 * 1024);
        try (StreamListener source = listen("unix", directory.resolve("source"))) {
            Process process = new ProcessBuilder(Child.command(
                            List.of(), List.of(), Mover.class, "source=" + source.endpoint(), "sink=/dev/stdout"))
                    .redirectError(ProcessBuilder.Redirect.DISCARD)
                    .start();
            CompletableFuture<Object> sent = Bytes.async(() -> {
                try (StreamSocket socket = source.accept()) {
                    Bytes.write(socket, data, 1024);
                }
                return null;
            });
            try (InputStream out = process.getInputStream()) {
                byte[] heard = Stage.get(Bytes.platform(out::readAllBytes));
                // The mover's own words follow.
                assertThat(heard.length).isGreaterThan(data.length);
                assertThat(Arrays.mismatch(heard, 0, data.length, data, 0, data.length))
                        .isEqualTo(-1);
            } finally {
                process.destroyForcibly().waitFor();
            }
            Stage.get(sent);
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = Route.class,
            names = {"SENDFILE", "SPLICE", "COPY"})
    @DisplayName("golang/go#43822: after the deadline nothing more is sent by another route, and the account is exact")
    void nothingIsSentAfterTheDeadline(Route route, @TempDir Path directory) throws Exception {
        try (Pair pair = Pair.open(Pair.Kind.TCP);
                KernelFile file = KernelFile.open(Files.write(directory.resolve("file"), DATA))) {
            byte[] before = fill(pair.near());
            TransferException deadline = Stage.failure(
                    Bytes.async(() -> Pipeline.from(file)
                            .route(route)
                            .timeout(Duration.ofMillis(100))
                            .to(pair.near())),
                    TransferException.class);
            assertThat(deadline.reason()).isEqualTo(TransferException.Reason.DEADLINE);
            int accepted = (int) deadline.accepted();
            byte[] residue = Stage.bytes(deadline.residue());
            assertThat(file.position()).isEqualTo(accepted + residue.length);
            assertThat(residue).isEqualTo(Arrays.copyOfRange(DATA, accepted, accepted + residue.length));
            pair.near().shutdownOutput();
            byte[] arrived = Stage.get(Bytes.async(() -> Bytes.readAll(pair.far())));
            assertThat(arrived.length).isEqualTo(before.length + accepted);
            assertThat(Arrays.mismatch(arrived, before.length, arrived.length, DATA, 0, accepted))
                    .isEqualTo(-1);
        }
    }

    private static byte[] fill(StreamSocket socket) throws IOException {
        socket.writeTimeout(Duration.ofMillis(300));
        ByteBuffer zeros = ByteBuffer.allocate(64 << 20);
        try {
            socket.write(zeros);
        } catch (SocketTimeoutException e) {
            // Full.
        }
        return new byte[zeros.position()];
    }

    @Test
    @DisplayName("J7 (TestSendfilePipe): a file that went into a pipe leaves it non-blocking; who waits can be woken")
    void pipeStaysNonBlocking(@TempDir Path directory) throws Exception {
        byte[] little = Arrays.copyOf(DATA, 3000);
        for (Route route : List.of(Route.SENDFILE, Route.SPLICE, Route.COPY)) {
            try (KernelPipe pipe = KernelPipe.open();
                    KernelFile file = KernelFile.open(Files.write(directory.resolve("file"), little))) {
                Pipeline.from(file).route(route).to(pipe.sink());
                assertThat(Bytes.read(pipe.source(), little.length)).isEqualTo(little);
                Parked<Integer> reader = Parked.virtual(() -> pipe.read(ByteBuffer.allocate(1)));
                pipe.close();
                assertThat(reader.failure()).isInstanceOf(AsynchronousCloseException.class);
            }
        }
    }
}
