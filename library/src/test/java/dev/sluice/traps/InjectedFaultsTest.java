package dev.sluice.traps;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.io.Endpoint;
import dev.sluice.net.StreamListener;
import dev.sluice.net.StreamSocket;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.Child;
import dev.sluice.testkit.LeakCheck;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Errors that the kernel may give at any time, injected into a child JVM. EAGAIN is not among them: on a descriptor that
 * is ready it would be a lie that no edge ever corrects.
 */
@ExtendWith(LeakCheck.class)
@Timeout(90)
class InjectedFaultsTest {
    private static final byte[] DATA = Bytes.random(14, 4 << 20);

    @BeforeAll
    static void straceWorks() {
        Trace.assumePossible();
    }

    private static Child mover(Path log, String fault, String... arguments) throws Exception {
        String call = fault.substring(0, fault.indexOf(':'));
        List<String> prefix = Trace.prefix(log, call, "-e", "inject=" + fault);
        Child child = Child.run(Child.command(prefix, List.of(), Mover.class, arguments));
        assertThat(Files.readString(log, java.nio.charset.StandardCharsets.ISO_8859_1))
                .as("the fault was injected")
                .contains("(INJECTED)");
        return child;
    }

    @ParameterizedTest(name = "{0} {1}")
    @CsvSource({
        "splice:error=EINTR:when=3+7, SPLICE",
        "splice:error=ENOMEM:when=4, SPLICE",
        "splice:error=EINVAL:when=5, SPLICE",
        "tee:error=EINTR:when=1+2, SPLICE",
        "tee:error=ENOMEM:when=2+3, SPLICE",
        "tee:error=EINVAL:when=1, SPLICE",
        "pipe2:error=EMFILE, SPLICE",
        "fcntl:error=EPERM:when=2+2, SPLICE",
        "epoll_wait:error=EINTR:when=1+2, SPLICE",
        "sendto:error=EINTR:when=1+2, COPY"
    })
    @DisplayName("S8, S9, S14, S21, S22, S26: the camera recipe delivers every byte in spite of")
    void cameraRecipeSurvives(String fault, String route, @TempDir Path directory) throws Exception {
        Path recording = directory.resolve("recording");
        try (StreamListener camera = StreamListener.listen(new Endpoint.Tcp("127.0.0.1", 0));
                StreamListener client = StreamListener.listen(new Endpoint.Tcp("127.0.0.1", 0));
                StreamListener other = StreamListener.listen(new Endpoint.Tcp("127.0.0.1", 0))) {
            CompletableFuture<Child> child = Bytes.platform(() -> mover(
                    directory.resolve("log"),
                    fault,
                    "source=" + camera.endpoint(),
                    "sink=" + client.endpoint(),
                    "mirror=" + recording,
                    "mirror=" + other.endpoint(),
                    "route=" + route));
            CompletableFuture<Object> sent = Bytes.async(() -> send(camera));
            CompletableFuture<byte[]> received = Bytes.async(() -> receive(client));
            CompletableFuture<byte[]> mirrored = Bytes.async(() -> receive(other));
            Child end = child.get(80, TimeUnit.SECONDS);
            assertThat(end.exit()).as(end.toString()).isZero();
            assertComplete("sink", Stage.get(received));
            assertComplete("socket mirror", Stage.get(mirrored));
            assertComplete("file mirror", Files.readAllBytes(recording));
            Stage.get(sent);
        }
    }

    @ParameterizedTest(name = "{0}, expected: {1}")
    @CsvSource({
        "splice:error=EIO:when=5, splice: EIO",
        "epoll_ctl:error=ENOSPC:when=2, ENOSPC",
        "eventfd2:error=EMFILE, EMFILE"
    })
    @DisplayName("S10, S17: an error that nothing can be done about is named, and what was delivered is a prefix")
    void failureIsNamed(String fault, String named, @TempDir Path directory) throws Exception {
        Path recording = directory.resolve("recording");
        try (StreamListener camera = StreamListener.listen(new Endpoint.Tcp("127.0.0.1", 0));
                StreamListener client = StreamListener.listen(new Endpoint.Tcp("127.0.0.1", 0))) {
            CompletableFuture<Child> child = Bytes.platform(() -> mover(
                    directory.resolve("log"),
                    fault,
                    "source=" + camera.endpoint(),
                    "sink=" + client.endpoint(),
                    "mirror=" + recording));
            CompletableFuture<Object> sent = Bytes.async(() -> send(camera));
            CompletableFuture<byte[]> received = Bytes.async(() -> receive(client));
            Child end = child.get(80, TimeUnit.SECONDS);
            assertThat(end.exit()).as(end.toString()).isNotZero();
            assertThat(end.out() + end.err()).contains(named);
            // A child that could not even connect was never accepted.
            camera.close();
            client.close();
            byte[] prefix = Stage.get(received.exceptionally(e -> new byte[0]));
            assertThat(prefix).isEqualTo(Arrays.copyOf(DATA, prefix.length));
            if (end.exit() == Mover.FAILED) {
                assertThat(end.out()).contains("accepted=" + prefix.length + " ");
            }
            sent.exceptionally(e -> null).get(20, TimeUnit.SECONDS);
        }
    }

    @ParameterizedTest(name = "{0} by {1}")
    @CsvSource({
        "copy_file_range:error=EXDEV:when=1, COPY_FILE_RANGE",
        "copy_file_range:error=EINVAL:when=3, COPY_FILE_RANGE",
        "sendfile:error=EINVAL:when=2, SENDFILE",
        "sendfile:error=EINTR:when=1+2, SENDFILE",
        "splice:retval=0:when=3, SPLICE",
        "splice:error=EAGAIN:when=3, SPLICE",
        "sendfile:retval=0:when=2, SENDFILE",
        "copy_file_range:retval=0:when=3, COPY_FILE_RANGE"
    })
    @DisplayName("S8, S14, S15: a file is copied whole in spite of")
    void fileCopySurvives(String fault, String route, @TempDir Path directory) throws Exception {
        Path from = Files.write(directory.resolve("from"), DATA);
        Path to = directory.resolve("to");
        Child end = mover(directory.resolve("log"), fault, "source=" + from, "sink=" + to, "route=" + route);
        assertThat(end.exit()).as(end.toString()).isZero();
        assertComplete("copy", Files.readAllBytes(to));
    }

    private static void assertComplete(String what, byte[] bytes) {
        assertThat(bytes).as(what).hasSize(DATA.length);
        assertThat(Arrays.mismatch(bytes, DATA)).as(what + ": first wrong byte").isEqualTo(-1);
    }

    private static Object send(StreamListener listener) throws IOException {
        try (StreamSocket socket = listener.accept()) {
            Bytes.write(socket, DATA, 50_000);
            return socket.shutdownOutput();
        }
    }

    private static byte[] receive(StreamListener listener) throws IOException {
        List<byte[]> all = new ArrayList<>();
        try (StreamSocket socket = listener.accept()) {
            all.add(Bytes.readAll(socket));
        }
        return all.getFirst();
    }
}
