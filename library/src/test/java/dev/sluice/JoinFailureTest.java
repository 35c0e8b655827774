package dev.sluice;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.sluice.io.Side;
import dev.sluice.io.TransferException;
import dev.sluice.io.TransferException.Reason;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Pair.Kind;
import dev.sluice.testkit.Parked;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ReadPendingException;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.Timeout.ThreadMode;
import org.junit.jupiter.api.extension.ExtendWith;

/** What becomes of one direction of a join when the other fails, is closed or interrupted. */
@ExtendWith(LeakCheck.class)
@Timeout(value = 30, threadMode = ThreadMode.SEPARATE_THREAD)
class JoinFailureTest {
    private static final long SEED = 2_236_067;
    private static final byte[] REQUEST = "request".getBytes(US_ASCII);
    private static final byte[] REPLY = Bytes.random(SEED, 300_001);

    @Test
    void aClientThatResetsFailsItsDirectionAndDoesNotHangTheOther() throws Exception {
        try (Proxy proxy = Proxy.open(Kind.TCP, Kind.TCP)) {
            Parked<JoinResult> joining = Parked.virtual(proxy::join);
            Bytes.write(proxy.client(), REQUEST, REQUEST.length);
            assertThat(Bytes.read(proxy.server(), REQUEST.length)).isEqualTo(REQUEST);
            proxy.client().abort();

            JoinResult result = joining.get();
            assertThat(result.complete()).isFalse();
            assertThat(result.forward().result().bytes()).isEqualTo(REQUEST.length);
            assertThat(result.forward().failure()).hasValueSatisfying(e -> {
                assertThat(e.side()).isEqualTo(Side.SOURCE);
                assertThat(e.reason()).isEqualTo(Reason.FAILED);
                assertThat(e.getMessage()).contains("ECONNRESET");
            });
            assertThat(result.backward().failure())
                    .hasValueSatisfying(e -> assertThat(e.reason()).isEqualTo(Reason.CANCELLED));
        }
    }

    @Test
    void aServerThatResetsFailsItsDirectionAndDoesNotHangTheOther() throws Exception {
        try (Proxy proxy = Proxy.open(Kind.UNIX, Kind.TCP)) {
            Parked<JoinResult> joining = Parked.platform(proxy::join);
            proxy.server().abort();

            JoinResult result = joining.get();
            assertThat(result.forward().failure())
                    .hasValueSatisfying(e -> assertThat(e.reason()).isEqualTo(Reason.CANCELLED));
            assertThat(result.backward().failure()).hasValueSatisfying(e -> {
                assertThat(e.side()).isEqualTo(Side.SOURCE);
                assertThat(e.getMessage()).contains("ECONNRESET");
            });
        }
    }

    /** One direction fails before the other has begun: a race, so it is run often. */
    @Test
    void aJoinOfSocketsThatWereResetBeforeItEnds() throws Exception {
        for (int i = 0; i < 100; i++) {
            try (Proxy proxy = Proxy.open(Kind.TCP, Kind.TCP)) {
                proxy.client().abort();
                JoinResult oneReset = proxy.join();
                assertThat(oneReset.forward().failure())
                        .map(TransferException::side)
                        .contains(Side.SOURCE);
                assertThat(oneReset.backward().failure()).isPresent();
            }
            try (Proxy proxy = Proxy.open(Kind.TCP, Kind.TCP)) {
                proxy.client().abort();
                proxy.server().abort();
                JoinResult bothReset = proxy.join();
                assertThat(bothReset.forward().failure()).isPresent();
                assertThat(bothReset.backward().failure()).isPresent();
            }
        }
    }

    @Test
    void afterAFailedWriteTheReplyStillComesThrough() throws Exception {
        try (Proxy proxy = Proxy.open(Kind.TCP, Kind.UNIX)) {
            proxy.server().shutdownInput();
            Bytes.write(proxy.client(), REQUEST, REQUEST.length);
            CompletableFuture<JoinResult> joining = Bytes.async(proxy::join);
            CompletableFuture<?> replying = Bytes.async(() -> {
                Bytes.write(proxy.server(), REPLY, REPLY.length);
                return proxy.server().shutdownOutput();
            });

            assertThat(Bytes.readAll(proxy.client())).isEqualTo(REPLY);
            replying.get();
            JoinResult result = joining.get();
            assertThat(result.backward().failure()).isEmpty();
            assertThat(result.backward().result().bytes()).isEqualTo(REPLY.length);
            assertThat(result.forward().failure()).hasValueSatisfying(e -> {
                assertThat(e.side()).isEqualTo(Side.SINK);
                assertThat(e.getMessage()).contains("EPIPE");
                assertThat(e.accepted()).isZero();
                assertThat(e.residue()).isEqualTo(ByteBuffer.wrap(REQUEST));
            });
        }
    }

    @Test
    void closingOneOfTheJoinedSocketsEndsTheJoin() throws Exception {
        try (Proxy proxy = Proxy.open(Kind.TCP, Kind.TCP)) {
            Parked<JoinResult> joining = Parked.virtual(proxy::join);
            proxy.front().near().close();

            JoinResult result = joining.get();
            assertThat(result.forward().failure())
                    .map(TransferException::reason)
                    .contains(Reason.CLOSED);
            assertThat(result.backward().failure())
                    .hasValueSatisfying(e -> assertThat(e.reason()).isIn(Reason.CLOSED, Reason.CANCELLED));
        }
    }

    @Test
    void anInterruptCancelsBothDirectionsAndStaysSet() throws Exception {
        try (Proxy proxy = Proxy.open(Kind.TCP, Kind.TCP)) {
            Parked<Boolean> joining = Parked.platform(() -> {
                JoinResult result = proxy.join();
                assertThat(result.forward().failure())
                        .map(TransferException::reason)
                        .contains(Reason.INTERRUPTED);
                assertThat(result.backward().failure())
                        .map(TransferException::reason)
                        .contains(Reason.INTERRUPTED);
                return Thread.currentThread().isInterrupted();
            });
            joining.thread().interrupt();
            assertThat(joining.get()).isTrue();

            assertThat(proxy.front().near().isOpen()).isTrue();
            Bytes.write(proxy.client(), REQUEST, REQUEST.length);
            assertThat(Bytes.read(proxy.front().near(), REQUEST.length)).isEqualTo(REQUEST);
        }
    }

    @Test
    void aJoinThatCannotBeginLeavesBothChannelsFree() throws Exception {
        try (Proxy proxy = Proxy.open(Kind.TCP, Kind.TCP)) {
            Parked<Integer> reading = Parked.virtual(() -> proxy.back().near().read(ByteBuffer.allocate(1)));
            assertThatExceptionOfType(ReadPendingException.class).isThrownBy(proxy::join);
            proxy.server().write(ByteBuffer.allocate(1));
            assertThat(reading.get()).isEqualTo(1);

            proxy.client().shutdownOutput();
            proxy.server().shutdownOutput();
            assertThat(proxy.join().complete()).isTrue();

            proxy.back().near().close();
            assertThatExceptionOfType(ClosedChannelException.class).isThrownBy(proxy::join);
            assertThat(proxy.front().near().read(ByteBuffer.allocate(1))).isEqualTo(-1);
        }
    }
}
