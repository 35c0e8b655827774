package dev.sluice.ring;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.internal.linux.Errno;
import dev.sluice.internal.linux.Files;
import dev.sluice.internal.linux.Polling;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Parked;
import java.io.InterruptedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.SocketTimeoutException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Any thread may call, and waits for its own operation alone. */
@Timeout(60)
@ExtendWith(LeakCheck.class)
class SharedRingTest {
    @TempDir
    Path directory;

    private SharedRing ring;
    private int event;

    @BeforeEach
    void open() throws Exception {
        ring = SharedRing.open(8);
        Assumptions.assumeTrue(ring.reason() == null, ring.reason());
        event = Polling.eventFd();
    }

    @AfterEach
    void close() {
        ring.close();
        if (event > 0) {
            Files.close(event);
        }
    }

    private int pollEvent() throws Exception {
        return ring.perform(s -> s.poll(event, Polling.EPOLLIN));
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    @DisplayName(
            "a waiting thread is woken by its own completion, while others wait on, on platform and virtual threads")
    void wakesTheRightOne(boolean virtual) throws Exception {
        List<Integer> events = new ArrayList<>();
        List<Parked<Integer>> waiting = new ArrayList<>();
        for (int i = 0; i < 30; i++) {
            int own = Polling.eventFd();
            events.add(own);
            Bytes.Call<Integer> call = () -> ring.perform(s -> s.poll(own, Polling.EPOLLIN));
            waiting.add(virtual ? Parked.virtual(call) : Parked.platform(call));
        }
        for (int i = 29; i >= 0; i--) {
            Polling.signal(events.get(i));
            assertThat(waiting.get(i).get()).isEqualTo(Polling.EPOLLIN);
            assertThat(i == 0 || !waiting.get(0).done()).isTrue();
            Files.close(events.get(i));
        }
    }

    @Test
    @DisplayName("what a thread submitted outlives the thread that carried it, and a collection goes on meanwhile")
    void carriersExit() throws Exception {
        Parked<Integer> waiting = Parked.platform(this::pollEvent);
        CompletableFuture<Integer> other = new CompletableFuture<>();
        Thread shortLived = Thread.ofPlatform().start(() -> {
            try {
                other.complete(ring.perform(Submission::nop));
            } catch (Exception e) {
                other.completeExceptionally(e);
            }
        });
        shortLived.join();
        assertThat(other.get()).isZero();
        // With a critical downcall this would never come back (JUring).
        System.gc();
        assertThat(waiting.done()).isFalse();
        Polling.signal(event);
        assertThat(waiting.get()).isEqualTo(Polling.EPOLLIN);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    @DisplayName("an interrupt cancels the operation; the status stays, the ring works on")
    void interrupt(boolean virtual) throws Exception {
        Bytes.Call<Integer> call = () -> {
            try {
                return pollEvent();
            } catch (InterruptedIOException e) {
                assertThat(Thread.currentThread().isInterrupted()).isTrue();
                throw e;
            }
        };
        Parked<Integer> waiting = virtual ? Parked.virtual(call) : Parked.platform(call);
        waiting.thread().interrupt();
        assertThat(waiting.failure()).isExactlyInstanceOf(InterruptedIOException.class);
        assertThat(ring.perform(Submission::nop)).isZero();
        Thread.currentThread().interrupt();
        assertThatThrownBy(this::pollEvent).isInstanceOf(InterruptedIOException.class);
        assertThat(Thread.interrupted()).isTrue();
    }

    @Test
    @DisplayName("a time-out cancels the operation; one that ends in time is not touched by it")
    void timeout() throws Exception {
        assertThatThrownBy(() -> ring.perform(s -> s.poll(event, Polling.EPOLLIN), Duration.ofMillis(5)))
                .isInstanceOf(SocketTimeoutException.class);
        Polling.signal(event);
        assertThat(ring.perform(s -> s.poll(event, Polling.EPOLLIN), Duration.ofMinutes(1)))
                .isEqualTo(Polling.EPOLLIN);
    }

    @Test
    @DisplayName("closing ends those who wait, and nobody is left waiting who comes late")
    void closeWakes() throws Exception {
        Parked<Integer> one = Parked.virtual(this::pollEvent);
        Parked<Integer> two = Parked.platform(this::pollEvent);
        ring.close();
        assertThat(one.get()).isEqualTo(-Errno.ECANCELED);
        assertThat(two.get()).isEqualTo(-Errno.ECANCELED);
        assertThatThrownBy(this::pollEvent).isInstanceOf(IllegalStateException.class);
        ring.close();
    }

    @Test
    @DisplayName("closing while threads keep calling: each call ends, with a result, a cancellation or a refusal")
    void closeRace() throws Exception {
        for (int round = 0; round < 20; round++) {
            SharedRing own = SharedRing.open(8);
            CountDownLatch running = new CountDownLatch(8);
            List<CompletableFuture<Object>> callers = new ArrayList<>();
            for (int i = 0; i < 8; i++) {
                callers.add(Bytes.async(() -> {
                    running.countDown();
                    try {
                        int result;
                        while ((result = own.perform(Submission::nop)) == 0) {
                            // Again.
                        }
                        return result;
                    } catch (IllegalStateException e) {
                        return -Errno.ECANCELED;
                    }
                }));
            }
            running.await();
            own.close();
            for (CompletableFuture<Object> caller : callers) {
                assertThat(caller.get()).isEqualTo(-Errno.ECANCELED);
            }
        }
    }

    @Test
    @DisplayName("an entry that throws is its caller's trouble alone")
    void throwingEntry() throws Exception {
        assertThatThrownBy(() -> ring.perform(s -> {
                    s.nop().link();
                    s.read(0, MemorySegment.ofArray(new byte[1]), 0);
                }))
                .isInstanceOf(IllegalArgumentException.class);
        assertThat(ring.perform(Submission::nop)).isZero();
        assertThatThrownBy(() -> ring.perform(s -> {
                    try {
                        ring.perform(Submission::nop);
                    } catch (java.io.IOException e) {
                        throw new AssertionError(e);
                    }
                }))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("own thread");
    }

    @Test
    @DisplayName("a wait for nothing costs no processor time, and neither does back-pressure of the queue")
    void noSpin() throws Exception {
        List<Parked<Integer>> waiting = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            waiting.add(Parked.virtual(this::pollEvent));
        }
        ring.perform(Submission::nop);
        long before = ring.systemCalls();
        Thread.sleep(50);
        assertThat(ring.systemCalls() - before).isLessThanOrEqualTo(1);
        Polling.signal(event);
        for (Parked<Integer> one : waiting) {
            assertThat(one.get()).isEqualTo(Polling.EPOLLIN);
        }
    }

    @Test
    @DisplayName("U7: operations that come within the hold-up share one system call")
    void heldUp() throws Exception {
        try (SharedRing slow = SharedRing.open(64, Duration.ofMillis(200));
                Arena arena = Arena.ofShared()) {
            slow.perform(Submission::nop);
            long before = slow.systemCalls();
            List<CompletableFuture<Integer>> calls = new ArrayList<>();
            for (int i = 0; i < 20; i++) {
                calls.add(Bytes.async(() -> slow.perform(Submission::nop)));
            }
            for (CompletableFuture<Integer> call : calls) {
                assertThat(call.get()).isZero();
            }
            // One, and one or two for the sleep that a request ended.
            assertThat(slow.systemCalls() - before).isLessThanOrEqualTo(4);
        }
    }

    @Test
    @DisplayName("many threads under load share system calls")
    void batches() throws Exception {
        int file = Wait.file(directory.resolve("batch"));
        AtomicInteger operations = new AtomicInteger();
        try (SharedRing wide = SharedRing.open(256);
                Arena arena = Arena.ofShared()) {
            MemorySegment bytes = arena.allocate(512);
            List<CompletableFuture<Object>> writers = new ArrayList<>();
            for (int i = 0; i < 64; i++) {
                long offset = i * 512L;
                writers.add(Bytes.async(() -> {
                    for (int j = 0; j < 500; j++) {
                        assertThat(wide.perform(s -> s.write(file, bytes, offset)))
                                .isEqualTo(512);
                        operations.incrementAndGet();
                    }
                    return null;
                }));
            }
            for (CompletableFuture<Object> writer : writers) {
                writer.get();
            }
            System.out.printf(
                    "64 writers: %d operations in %d system calls of the ring%n", operations.get(), wide.systemCalls());
            assertThat(wide.systemCalls()).isLessThan(operations.get());
        } finally {
            Files.close(file);
        }
    }

    @Test
    @DisplayName("U8: four readers of one file through a ring of 8, each gets its own bytes")
    void concurrentReaders() throws Exception {
        byte[] content = Bytes.random(3, 800 * 64);
        java.nio.file.Files.write(directory.resolve("read"), content);
        int file = Wait.file(directory.resolve("read"));
        List<CompletableFuture<Object>> readers = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            readers.add(Bytes.async(() -> {
                try (Arena arena = Arena.ofConfined()) {
                    MemorySegment into = arena.allocate(64);
                    for (int j = 0; j < 800; j++) {
                        long offset = j * 64L;
                        ring.perform(s -> s.read(file, into, offset));
                        byte[] found = into.toArray(JAVA_BYTE);
                        assertThat(java.util.Arrays.mismatch(found, 0, 64, content, j * 64, j * 64 + 64))
                                .isEqualTo(-1);
                    }
                }
                return null;
            }));
        }
        for (CompletableFuture<Object> reader : readers) {
            reader.get();
        }
        Files.close(file);
    }
}
