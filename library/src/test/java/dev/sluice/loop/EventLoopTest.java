package dev.sluice.loop;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.internal.fd.Descriptors;
import dev.sluice.pipe.KernelPipe;
import dev.sluice.testkit.LeakCheck;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(LeakCheck.class)
@Timeout(30)
class EventLoopTest {
    private EventLoop loop;

    @BeforeEach
    void open() throws Exception {
        loop = EventLoop.open("event-loop-test");
    }

    @AfterEach
    void close() {
        loop.close();
    }

    private static void write(KernelPipe pipe) {
        try {
            pipe.sink().write(ByteBuffer.wrap(new byte[1]));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void barrier() throws InterruptedException {
        CountDownLatch passed = new CountDownLatch(1);
        loop.execute(passed::countDown);
        assertThat(passed.await(10, TimeUnit.SECONDS)).isTrue();
    }

    @Test
    @DisplayName("S37: tasks run on the loop's own thread, in the order of one caller")
    void tasksRunInOrder() throws Exception {
        List<Integer> order = Collections.synchronizedList(new ArrayList<>());
        AtomicBoolean elsewhere = new AtomicBoolean(loop.inLoop());
        for (int i = 0; i < 10_000; i++) {
            int number = i;
            loop.execute(() -> {
                order.add(number);
                elsewhere.compareAndSet(false, !loop.inLoop());
            });
        }
        barrier();
        assertThat(order).hasSize(10_000).isSorted();
        assertThat(elsewhere).isFalse();
    }

    @Test
    @DisplayName("S29: no task of many threads is lost, however often the loop falls asleep in between")
    void tasksOfManyThreads() throws Exception {
        AtomicInteger ran = new AtomicInteger();
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            boolean virtual = i % 2 == 0;
            threads.add((virtual ? Thread.ofVirtual() : Thread.ofPlatform()).start(() -> {
                for (int j = 0; j < 20_000; j++) {
                    loop.execute(ran::incrementAndGet);
                    if (j % 500 == 0) {
                        Thread.yield();
                    }
                }
            }));
        }
        for (Thread thread : threads) {
            thread.join();
        }
        barrier();
        assertThat(ran).hasValue(160_000);
    }

    @Test
    @DisplayName("S29: every single wake-up of a sleeping loop arrives")
    void oneWakeUpAfterTheOther() throws Exception {
        for (int i = 0; i < 2000; i++) {
            barrier();
        }
    }

    @Test
    @DisplayName("S34: timers fire in the order of their times, whatever the order of their making")
    void timersFireInOrder() throws Exception {
        List<Integer> fired = Collections.synchronizedList(new ArrayList<>());
        CountDownLatch all = new CountDownLatch(20);
        for (int i = 0; i < 20; i++) {
            int when = (i * 7) % 20;
            loop.schedule(TimeUnit.MILLISECONDS.toNanos(100 + when * 5), () -> {
                fired.add(when);
                all.countDown();
            });
        }
        assertThat(all.await(10, TimeUnit.SECONDS)).isTrue();
        assertThat(fired).isSorted().hasSize(20);
    }

    @Test
    @DisplayName("S34: a timer never fires early, and a cancelled one never")
    void cancelledTimer() throws Exception {
        long start = System.nanoTime();
        List<Long> fired = Collections.synchronizedList(new ArrayList<>());
        CountDownLatch done = new CountDownLatch(1);
        EventLoop.Timer cancelled = loop.schedule(50_000_000, () -> fired.add(-1L));
        loop.schedule(100_000_000, () -> {
            fired.add(System.nanoTime() - start);
            done.countDown();
        });
        cancelled.cancel();
        assertThat(done.await(10, TimeUnit.SECONDS)).isTrue();
        assertThat(fired).hasSize(1);
        assertThat(fired.getFirst()).isGreaterThanOrEqualTo(100_000_000L);
    }

    @Test
    @DisplayName("S37: who becomes ready waits for one of the turns that take long, not for all of them")
    void longTurnsLetOthersThrough() throws Exception {
        List<String> order = Collections.synchronizedList(new ArrayList<>());
        CountDownLatch ended = new CountDownLatch(1);
        try (KernelPipe pipe = KernelPipe.open()) {
            Watch watch = Watch.of(Descriptors.source(pipe.source()), loop);
            watch.clear(Watch.READ);
            assertThat(watch.arm(Watch.READ, () -> loop.execute(() -> order.add("message"))))
                    .isTrue();
            loop.execute(() -> {
                loop.executeLong(() -> {
                    order.add("first");
                    write(pipe);
                });
                loop.executeLong(() -> order.add("second"));
                loop.executeLong(ended::countDown);
            });
            assertThat(ended.await(10, TimeUnit.SECONDS)).isTrue();
        }
        assertThat(order).containsExactly("first", "message", "second");
    }

    @Test
    @DisplayName("S34: a timer fires although the loop is busy with tasks that make tasks")
    void timersAreNotStarved() throws Exception {
        AtomicBoolean fired = new AtomicBoolean();
        CountDownLatch ended = new CountDownLatch(1);
        loop.schedule(50_000_000, () -> fired.set(true));
        loop.execute(new Runnable() {
            @Override
            public void run() {
                if (fired.get()) {
                    ended.countDown();
                } else {
                    loop.execute(this);
                }
            }
        });
        assertThat(ended.await(10, TimeUnit.SECONDS)).isTrue();
    }

    @Test
    @DisplayName("S29: an exception of a task or a timer does not end the loop")
    void exceptionsAreSurvived() throws Exception {
        loop.execute(() -> {
            throw new IllegalStateException("on purpose, of the test");
        });
        loop.execute(() -> {
            throw new AssertionError("on purpose, of the test");
        });
        loop.schedule(1, () -> {
            throw new IllegalStateException("on purpose, of the test");
        });
        barrier();
        barrier();
    }

    @Test
    @DisplayName("S29: a closed loop refuses tasks and gives its descriptors back")
    void closedLoopRefuses() throws Exception {
        int before = LeakCheck.descriptors().size();
        EventLoop other = EventLoop.open("event-loop-test-2");
        assertThat(LeakCheck.descriptors().size()).isGreaterThan(before);
        other.close();
        assertThatThrownBy(() -> other.execute(() -> {})).isInstanceOf(RejectedExecutionException.class);
        assertThatThrownBy(() -> other.schedule(1, () -> {})).isInstanceOf(RejectedExecutionException.class);
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
        while (LeakCheck.descriptors().size() > before && System.nanoTime() < deadline) {
            Thread.sleep(5);
        }
        assertThat(LeakCheck.descriptors()).hasSize(before);
    }

    @Test
    @DisplayName("S29: closing a loop twice closes nobody else's descriptors")
    void closingTwice() throws Exception {
        EventLoop other = EventLoop.open("event-loop-test-3");
        int before = LeakCheck.descriptors().size();
        other.close();
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
        while (LeakCheck.descriptors().size() == before && System.nanoTime() < deadline) {
            Thread.sleep(5);
        }
        // What is opened now may get the numbers that were the loop's.
        try (var first = dev.sluice.pipe.KernelPipe.open();
                var second = dev.sluice.pipe.KernelPipe.open()) {
            other.close();
            Thread.sleep(50);
            assertThat(first.available())
                    .as("nobody wrote into a number that was the loop's")
                    .isZero();
            assertThat(second.available()).isZero();
        }
    }
}
