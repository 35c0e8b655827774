package dev.sluice.internal.fd;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.Pipeline;
import dev.sluice.Sluice;
import dev.sluice.file.KernelFile;
import dev.sluice.io.Route;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Pair;
import java.io.ByteArrayInputStream;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

@ExtendWith(LeakCheck.class)
@Timeout(30)
class CopyBufferTest {
    private final List<CopyBuffer> held = new ArrayList<>();

    @AfterEach
    void giveBackAll() {
        while (!held.isEmpty()) {
            CopyBuffer.giveBack(held.removeLast());
        }
    }

    private void borrowAll() {
        Waiter nobody = () -> {};
        CopyBuffer buffer;
        while ((buffer = CopyBuffer.borrow(nobody)) != null) {
            held.add(buffer);
        }
        // The loop's last try left "nobody" in the queue; one buffer back and out again takes it off.
        CopyBuffer.giveBack(held.removeLast());
        held.add(CopyBuffer.borrow(nobody));
    }

    @Test
    @DisplayName("S33: copying holds at most the bound, and who finds nothing is told when a buffer comes back")
    void waitersAreToldInOrder() {
        borrowAll();
        assertThat(held).hasSize(CopyBuffer.MAX);
        List<String> told = new ArrayList<>();
        assertThat(CopyBuffer.borrow(() -> told.add("first"))).isNull();
        assertThat(CopyBuffer.borrow(() -> told.add("second"))).isNull();
        CopyBuffer.giveBack(held.removeLast());
        assertThat(told).containsExactly("first");
        CopyBuffer.giveBack(held.removeLast());
        assertThat(told).containsExactly("first", "second");
    }

    @Test
    @DisplayName("S27: a buffer for a moment is to be had beyond the bound, and does not stay")
    void brieflyGoesBeyondTheBound() {
        borrowAll();
        CopyBuffer extra = CopyBuffer.borrowBriefly();
        assertThat(extra).isNotNull();
        assertThat(CopyBuffer.borrow(() -> {})).as("the bound holds meanwhile").isNull();
        CopyBuffer.giveBack(extra);
        assertThat(CopyBuffer.borrow(() -> {})).as("the bound holds").isNull();
        CopyBuffer.giveBack(held.removeLast());
        held.add(CopyBuffer.borrow(() -> {}));
    }

    @Test
    @DisplayName("S27: a transfer that waits for its turn and is cancelled does not swallow the next one's turn")
    void cancelledWaiterPassesItsTurnOn() throws Exception {
        byte[] payload = Bytes.random(7, 50_000);
        try (Pair cancelled = Pair.open(Pair.Kind.TCP);
                Pair source = Pair.open(Pair.Kind.TCP);
                Pair sink = Pair.open(Pair.Kind.TCP)) {
            Bytes.write(source.near(), payload, payload.length);
            source.near().shutdownOutput();
            borrowAll();
            // Buffers lent for a moment wake the head of the queue too; these two keep the cancelled one from the head.
            assertThat(CopyBuffer.borrow(() -> {})).isNull();
            assertThat(CopyBuffer.borrow(() -> {})).isNull();
            CompletableFuture<Thread> thread = new CompletableFuture<>();
            CompletableFuture<Object> first = Bytes.async(() -> {
                thread.complete(Thread.currentThread());
                return copy(cancelled, cancelled);
            });
            awaitParked(thread.get(10, TimeUnit.SECONDS));
            CompletableFuture<Thread> otherThread = new CompletableFuture<>();
            CompletableFuture<Object> second = Bytes.async(() -> {
                otherThread.complete(Thread.currentThread());
                return copy(source, sink);
            });
            awaitParked(otherThread.get(10, TimeUnit.SECONDS));

            thread.join().interrupt();
            assertThat(first).failsWithin(10, TimeUnit.SECONDS);
            CopyBuffer.giveBack(held.removeLast());

            second.get(10, TimeUnit.SECONDS);
            assertThat(Bytes.read(sink.far(), payload.length)).isEqualTo(payload);
        }
    }

    private static Object copy(Pair source, Pair sink) throws Exception {
        return Pipeline.from(source.far()).route(Route.COPY).to(sink.near());
    }

    private static void awaitParked(Thread thread) throws InterruptedException {
        while (thread.getState() != Thread.State.WAITING && thread.getState() != Thread.State.TIMED_WAITING) {
            Thread.sleep(5);
        }
        // Parked means handed over; its step follows at once on a loop.
        Thread.sleep(100);
    }

    @Test
    @DisplayName("S27: who was told once and asks again is not queued twice")
    void noTurnIsSpentTwice() {
        borrowAll();
        AtomicInteger eager = new AtomicInteger();
        AtomicInteger patient = new AtomicInteger();
        Waiter twice = eager::incrementAndGet;
        assertThat(CopyBuffer.borrow(twice)).isNull();
        // A spurious wake-up makes a pump ask again.
        assertThat(CopyBuffer.borrow(twice)).isNull();
        assertThat(CopyBuffer.borrow(patient::incrementAndGet)).isNull();
        CopyBuffer.giveBack(held.removeLast());
        held.add(CopyBuffer.borrow(twice));
        assertThat(eager).hasValue(1);
        CopyBuffer.giveBack(held.removeLast());
        assertThat(patient).as("the second buffer is the patient one's").hasValue(1);
    }

    @Test
    @DisplayName("S34: whatever a borrower did to the view, the next one can write a whole buffer through it")
    void viewOfALentBufferIsWhole(@TempDir Path directory) throws Exception {
        byte[] payload = Bytes.random(3, 50_000);
        Path path = Files.write(directory.resolve("ten"), new byte[10]);
        try (KernelFile file = KernelFile.open(path, StandardOpenOption.READ);
                Pair pair = Pair.open(Pair.Kind.TCP)) {
            // A short read leaves a small limit on the view ...
            assertThat(file.read(ByteBuffer.allocate(100))).isEqualTo(10);
            // ... of the buffer that this write is lent next.
            Bytes.write(pair.near(), payload, payload.length);
            assertThat(Bytes.read(pair.far(), payload.length)).isEqualTo(payload);
        }
    }

    @Test
    @DisplayName("S34: a foreign channel's short read or write does not shrink what the next borrower is lent")
    void viewIsWholeAfterAForeignChannel() throws Exception {
        byte[] payload = Bytes.random(4, 50_000);
        try (Pair pair = Pair.open(Pair.Kind.TCP)) {
            Sluice.transfer(Channels.newChannel(new ByteArrayInputStream(new byte[10])), pair.near(), 5);
            Bytes.write(pair.near(), payload, payload.length);
            assertThat(Bytes.read(pair.far(), payload.length + 5)).endsWith(payload);
        }
    }
}
