package dev.sluice.traps;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.JoinResult;
import dev.sluice.Sluice;
import dev.sluice.internal.fd.PipePool;
import dev.sluice.io.Route;
import dev.sluice.io.Side;
import dev.sluice.io.TransferException;
import dev.sluice.io.TransferResult;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Pair;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

@ExtendWith(LeakCheck.class)
@Timeout(60)
class HalfCloseTest {
    static Stream<Arguments> kindsAndRoutes() {
        return Stream.of(Pair.Kind.TCP, Pair.Kind.UNIX)
                .flatMap(kind -> Stream.of(Route.SPLICE, Route.COPY).map(route -> Arguments.of(kind, route)));
    }

    @ParameterizedTest
    @MethodSource("kindsAndRoutes")
    @DisplayName(
            "S11, S12, #20 (moby TestTCP4ProxyHalfClose): the end comes after the last byte, and the reply still follows")
    void halfClose(Pair.Kind kind, Route route) throws Exception {
        byte[] request = Bytes.random(1, 3 << 20);
        byte[] reply = Bytes.random(2, 2 << 20);
        try (Pair client = Pair.open(kind);
                Pair server = Pair.open(kind)) {
            CompletableFuture<JoinResult> join = Bytes.async(() -> Sluice.join(client.far(), server.near(), route));
            CompletableFuture<Object> sent = Bytes.async(() -> {
                Bytes.write(client.near(), request, request.length);
                return client.near().shutdownOutput();
            });
            CompletableFuture<Object> serving = Bytes.async(() -> {
                // Slowly at first: the client has long ended when most of the request is still in pipes.
                byte[] head = Bytes.read(server.far(), 1000);
                Thread.sleep(200);
                byte[] rest = Bytes.readAll(server.far());
                assertThat(head.length + rest.length).isEqualTo(request.length);
                assertThat(rest).isEqualTo(java.util.Arrays.copyOfRange(request, 1000, request.length));
                Bytes.write(server.far(), reply, 10_000);
                return server.far().shutdownOutput();
            });
            assertThat(Stage.get(Bytes.async(() -> Bytes.readAll(client.near()))))
                    .isEqualTo(reply);
            Stage.get(sent);
            Stage.get(serving);
            JoinResult result = Stage.get(join);
            assertThat(result.complete()).isTrue();
            assertThat(result.forward().result().bytes()).isEqualTo(request.length);
            assertThat(result.backward().result().bytes()).isEqualTo(reply.length);
        }
    }

    @Test
    @DisplayName(
            "S36: what was queued at the source before its reset is delivered whole; then the failure names the source")
    void queuedDataSurvivesTheReset() throws Exception {
        byte[] data = Bytes.random(3, 100_000);
        try (Pair in = Pair.open(Pair.Kind.TCP);
                Pair out = Pair.open(Pair.Kind.TCP)) {
            Bytes.write(in.near(), data, data.length);
            assertThat(in.near().awaitAcknowledged(java.time.Duration.ofSeconds(10)))
                    .isTrue();
            in.near().abort();
            TransferException e =
                    Stage.failure(Bytes.async(() -> Sluice.transfer(in.far(), out.near())), TransferException.class);
            assertThat(e.side()).isEqualTo(Side.SOURCE);
            assertThat(e.getMessage()).contains("ECONNRESET");
            assertThat(e.accepted()).isEqualTo(data.length);
            assertThat(e.residue().hasRemaining()).isFalse();
            out.near().shutdownOutput();
            assertThat(Bytes.readAll(out.far())).isEqualTo(data);
        }
    }

    @Test
    @DisplayName("S11: a transfer from a source at its end delivers nothing and shuts nothing down")
    void sourceAtItsEnd() throws Exception {
        try (Pair in = Pair.open(Pair.Kind.TCP);
                Pair out = Pair.open(Pair.Kind.TCP)) {
            in.near().shutdownOutput();
            TransferResult result = Stage.get(Bytes.async(() -> Sluice.transfer(in.far(), out.near())));
            assertThat(result.bytes()).isZero();
            Bytes.write(out.near(), "bye".getBytes(), 3);
            assertThat(Bytes.read(out.far(), 3)).isEqualTo("bye".getBytes());
        }
    }

    @Test
    @DisplayName("S27: a hundred idle joins hold no pipe, before, between and after bursts")
    void idleJoinsHoldNoPipe() throws Exception {
        List<Pair> pairs = new ArrayList<>();
        List<CompletableFuture<JoinResult>> joins = new ArrayList<>();
        PipePool.shared().trim();
        Set<String> inherited = pipes();
        try {
            for (int i = 0; i < 100; i++) {
                Pair left = Pair.open(Pair.Kind.TCP);
                Pair right = Pair.open(Pair.Kind.TCP);
                pairs.add(left);
                pairs.add(right);
                joins.add(Bytes.async(() -> Sluice.join(left.far(), right.near())));
            }
            Stage.await("no pipe is lent", () -> PipePool.shared().lent() == 0);
            PipePool.shared().trim();
            assertThat(pipes()).isEqualTo(inherited);
            for (int round = 0; round < 2; round++) {
                byte[] burst = Bytes.random(round, 200_000);
                for (int i = 0; i < pairs.size(); i += 2) {
                    Pair left = pairs.get(i);
                    CompletableFuture<Object> sent = Bytes.async(() -> {
                        Bytes.write(left.near(), burst, burst.length);
                        return null;
                    });
                    assertThat(Bytes.read(pairs.get(i + 1).far(), burst.length)).isEqualTo(burst);
                    Stage.get(sent);
                }
                Stage.await("no pipe is lent", () -> PipePool.shared().lent() == 0);
            }
            Stage.await("the pipes are closed", () -> {
                PipePool.shared().trim();
                return pipes().equals(inherited);
            });
            assertThat(joins).noneMatch(CompletableFuture::isDone);
        } finally {
            pairs.forEach(Pair::close);
            for (CompletableFuture<JoinResult> join : joins) {
                Stage.get(join);
            }
        }
    }

    private static Set<String> pipes() {
        return LeakCheck.descriptors().keySet().stream()
                .filter(link -> link.contains("pipe:["))
                .collect(Collectors.toSet());
    }
}
