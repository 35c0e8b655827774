package dev.sluice.ring;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.internal.linux.Errno;
import dev.sluice.internal.linux.Files;
import dev.sluice.internal.linux.Sockets;
import dev.sluice.io.Endpoint;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.LeakCheck;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Sends without copying, and when the kernel lets go of their buffers. */
@Timeout(60)
@ExtendWith(LeakCheck.class)
class RingZeroCopyTest {
    private static final int MSG_WAITALL = 0x100;

    private Ring ring;
    private Arena arena;
    private int near = -1;
    private int far = -1;

    @BeforeEach
    void open() throws IOException {
        ring = Wait.open(32);
        arena = Arena.ofShared();
        Wait.assume(ring, Operation.SENDMSG_ZC);
    }

    private void connect(String address) throws IOException {
        Endpoint endpoint = Endpoint.parse(address);
        int listener = Sockets.stream(Sockets.family(endpoint));
        Sockets.bind(listener, endpoint);
        Sockets.listen(listener, 1);
        near = Sockets.stream(Sockets.family(endpoint));
        Sockets.connect(near, Sockets.localAddress(listener));
        ring.next().accept(listener, 0x800);
        far = Wait.result(ring);
        Files.close(listener);
    }

    @AfterEach
    void close() {
        if (ring != null) {
            ring.close();
            arena.close();
            Files.close(near);
            Files.close(far);
        }
    }

    private void receive(MemorySegment expected) throws IOException {
        MemorySegment in = arena.allocate(expected.byteSize());
        long at = 0;
        while (at < in.byteSize()) {
            long count = Sockets.receive(far, in.address() + at, in.byteSize() - at);
            if (count == -Errno.EAGAIN) {
                ring.submitAndWait(0, 1_000_000);
                continue;
            }
            assertThat(count).isPositive();
            at += count;
        }
        assertThat(in.mismatch(expected)).isEqualTo(-1);
    }

    @ParameterizedTest
    @CsvSource({
        "tcp:127.0.0.1:0, 1, false",
        "tcp:127.0.0.1:0, 60000, false",
        "tcp:[::1]:0, 60000, false",
        "tcp:127.0.0.1:0, 60000, true",
        "tcp:[::1]:0, 100, true"
    })
    @DisplayName("R1, R7: a result with F_MORE, then a notification without, of the same id, saying if it was copied")
    void resultThenNotification(String address, int size, boolean vectored) throws Exception {
        connect(address);
        MemorySegment out = arena.allocateFrom(JAVA_BYTE, Bytes.random(7, size));
        Submission send = vectored
                ? ring.next().sendMessageZeroCopy(near, new Vectors(arena, 1).set(0, out), 0)
                : ring.next().sendZeroCopy(near, out, 0);
        send.reportUsage().id(11);
        Completion first = Wait.completion(ring);
        assertThat(first.id()).isEqualTo(11);
        assertThat(first.result()).isEqualTo(size);
        assertThat(first.notification()).isFalse();
        assertThat(first.more()).isTrue();
        ring.advance();
        assertThat(ring.inFlight()).isEqualTo(1);
        receive(out);
        Completion second = Wait.completion(ring);
        assertThat(second.id()).isEqualTo(11);
        assertThat(second.notification()).isTrue();
        assertThat(second.more()).isFalse();
        // The loopback device always copies in the end.
        assertThat(second.copied()).isTrue();
        ring.advance();
        assertThat(ring.inFlight()).isZero();
        assertThat(ring.peek()).isNull();
    }

    @Test
    @DisplayName("R2: notifications are told apart by their id, whatever order they come in")
    void manyAtOnce() throws Exception {
        connect("tcp:127.0.0.1:0");
        int[] results = new int[16];
        int[] notified = new int[16];
        MemorySegment out = arena.allocateFrom(JAVA_BYTE, Bytes.random(8, 16 * 500));
        for (int i = 0; i < 16; i++) {
            Submission send = ring.next()
                    .sendZeroCopy(near, out.asSlice(i * 500L, 500), MSG_WAITALL)
                    .id(i);
            if (i < 15) {
                // Order on a stream is only that of links; R5: and they need all of it.
                send.link();
            }
        }
        ring.submit();
        receive(out);
        while (ring.inFlight() > 0) {
            Completion completion = Wait.completion(ring);
            int id = (int) completion.id();
            if (completion.notification()) {
                notified[id]++;
            } else {
                assertThat(notified[id]).isZero();
                results[id] += completion.result();
            }
            ring.advance();
        }
        assertThat(results).containsOnly(500);
        assertThat(notified).containsOnly(1);
    }

    @Test
    @DisplayName("R11: from a registered buffer")
    void registered() throws Exception {
        connect("tcp:127.0.0.1:0");
        MemorySegment out = arena.allocateFrom(JAVA_BYTE, Bytes.random(9, 8192));
        ring.registry().buffers(out);
        ring.next().sendZeroCopy(near, out.asSlice(100, 5000), 0).fixedBuffer(0).id(1);
        assertThat(Wait.completion(ring).result()).isEqualTo(5000);
        ring.advance();
        receive(out.asSlice(100, 5000));
        while (ring.inFlight() > 0) {
            Wait.result(ring);
        }
        ring.registry().unregisterBuffers();
    }

    @Test
    @DisplayName("R1: a send that fails may be notified or not; only F_MORE tells")
    void faults() throws Exception {
        connect("tcp:127.0.0.1:0");
        MemorySegment nowhere = MemorySegment.ofAddress(4096);
        Vectors bad = new Vectors(arena, 1);
        for (int way = 0; way < 3; way++) {
            Submission entry = ring.next();
            switch (way) {
                case 0 -> entry.raw(Operation.SEND_ZC.ordinal(), near, 0, nowhere.address(), 4096, 0);
                case 1 -> entry.sendZeroCopy(1 << 20, arena.allocate(10), 0);
                default -> entry.raw(Operation.SENDMSG_ZC.ordinal(), near, 0, nowhere.address(), 1, 0);
            }
            entry.id(way);
            int count = 0;
            boolean more;
            do {
                Completion completion = Wait.completion(ring);
                more = completion.more();
                assertThat(completion.notification()).isEqualTo(count > 0);
                if (count == 0) {
                    assertThat(completion.result()).isIn(-Errno.EFAULT, -Errno.EBADF);
                }
                ring.advance();
                count++;
            } while (more);
            assertThat(count).isLessThanOrEqualTo(2);
            assertThat(ring.inFlight()).isZero();
        }
        assertThat(bad.size()).isEqualTo(1);
    }

    @Test
    @DisplayName("R6: a Unix socket can't, and says so")
    void unixSocket() throws Exception {
        connect("unix:@sluice-zero-copy");
        ring.next().sendZeroCopy(near, arena.allocate(10), 0);
        while (ring.inFlight() > 0) {
            Completion completion = Wait.completion(ring);
            assertThat(completion.notification() || completion.result() == -Errno.EOPNOTSUPP)
                    .isTrue();
            ring.advance();
        }
    }

    @Test
    @DisplayName("R3: a send that a time-out cut off holds its buffer until the last completion")
    void cancelled() throws Exception {
        connect("tcp:127.0.0.1:0");
        MemorySegment out = arena.allocate(64 << 20);
        ring.next().sendZeroCopy(near, out, MSG_WAITALL).id(1).link();
        ring.next().linkTimeout(20, TimeUnit.MILLISECONDS).id(2);
        ring.submit();
        int sent = -1;
        while (sent == -1) {
            Completion completion = Wait.completion(ring);
            if (completion.id() == 1) {
                sent = completion.result();
                assertThat(completion.more()).isTrue();
            }
            ring.advance();
        }
        // Part of it is out, and nobody has read it: the kernel still needs the buffer.
        assertThat(sent).isPositive().isLessThan(64 << 20);
        assertThat(ring.inFlight()).isPositive();
        receive(out.asSlice(0, sent));
        assertThat(ring.drain(Duration.ofSeconds(20))).isTrue();
    }

    @Test
    @DisplayName("R10: notifications outlive the socket; what is outstanding at close is counted, not forgotten")
    void closedSocket() throws Exception {
        connect("tcp:127.0.0.1:0");
        MemorySegment out = arena.allocate(1 << 20);
        ring.next().sendZeroCopy(near, out, 0).id(1);
        Completion first = Wait.completion(ring);
        int sent = first.result();
        assertThat(sent).isPositive();
        ring.advance();
        Files.close(near);
        near = -1;
        if (ring.inFlight() > 0) {
            assertThat(ring.drain(Duration.ofMillis(1))).isIn(true, false);
        }
        receive(out.asSlice(0, sent));
        assertThat(ring.drain(Duration.ofSeconds(20))).isTrue();
    }
}
