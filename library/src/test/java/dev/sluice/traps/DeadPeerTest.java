package dev.sluice.traps;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.Pipeline;
import dev.sluice.internal.fd.PipePool;
import dev.sluice.internal.linux.Errno;
import dev.sluice.io.Endpoint;
import dev.sluice.io.Route;
import dev.sluice.io.Side;
import dev.sluice.io.TransferException;
import dev.sluice.io.TransferResult;
import dev.sluice.net.StreamListener;
import dev.sluice.net.StreamSocket;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.Child;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Pair;
import java.nio.channels.ReadableByteChannel;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Peers that are killed, or that reset: what the account says against what they read, and against what they sent. */
@ExtendWith(LeakCheck.class)
@Timeout(60)
class DeadPeerTest {
    private static final byte[] DATA = Bytes.random(29, 12 << 20);
    private static final int PART = 1 << 20;

    @AfterEach
    void noPipeIsLent() throws Exception {
        Stage.await("pipes come back", () -> PipePool.shared().lent() == 0);
    }

    private static CompletableFuture<Object> feed(Pair in) {
        return Bytes.async(() -> {
            Bytes.write(in.near(), DATA, 100_000);
            return in.near().shutdownOutput();
        });
    }

    /** What was accepted, left over and still comes is the stream. */
    private static void resume(ReadableByteChannel source, TransferException e) throws Exception {
        try (Pair fresh = Pair.open(Pair.Kind.TCP)) {
            CompletableFuture<byte[]> rest = Bytes.async(() -> Bytes.readAll(fresh.far()));
            Stage.writeAll(fresh.near(), e.residue());
            Pipeline.from(source).to(fresh.near());
            fresh.near().shutdownOutput();
            byte[] got = Stage.get(rest);
            assertThat(got.length).isEqualTo(DATA.length - (int) e.accepted());
            assertThat(Arrays.mismatch(got, Arrays.copyOfRange(DATA, (int) e.accepted(), DATA.length)))
                    .as("first wrong byte after what was accepted")
                    .isEqualTo(-1);
        }
    }

    @ParameterizedTest
    @CsvSource({
        "tcp:127.0.0.1:0, SPLICE",
        "tcp:127.0.0.1:0, COPY",
        "unix:@sluice-dead-%d, SPLICE",
        "unix:@sluice-dead-%d, COPY"
    })
    @DisplayName(
            "S10: kill -9 of the process that reads; what it has read was acknowledged, what it has not is accounted for")
    void theReaderIsKilled(String address, Route route) throws Exception {
        boolean tcp = address.startsWith("tcp");
        try (Pair in = Pair.open(Pair.Kind.TCP);
                StreamListener listener =
                        StreamListener.listen(Endpoint.parse(String.format(address, System.nanoTime())))) {
            Process peer = start(listener.endpoint(), "read");
            try (StreamSocket out = listener.accept()) {
                CompletableFuture<Object> fed = feed(in);
                var transfer = Pipeline.from(in.far()).route(route).start(out);
                assertThat(Bytes.read(out, 4)).isEqualTo("half".getBytes());
                // Until its buffers are full, too: then all that it holds has been acknowledged.
                Stage.awaitStill(transfer::bytes);
                peer.destroyForcibly().waitFor();
                TransferException e = Stage.failure(Bytes.async(transfer::await), TransferException.class);
                assertThat(e.side()).isEqualTo(Side.SINK);
                assertThat(e.errno()).as(e.getMessage()).isIn(Errno.EPIPE, Errno.ECONNRESET);
                assertThat(e.accepted()).isGreaterThanOrEqualTo(PART).isLessThan(DATA.length);
                if (tcp) {
                    assertThat(e.unacknowledged()).isBetween(0L, e.accepted() - PART);
                } else {
                    assertThat(e.unacknowledged()).as("nobody can tell").isEqualTo(-1);
                }
                System.out.println("read " + PART + ", accepted " + e.accepted() + ", unacknowledged "
                        + e.unacknowledged() + ", left over " + e.residue().remaining());
                resume(in.far(), e);
                Stage.get(fed);
            } finally {
                peer.destroyForcibly().waitFor();
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"SPLICE, true", "COPY, true", "SPLICE, false", "COPY, false"})
    @DisplayName(
            "S10: kill -9 of the process that sends; a reset is an error of the source, and the sink holds what is accepted")
    void theSenderIsKilled(Route route, boolean unread) throws Exception {
        try (StreamListener listener = StreamListener.listen(new Endpoint.Tcp("127.0.0.1", 0));
                Pair out = Pair.open(Pair.Kind.TCP)) {
            Process peer = start(listener.endpoint(), "write");
            try (StreamSocket in = listener.accept()) {
                CompletableFuture<byte[]> received = Bytes.async(() -> Bytes.readAll(out.far()));
                var transfer = Pipeline.from(in).route(route).start(out.near());
                Stage.await("its bytes", () -> transfer.bytes() == PART);
                if (unread) {
                    // The kernel of the killed says RST if there is something that it has not read, and FIN otherwise.
                    Bytes.write(in, new byte[10], 10);
                }
                peer.destroyForcibly().waitFor();
                CompletableFuture<TransferResult> end = Bytes.async(transfer::await);
                if (unread) {
                    TransferException e = Stage.failure(end, TransferException.class);
                    assertThat(e.side()).isEqualTo(Side.SOURCE);
                    assertThat(e.errno()).as(e.getMessage()).isEqualTo(Errno.ECONNRESET);
                    assertThat(e.accepted()).isEqualTo(PART);
                    assertThat(e.residue().remaining()).isZero();
                } else {
                    assertThat(Stage.get(end).bytes()).isEqualTo(PART);
                }
                out.near().shutdownOutput();
                byte[] got = Stage.get(received);
                assertThat(got.length).isEqualTo(PART);
                assertThat(Arrays.mismatch(got, Arrays.copyOf(DATA, PART))).isEqualTo(-1);
            } finally {
                peer.destroyForcibly().waitFor();
            }
        }
    }

    private static Process start(Endpoint endpoint, String what) throws Exception {
        List<String> command = Child.command(List.of(), List.of(), Program.class, endpoint.toString(), what);
        return new ProcessBuilder(command).inheritIO().start();
    }

    /** Reads or writes a part, and waits to be killed. */
    static final class Program {
        public static void main(String[] arguments) throws Exception {
            try (StreamSocket socket = StreamSocket.connect(Endpoint.parse(arguments[0]))) {
                if (arguments[1].equals("read")) {
                    Bytes.read(socket, PART);
                    Bytes.write(socket, "half".getBytes(), 4);
                } else {
                    Bytes.write(socket, Arrays.copyOf(DATA, PART), 100_000);
                }
                Thread.sleep(60_000);
            }
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = Route.class,
            names = {"SPLICE", "COPY"})
    @DisplayName("S10: a peer that resets with unread bytes in its buffer (SO_LINGER 0)")
    void resetWithUnreadBytes(Route route) throws Exception {
        try (Pair in = Pair.open(Pair.Kind.TCP);
                Pair out = Pair.open(Pair.Kind.TCP)) {
            CompletableFuture<Object> fed = feed(in);
            var transfer = Pipeline.from(in.far()).route(route).start(out.near());
            assertThat(Arrays.mismatch(Bytes.read(out.far(), PART), Arrays.copyOf(DATA, PART)))
                    .isEqualTo(-1);
            Stage.awaitStill(transfer::bytes);
            out.far().abort();
            TransferException e = Stage.failure(Bytes.async(transfer::await), TransferException.class);
            assertThat(e.side()).isEqualTo(Side.SINK);
            assertThat(e.errno()).as(e.getMessage()).isIn(Errno.EPIPE, Errno.ECONNRESET);
            assertThat(e.accepted() - e.unacknowledged()).isGreaterThanOrEqualTo(PART);
            resume(in.far(), e);
            Stage.get(fed);
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = Route.class,
            names = {"SPLICE", "COPY"})
    @DisplayName("S13: a Unix socket whose peer is gone gives EPIPE and an exact account")
    void unixPeerGoesAway(Route route) throws Exception {
        try (Pair in = Pair.open(Pair.Kind.UNIX);
                Pair out = Pair.open(Pair.Kind.UNIX)) {
            CompletableFuture<Object> fed = feed(in);
            var transfer = Pipeline.from(in.far()).route(route).start(out.near());
            Bytes.read(out.far(), PART);
            out.far().close();
            TransferException e = Stage.failure(Bytes.async(transfer::await), TransferException.class);
            assertThat(e.side()).isEqualTo(Side.SINK);
            assertThat(e.errno()).as(e.getMessage()).isIn(Errno.EPIPE, Errno.ECONNRESET);
            assertThat(e.accepted()).isGreaterThanOrEqualTo(PART);
            resume(in.far(), e);
            Stage.get(fed);
        }
    }
}
