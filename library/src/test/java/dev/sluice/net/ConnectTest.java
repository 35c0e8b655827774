package dev.sluice.net;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIOException;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sluice.internal.linux.Errno;
import dev.sluice.internal.linux.Files;
import dev.sluice.internal.linux.Sockets;
import dev.sluice.io.Endpoint;
import dev.sluice.io.SluiceException;
import dev.sluice.pipe.KernelPipe;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.Child;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Means;
import dev.sluice.testkit.Parked;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.SocketTimeoutException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.Timeout.ThreadMode;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** Connections that have to wait, and descriptors that come from elsewhere. */
@ParameterizedClass
@EnumSource(Means.class)
@ExtendWith(LeakCheck.class)
@Timeout(value = 60, threadMode = ThreadMode.SEPARATE_THREAD)
class ConnectTest {
    @TempDir
    private Path directory;

    private final Means means;

    ConnectTest(Means means) throws IOException {
        this.means = means.orSkip();
    }

    /** A Unix listener that never accepts, and whose backlog is full. */
    private record Full(ServerSocketChannel listener, List<SocketChannel> waiting) implements AutoCloseable {
        static Full open(Path path) throws IOException {
            ServerSocketChannel listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
            listener.bind(UnixDomainSocketAddress.of(path), 1);
            List<SocketChannel> waiting = new ArrayList<>();
            for (int i = 0; i < 2; i++) {
                waiting.add(SocketChannel.open(UnixDomainSocketAddress.of(path)));
            }
            return new Full(listener, waiting);
        }

        @Override
        public void close() throws IOException {
            for (SocketChannel one : waiting) {
                one.close();
            }
            listener.close();
        }
    }

    @Test
    void aTimeoutWhileTheBacklogOfAUnixListenerIsFullIsATimeout() throws Exception {
        Path path = directory.resolve("full");
        try (Full full = Full.open(path)) {
            assertThat(full.listener().isOpen()).isTrue();
            assertThatExceptionOfType(SocketTimeoutException.class)
                    .isThrownBy(() -> means.connect(new Endpoint.Unix(path.toString()), Duration.ofMillis(30)))
                    .withMessageStartingWith("unix:" + path);
        }
    }

    @Test
    void anInterruptWhileTheBacklogOfAUnixListenerIsFullIsAnInterrupt() throws Exception {
        Path path = directory.resolve("full");
        try (Full full = Full.open(path)) {
            assertThat(full.listener().isOpen()).isTrue();
            Parked<Boolean> connecting = Parked.platform(() -> {
                assertThatExceptionOfType(InterruptedIOException.class)
                        .isThrownBy(() -> means.connect(new Endpoint.Unix(path.toString())));
                return Thread.currentThread().isInterrupted();
            });
            connecting.thread().interrupt();
            assertThat(connecting.get()).isTrue();
        }
    }

    @Test
    void aConnectionIsMadeOnceTheBacklogOfAUnixListenerHasRoom() throws Exception {
        Path path = directory.resolve("full");
        try (Full full = Full.open(path)) {
            Parked<StreamSocket> connecting = Parked.virtual(() -> means.connect(new Endpoint.Unix(path.toString())));
            full.listener().accept().close();
            connecting.get().close();
        }
    }

    @Test
    void aListeningSocketThatWasInheritedIsTakenOver() throws Exception {
        int fd = Sockets.stream(Sockets.AF_INET);
        assertThat(Sockets.bind(fd, new Endpoint.Tcp("127.0.0.1", 0))).isZero();
        assertThat(Sockets.listen(fd, 10)).isZero();
        try (StreamListener listener = means.listen(new Endpoint.Inherited(fd));
                StreamSocket client = means.connect(listener.endpoint());
                StreamSocket server = listener.accept()) {
            client.write(ByteBuffer.allocate(5));
            assertThat(server.read(ByteBuffer.allocate(9))).isEqualTo(5);
        }
    }

    @Test
    void aConnectedSocketThatWasInheritedIsTakenOver() throws Exception {
        try (StreamListener listener = means.listen(Endpoint.parse("127.0.0.1:0"))) {
            int fd = Sockets.stream(Sockets.AF_INET);
            Sockets.connect(fd, listener.endpoint());
            try (StreamSocket server = listener.accept();
                    StreamSocket client = means.connect(new Endpoint.Inherited(fd))) {
                assertThat(client.remoteEndpoint()).isEqualTo(listener.endpoint());
                server.write(ByteBuffer.allocate(5));
                assertThat(client.read(ByteBuffer.allocate(9))).isEqualTo(5);
            }
        }
    }

    @Test
    void whatIsNoSocketIsNotTakenOver() throws Exception {
        Endpoint closed = new Endpoint.Inherited(987_654);
        assertThatExceptionOfType(SluiceException.class)
                .isThrownBy(() -> means.listen(closed))
                .withMessageStartingWith("fd:987654")
                .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.EBADF));
        assertThatIOException().isThrownBy(() -> means.connect(closed)).withMessageStartingWith("fd:987654");

        try (KernelPipe pipe = KernelPipe.open()) {
            int fd = Integer.parseInt(pipe.toString().replaceAll("\\D+(\\d+)-.*", "$1"));
            assertThatExceptionOfType(SluiceException.class)
                    .isThrownBy(() -> means.connect(new Endpoint.Inherited(fd)))
                    .withMessageContaining("not a stream socket");
            assertThat(pipe.isOpen()).isTrue();
            pipe.write(ByteBuffer.allocate(1));
        }
    }

    @Test
    void aSocketThatDoesNotListenIsNoListener() throws Exception {
        int fd = Sockets.stream(Sockets.AF_INET);
        try {
            assertThatExceptionOfType(SluiceException.class)
                    .isThrownBy(() -> means.listen(new Endpoint.Inherited(fd)))
                    .withMessageContaining("fd:" + fd + ": not a listening socket");
        } finally {
            Files.close(fd);
        }
    }

    /** As systemd or any parent does it: by a descriptor that survives exec. */
    @Test
    void aChildProcessServesTheListenerThatItsParentMade() throws Exception {
        assumeTrue(Child.has("python3", "-c", "import socket"), "python3 is not there to hand a socket to a child");
        String parent = "import os,socket,sys; s=socket.create_server(('127.0.0.1',0)); os.set_inheritable(s.fileno(),"
                + "True); print(s.getsockname()[1], flush=True);"
                + "os.execv(sys.argv[1], sys.argv[1:]+['fd:%d' % s.fileno()])";
        List<String> command =
                new ArrayList<>(Child.command(List.of("python3", "-c", parent), List.of(), Echo.class, means.name()));
        Process process = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try (BufferedReader out = process.inputReader()) {
            int port = Integer.parseInt(out.readLine());
            try (StreamSocket client = means.connect(new Endpoint.Tcp("127.0.0.1", port))) {
                byte[] bytes = Bytes.random(4711, 1000);
                Bytes.write(client, bytes, 1000);
                client.shutdownOutput();
                assertThat(Bytes.readAll(client)).isEqualTo(bytes);
            }
            assertThat(process.waitFor(30, TimeUnit.SECONDS)).isTrue();
            assertThat(process.exitValue()).isZero();
        } finally {
            process.destroyForcibly();
        }
    }

    /** Sends back what one connection says. */
    static final class Echo {
        public static void main(String[] args) throws Exception {
            try (StreamListener listener = Means.valueOf(args[0]).listen(Endpoint.parse(args[1]));
                    StreamSocket socket = listener.accept()) {
                Bytes.write(socket, Bytes.readAll(socket), 100);
            }
        }
    }
}
