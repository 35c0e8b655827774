package dev.sluice.net;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.sluice.internal.linux.Errno;
import dev.sluice.io.Endpoint;
import dev.sluice.io.SluiceException;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Means;
import dev.sluice.testkit.Parked;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.SocketTimeoutException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ReadPendingException;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.Timeout.ThreadMode;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Listening, accepting and connecting, for every kind of address, and what they say when it is impossible. */
@ParameterizedClass
@EnumSource(Means.class)
@ExtendWith(LeakCheck.class)
@Timeout(value = 30, threadMode = ThreadMode.SEPARATE_THREAD)
class StreamListenerTest {
    @TempDir
    private Path directory;

    private final Means means;

    StreamListenerTest(Means means) throws IOException {
        this.means = means.orSkip();
    }

    private Endpoint.Unix unix() {
        return new Endpoint.Unix(directory.resolve("socket").toString());
    }

    @Test
    void eachFamilyMayHaveAListenerOfItsOwnOnOnePort() throws Exception {
        try (StreamListener six = means.listen(Endpoint.parse("[::]:0"))) {
            int port = ((Endpoint.Tcp) six.endpoint()).port();
            try (StreamListener four = means.listen(new Endpoint.Tcp("0.0.0.0", port));
                    StreamSocket client = means.connect(new Endpoint.Tcp("127.0.0.1", port));
                    StreamSocket server = four.accept()) {
                assertThat(server.remoteEndpoint()).isEqualTo(client.localEndpoint());
            }
        }
        try (StreamListener both = means.listen(Endpoint.parse(":0"));
                StreamSocket client =
                        means.connect(new Endpoint.Tcp("127.0.0.1", ((Endpoint.Tcp) both.endpoint()).port()));
                StreamSocket server = both.accept()) {
            assertThat(server.remoteEndpoint()).isEqualTo(client.localEndpoint());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"127.0.0.1:0", "[::1]:0", "localhost:0", ":0", "unix:@sluice-listener-test", "unix:PATH"})
    void whoConnectsIsAccepted(String form) throws Exception {
        Endpoint address = form.equals("unix:PATH") ? unix() : Endpoint.parse(form);
        try (StreamListener listener = means.listen(address);
                StreamSocket client = means.connect(listener.endpoint());
                StreamSocket server = listener.accept()) {
            assertThat(Endpoint.parse(listener.endpoint().toString())).isEqualTo(listener.endpoint());
            assertThat(client.remoteEndpoint()).isEqualTo(listener.endpoint());
            assertThat(client.isOpen() && server.isOpen()).isTrue();
            if (client.localEndpoint() instanceof Endpoint.Tcp local && !form.equals(":0")) {
                assertThat(server.remoteEndpoint()).isEqualTo(local);
                assertThat(server.localEndpoint()).isEqualTo(listener.endpoint());
                assertThat(local.port()).isPositive();
            }
            client.write(ByteBuffer.allocate(3));
            assertThat(server.read(ByteBuffer.allocate(9))).isEqualTo(3);
        }
    }

    @Test
    void aListenerWithoutAHostIsReachedByEitherFamily() throws Exception {
        try (StreamListener listener = means.listen(Endpoint.parse(":0"))) {
            int port = ((Endpoint.Tcp) listener.endpoint()).port();
            for (String host : List.of("127.0.0.1", "::1", "")) {
                try (StreamSocket client = means.connect(new Endpoint.Tcp(host, port));
                        StreamSocket server = listener.accept()) {
                    assertThat(((Endpoint.Tcp) server.remoteEndpoint()).port())
                            .isEqualTo(((Endpoint.Tcp) client.localEndpoint()).port());
                    if (!host.equals("::1")) {
                        assertThat(server.remoteEndpoint().toString()).startsWith("tcp:127.0.0.1:");
                    }
                }
            }
        }
    }

    @Test
    void aRefusedConnectionSaysWhereWhyAndWhatToDoInOneLine() throws Exception {
        Endpoint gone;
        try (StreamListener listener = means.listen(Endpoint.parse("127.0.0.1:0"))) {
            gone = listener.endpoint();
        }
        assertThatExceptionOfType(SluiceException.class)
                .isThrownBy(() -> means.connect(gone))
                .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.ECONNREFUSED))
                .satisfies(e -> assertThat(e.call()).isEqualTo("connect"))
                .withMessageStartingWith(gone.toString())
                .withMessageContaining("ECONNREFUSED")
                .withMessageContaining("nobody listens there")
                .satisfies(e -> assertThat(e.getMessage()).doesNotContain("\n"));
    }

    @Test
    void aPathWithoutASocketSaysSo() {
        assertThatExceptionOfType(SluiceException.class)
                .isThrownBy(() -> means.connect(unix()))
                .withMessageStartingWith(unix().toString())
                .withMessageContaining("ENOENT")
                .withMessageContaining("check the path");
    }

    @Test
    void aPortInUseSaysSo() throws Exception {
        try (StreamListener listener = means.listen(Endpoint.parse("127.0.0.1:0"))) {
            assertThatExceptionOfType(SluiceException.class)
                    .isThrownBy(() -> means.listen(listener.endpoint()))
                    .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.EADDRINUSE))
                    .withMessageStartingWith(listener.endpoint().toString())
                    .withMessageContaining("EADDRINUSE")
                    .withMessageContaining("take another port");
        }
    }

    @Test
    void aHostThatNobodyKnowsIsNamed() {
        assertThatExceptionOfType(UnknownHostException.class)
                .isThrownBy(() -> means.listen(new Endpoint.Tcp("no such host.invalid", 0)))
                .withMessageContaining("no such host.invalid");
    }

    @Test
    void thePathOfAUnixListenerIsRemovedWithIt() throws Exception {
        Path path = Path.of(unix().path());
        try (StreamListener listener = means.listen(unix())) {
            assertThat(path).exists();
            assertThat(listener.isOpen()).isTrue();
        }
        assertThat(path).doesNotExist();
    }

    @Test
    void anAbandonedPathIsTakenOver() throws Exception {
        try (var abandoned = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            abandoned.bind(UnixDomainSocketAddress.of(unix().path()));
        }
        assertThat(Path.of(unix().path())).exists();

        try (StreamListener listener = means.listen(unix());
                StreamSocket client = means.connect(unix());
                StreamSocket server = listener.accept()) {
            assertThat(client.isOpen() && server.isOpen()).isTrue();
        }
    }

    @Test
    void aPathThatIsAliveIsNotTakenOver() throws Exception {
        try (StreamListener alive = means.listen(unix())) {
            assertThatExceptionOfType(SluiceException.class)
                    .isThrownBy(() -> means.listen(unix()))
                    .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.EADDRINUSE));
            // The attempt to find out whether it is alive is a connection like any other.
            try (StreamSocket probe = alive.accept()) {
                assertThat(probe.read(ByteBuffer.allocate(1))).isEqualTo(-1);
            }
            try (StreamSocket client = means.connect(unix());
                    StreamSocket server = alive.accept()) {
                assertThat(client.isOpen() && server.isOpen()).isTrue();
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"file", "directory", "fifo"})
    void whatIsNoSocketIsNeverRemoved(String kind) throws Exception {
        Path path = Path.of(unix().path());
        switch (kind) {
            case "file" -> Files.writeString(path, "precious");
            case "directory" -> Files.createDirectory(path);
            default ->
                assertThat(new ProcessBuilder("mkfifo", path.toString()).start().waitFor())
                        .isZero();
        }
        assertThatExceptionOfType(SluiceException.class)
                .isThrownBy(() -> means.listen(unix()).close())
                .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.EADDRINUSE));
        assertThat(path).exists();
        if (kind.equals("file")) {
            assertThat(path).hasContent("precious");
        }
    }

    @Test
    void aNameThatIsTooLongIsRefusedAndLeavesNothingBehind() {
        Set<String> before = LeakCheck.descriptors().keySet();
        Endpoint path = new Endpoint.Unix("/x".repeat(60));
        Endpoint name = new Endpoint.Abstract("x".repeat(108));
        assertThatIllegalArgumentException().isThrownBy(() -> means.connect(path));
        assertThatIllegalArgumentException().isThrownBy(() -> means.listen(path));
        assertThatIllegalArgumentException().isThrownBy(() -> means.connect(name));
        assertThatIllegalArgumentException().isThrownBy(() -> means.listen(name));
        assertThat(LeakCheck.descriptors().keySet()).isEqualTo(before);
    }

    @Test
    void aCloseAnInterruptAndATimeoutEndTheWaitForAConnection() throws Exception {
        try (StreamListener listener = means.listen(Endpoint.parse("127.0.0.1:0"))) {
            assertThatExceptionOfType(SocketTimeoutException.class)
                    .isThrownBy(() -> listener.accept(Duration.ofMillis(20)));

            Parked<Boolean> interrupted = Parked.platform(() -> {
                assertThatExceptionOfType(InterruptedIOException.class).isThrownBy(listener::accept);
                return Thread.currentThread().isInterrupted();
            });
            assertThatExceptionOfType(ReadPendingException.class).isThrownBy(listener::accept);
            interrupted.thread().interrupt();
            assertThat(interrupted.get()).isTrue();

            Parked<StreamSocket> closed = Parked.virtual(listener::accept);
            listener.close();
            assertThat(closed.failure()).isExactlyInstanceOf(AsynchronousCloseException.class);
            assertThatExceptionOfType(ClosedChannelException.class).isThrownBy(listener::accept);
            assertThat(listener.isOpen()).isFalse();
            listener.close();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"127.0.0.1:0", "unix:@sluice-listener-again"})
    void anAddressIsFreeWhenItsListenerHasClosed(String address) throws Exception {
        try (StreamListener listener = means.listen(Endpoint.parse(address));
                StreamSocket client = means.connect(listener.endpoint());
                StreamSocket server = listener.accept()) {
            assertThat(client.isOpen() && server.isOpen()).isTrue();
            listener.close();
            assertThatExceptionOfType(SluiceException.class)
                    .isThrownBy(() -> means.connect(listener.endpoint()))
                    .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.ECONNREFUSED));
            means.listen(listener.endpoint()).close();
        }
    }

    /** A close at every moment of the first accept; what it would leave open {@link LeakCheck} finds. */
    @Test
    void aCloseEndsAnAcceptThatHasJustBegun() throws Exception {
        Endpoint address = new Endpoint.Abstract("sluice-" + System.nanoTime());
        for (int i = 0; i < 5000; i++) {
            try (StreamListener listener = means.listen(address)) {
                CompletableFuture<Object> closing = Bytes.async(() -> {
                    listener.close();
                    return null;
                });
                for (int spins = 0; spins < i % 1000; spins++) {
                    Thread.onSpinWait();
                }
                assertThatExceptionOfType(ClosedChannelException.class).isThrownBy(listener::accept);
                closing.get();
            }
        }
    }

    @Test
    void anAcceptorThatWaitsGetsEveryConnectionOfARush() throws Exception {
        try (StreamListener listener = means.listen(unix())) {
            List<StreamSocket> open = new ArrayList<>();
            try {
                Parked<List<StreamSocket>> accepting = Parked.virtual(() -> accept(listener, 200));
                for (int i = 0; i < 200; i++) {
                    open.add(means.connect(unix()));
                }
                open.addAll(accepting.get());
                assertThat(open).hasSize(400);
            } finally {
                open.forEach(StreamSocket::close);
            }
        }
    }

    private static List<StreamSocket> accept(StreamListener listener, int count) throws IOException {
        List<StreamSocket> accepted = new ArrayList<>();
        while (accepted.size() < count) {
            accepted.add(listener.accept());
        }
        return accepted;
    }
}
