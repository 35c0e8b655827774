package dev.sluice.ring;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.internal.linux.Errno;
import dev.sluice.internal.linux.Sockets;
import dev.sluice.io.Endpoint;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.LeakCheck;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Buffers that the kernel chooses: whole ones, parts of one, several at once, none left. */
@Timeout(60)
@ExtendWith(LeakCheck.class)
class BufferRingTest {
    private static final int COUNT = 8;
    private static final int SIZE = 1024;

    private Ring ring;
    private Arena arena;
    private int near;
    private int far;

    enum Mode {
        WHOLE,
        INCREMENTAL,
        BUNDLE
    }

    @BeforeEach
    void open() throws IOException {
        ring = Wait.open(8);
        arena = Arena.ofConfined();
        int listener = Sockets.stream(Sockets.AF_INET);
        Sockets.bind(listener, Endpoint.parse("127.0.0.1:0"));
        Sockets.listen(listener, 1);
        near = Sockets.stream(Sockets.AF_INET);
        Sockets.connect(near, Sockets.localAddress(listener));
        ring.next().accept(listener, 0x800);
        far = Wait.result(ring);
        dev.sluice.internal.linux.Files.close(listener);
    }

    @AfterEach
    void close() {
        if (ring != null) {
            ring.close();
            arena.close();
            dev.sluice.internal.linux.Files.close(near);
            dev.sluice.internal.linux.Files.close(far);
        }
    }

    private BufferRing buffers(Mode mode) throws IOException {
        Assumptions.assumeTrue(mode == Mode.WHOLE || ring.features().contains(Feature.MIN_TIMEOUT), "older than 6.12");
        RingRegistry registry = ring.registry();
        return mode == Mode.INCREMENTAL
                ? registry.incrementalBufferRing(3, COUNT, SIZE)
                : registry.bufferRing(3, COUNT, SIZE);
    }

    @ParameterizedTest
    @EnumSource
    @DisplayName("a multishot receive gives every byte in order through buffers that go round and round")
    void receives(Mode mode) throws Exception {
        byte[] sent = Bytes.random(1, 200_000);
        MemorySegment out = arena.allocateFrom(JAVA_BYTE, sent);
        byte[] received = new byte[sent.length];
        int[] at = new int[2];
        try (BufferRing buffers = buffers(mode)) {
            assertThat(buffers.available()).isEqualTo(COUNT);
            boolean armed = false;
            while (at[0] < sent.length) {
                if (!armed) {
                    Submission receive = ring.next()
                            .receive(far, 0)
                            .select(3)
                            .receiveMultishot()
                            .id(1);
                    if (mode == Mode.BUNDLE) {
                        receive.bundle();
                    }
                    armed = true;
                }
                int chunk = (int) Math.min(700 + at[1] % 5000, out.byteSize() - at[1]);
                if (chunk > 0) {
                    at[1] += (int) Math.max(0, Sockets.send(near, out.address() + at[1], chunk));
                }
                Completion completion = Wait.completion(ring);
                assertThat(completion.result() > 0 || completion.result() == -Errno.ENOBUFS)
                        .as(completion.toString())
                        .isTrue();
                armed = completion.more();
                List<Integer> finished = new ArrayList<>();
                buffers.take(completion, (buffer, offset, length, done) -> {
                    MemorySegment.copy(buffers.memory(), JAVA_BYTE, offset, received, at[0], length);
                    at[0] += length;
                    if (done) {
                        finished.add(buffer);
                    }
                });
                ring.advance();
                finished.forEach(buffers::recycle);
            }
            ring.next().cancelAll();
            while (ring.inFlight() > 0) {
                Wait.result(ring);
            }
        }
        assertThat(Arrays.mismatch(received, sent)).isEqualTo(-1);
    }

    @Test
    @DisplayName("a single receive of a bundle fills several buffers at once, in order")
    void oneBundle() throws Exception {
        byte[] sent = Bytes.random(2, 5 * SIZE + 100);
        try (BufferRing buffers = buffers(Mode.BUNDLE)) {
            Sockets.send(near, arena.allocateFrom(JAVA_BYTE, sent).address(), sent.length);
            byte[] received = new byte[sent.length];
            int[] at = new int[1];
            int most = 0;
            while (at[0] < sent.length) {
                ring.next().receive(far, 0).select(3).bundle();
                int[] pieces = new int[1];
                buffers.take(Wait.completion(ring), (buffer, offset, length, done) -> {
                    MemorySegment.copy(buffers.memory(), JAVA_BYTE, offset, received, at[0], length);
                    at[0] += length;
                    pieces[0]++;
                    buffers.recycle(buffer);
                });
                ring.advance();
                most = Math.max(most, pieces[0]);
            }
            assertThat(Arrays.mismatch(received, sent)).isEqualTo(-1);
            assertThat(most).isGreaterThan(1);
        }
    }

    @Test
    @DisplayName("a single send of a bundle takes all the buffers, in order")
    void sendsBundle() throws Exception {
        byte[] content = Bytes.random(3, COUNT * SIZE);
        try (BufferRing buffers = buffers(Mode.BUNDLE)) {
            MemorySegment.copy(content, 0, buffers.memory(), JAVA_BYTE, 0, content.length);
            ring.next().send(near, 0).select(3).bundle();
            int[] order = new int[1];
            int sent = Wait.completion(ring).result();
            buffers.take(
                    ring.peek(),
                    (buffer, offset, length, done) -> assertThat(buffer).isEqualTo(order[0]++));
            ring.advance();
            assertThat(sent).isEqualTo(content.length);
            assertThat(order[0]).isEqualTo(COUNT);
            MemorySegment in = arena.allocate(content.length);
            ring.next().receive(far, in, 0x100);
            assertThat(Wait.result(ring)).isEqualTo(content.length);
            assertThat(Arrays.mismatch(in.toArray(JAVA_BYTE), content)).isEqualTo(-1);
        }
    }

    @Test
    @DisplayName("without a buffer left a receive ends with ENOBUFS, and goes on after one was given back")
    void runsOut() throws Exception {
        try (BufferRing buffers = buffers(Mode.WHOLE)) {
            MemorySegment out = arena.allocate(SIZE);
            int[] last = new int[1];
            for (int i = 0; i < COUNT; i++) {
                Sockets.send(near, out.address(), SIZE);
                ring.next().receive(far, 0x100).select(3);
                buffers.take(Wait.completion(ring), (buffer, offset, length, done) -> last[0] = buffer);
                ring.advance();
            }
            assertThat(buffers.available()).isZero();
            Sockets.send(near, out.address(), SIZE);
            ring.next().receive(far, 0).select(3);
            assertThat(Wait.result(ring)).isEqualTo(-Errno.ENOBUFS);
            buffers.recycle(last[0]);
            ring.next().receive(far, 0).select(3);
            assertThat(Wait.result(ring)).isPositive();
        }
    }

    @Test
    @DisplayName("a buffer given back twice is noticed; buffers in use are not freed; sizes are checked")
    void misuse() throws Exception {
        BufferRing buffers = buffers(Mode.WHOLE);
        assertThatThrownBy(() -> buffers.recycle(0)).isInstanceOf(IllegalStateException.class);
        ring.next().timeout(1, TimeUnit.HOURS, 0);
        ring.submit();
        assertThatThrownBy(buffers::close).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> ring.registry().bufferRing(3, COUNT, SIZE)).hasMessageContaining("EEXIST");
        assertThatThrownBy(() -> ring.registry().bufferRing(4, 3, SIZE)).isInstanceOf(IllegalArgumentException.class);
        assertThat(ring.drain(java.time.Duration.ofSeconds(5))).isTrue();
        buffers.close();
        buffers.close();
    }
}
