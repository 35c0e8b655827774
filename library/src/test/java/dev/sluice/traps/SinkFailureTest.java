package dev.sluice.traps;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.MirrorFailure;
import dev.sluice.Pipeline;
import dev.sluice.Sluice;
import dev.sluice.internal.fd.PipePool;
import dev.sluice.io.Endpoint;
import dev.sluice.io.Route;
import dev.sluice.io.Side;
import dev.sluice.io.TransferException;
import dev.sluice.io.TransferException.Reason;
import dev.sluice.io.TransferResult;
import dev.sluice.net.StreamListener;
import dev.sluice.net.StreamSocket;
import dev.sluice.pipe.KernelPipe;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.Child;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Pair;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@ExtendWith(LeakCheck.class)
@Timeout(60)
class SinkFailureTest {
    private static final byte[] DATA = Bytes.random(10, 12 << 20);
    private static final int BEFORE = 1 << 20;

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

    /** Carries on from the exception to a fresh sink; what arrives there follows exactly what the old one accepted. */
    private static void resume(StreamSocket source, TransferException e) throws Exception {
        try (Pair fresh = Pair.open(Pair.Kind.TCP)) {
            CompletableFuture<byte[]> rest = Bytes.async(() -> Bytes.readAll(fresh.far()));
            Stage.writeAll(fresh.near(), e.residue());
            TransferResult result = Sluice.transfer(source, fresh.near());
            fresh.near().shutdownOutput();
            assertThat(Stage.get(rest)).isEqualTo(Arrays.copyOfRange(DATA, (int) e.accepted(), DATA.length));
            assertThat(e.accepted() + e.residue().remaining() + result.bytes()).isEqualTo(DATA.length);
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = Route.class,
            names = {"SPLICE", "COPY"})
    @DisplayName(
            "S10, #5: after the peer's reset, accepted and residue make up exactly what was taken; resuming is exact")
    void peerResetsTheSink(Route route) throws Exception {
        try (Pair in = Pair.open(Pair.Kind.TCP);
                Pair out = Pair.open(Pair.Kind.TCP)) {
            CompletableFuture<Object> fed = feed(in);
            CompletableFuture<TransferResult> transfer =
                    Bytes.async(() -> Pipeline.from(in.far()).route(route).to(out.near()));
            assertThat(Bytes.read(out.far(), BEFORE)).isEqualTo(Arrays.copyOf(DATA, BEFORE));
            out.far().abort();
            TransferException e = Stage.failure(transfer, TransferException.class);
            assertThat(e.reason()).isEqualTo(Reason.FAILED);
            assertThat(e.side()).isEqualTo(Side.SINK);
            assertThat(e.accepted()).isGreaterThanOrEqualTo(BEFORE);
            assertThat(e.unacknowledged()).isBetween(0L, e.accepted());
            assertThat(e.getMessage()).containsAnyOf("ECONNRESET", "EPIPE").doesNotContain("\n");
            resume(in.far(), e);
            Stage.get(fed);
        }
    }

    @Test
    @DisplayName(
            "S10, #5: a pipe as the sink whose reader goes away; the pipe of the pool that held bytes is not lent again")
    void readerClosesThePipe() throws Exception {
        try (Pair in = Pair.open(Pair.Kind.TCP);
                KernelPipe out = KernelPipe.open()) {
            CompletableFuture<Object> fed = feed(in);
            CompletableFuture<TransferResult> transfer = Bytes.async(() -> Sluice.transfer(in.far(), out.sink()));
            assertThat(Bytes.read(out.source(), BEFORE)).isEqualTo(Arrays.copyOf(DATA, BEFORE));
            out.closeSource();
            TransferException e = Stage.failure(transfer, TransferException.class);
            assertThat(e.side()).isEqualTo(Side.SINK);
            assertThat(e.getMessage()).contains("EPIPE");
            assertThat(e.unacknowledged()).as("nobody can tell for a pipe").isEqualTo(-1);
            assertThat(PipePool.shared().lent()).isZero();
            resume(in.far(), e);
            Stage.get(fed);
        }
    }

    @Test
    @DisplayName("S10: closing the sink locally in mid-transfer leaves an exact account too")
    void sinkIsClosedHere() throws Exception {
        try (Pair in = Pair.open(Pair.Kind.TCP);
                Pair out = Pair.open(Pair.Kind.TCP)) {
            CompletableFuture<Object> fed = feed(in);
            CompletableFuture<TransferResult> transfer = Bytes.async(() -> Sluice.transfer(in.far(), out.near()));
            Bytes.read(out.far(), BEFORE);
            out.near().close();
            TransferException e = Stage.failure(transfer, TransferException.class);
            assertThat(e.reason()).isEqualTo(Reason.CLOSED);
            byte[] tail = Stage.get(Bytes.async(() -> Bytes.readAll(out.far())));
            assertThat((long) BEFORE + tail.length)
                    .as("all accepted bytes are still sent")
                    .isEqualTo(e.accepted());
            resume(in.far(), e);
            Stage.get(fed);
        }
    }

    @ParameterizedTest
    @EnumSource(MirrorFailure.class)
    @DisplayName("S24, #3b: a mirror closed half-way fails the transfer, or is left behind, as its policy says")
    void mirrorGoesAway(MirrorFailure policy) throws Exception {
        try (Pair in = Pair.open(Pair.Kind.TCP);
                Pair out = Pair.open(Pair.Kind.TCP);
                Pair side = Pair.open(Pair.Kind.TCP)) {
            CompletableFuture<Object> fed = feed(in);
            CompletableFuture<byte[]> received = Bytes.async(() -> Bytes.readAll(out.far()));
            CompletableFuture<TransferResult> transfer = Bytes.async(
                    () -> Pipeline.from(in.far()).mirror(side.near(), policy).to(out.near()));
            assertThat(Bytes.read(side.far(), BEFORE)).isEqualTo(Arrays.copyOf(DATA, BEFORE));
            side.far().abort();
            if (policy == MirrorFailure.DETACH) {
                TransferResult result = Stage.get(transfer);
                out.near().shutdownOutput();
                assertThat(Stage.get(received)).isEqualTo(DATA);
                assertThat(result.mirrors().getFirst().failure()).isPresent();
                assertThat(result.mirrors().getFirst().bytes()).isBetween((long) BEFORE, (long) DATA.length);
            } else {
                TransferException e = Stage.failure(transfer, TransferException.class);
                assertThat(e.side()).isEqualTo(Side.MIRROR);
                out.near().close();
                assertThat(Stage.get(received)).isEqualTo(Arrays.copyOf(DATA, (int) e.accepted()));
                resume(in.far(), e);
            }
            Stage.get(fed);
        }
    }

    @Test
    @DisplayName("S10: a peer killed by SIGKILL in mid-transfer")
    void peerIsKilled() throws Exception {
        try (Pair in = Pair.open(Pair.Kind.TCP);
                StreamListener listener = StreamListener.listen(new Endpoint.Tcp("127.0.0.1", 0))) {
            List<String> command = Child.command(
                    List.of(), List.of(), Killed.class, listener.endpoint().toString());
            Process peer = new ProcessBuilder(command).inheritIO().start();
            try (StreamSocket out = listener.accept()) {
                CompletableFuture<Object> fed = feed(in);
                CompletableFuture<TransferResult> transfer = Bytes.async(() -> Sluice.transfer(in.far(), out));
                assertThat(Bytes.read(out, 4)).isEqualTo("half".getBytes());
                peer.destroyForcibly();
                TransferException e = Stage.failure(transfer, TransferException.class);
                assertThat(e.side()).isEqualTo(Side.SINK);
                assertThat(e.accepted()).isGreaterThanOrEqualTo(BEFORE);
                resume(in.far(), e);
                Stage.get(fed);
            } finally {
                peer.destroyForcibly().waitFor();
            }
        }
    }

    /** Reads a part, says so, and waits to be killed. */
    static final class Killed {
        public static void main(String[] arguments) throws IOException, InterruptedException {
            try (StreamSocket socket = StreamSocket.connect(Endpoint.parse(arguments[0]))) {
                Bytes.read(socket, BEFORE);
                Bytes.write(socket, "half".getBytes(), 4);
                Thread.sleep(60_000);
            }
        }
    }
}
