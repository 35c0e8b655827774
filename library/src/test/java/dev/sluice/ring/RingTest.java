package dev.sluice.ring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.internal.linux.Errno;
import dev.sluice.internal.linux.Files;
import dev.sluice.internal.linux.Polling;
import dev.sluice.testkit.LeakCheck;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.BitSet;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The queues themselves: setting up, full, wrapped, overflown, waited for, polled, resized, closed. */
@Timeout(60)
@ExtendWith(LeakCheck.class)
class RingTest {

    @Test
    @DisplayName("U1: a ring opens and closes, twice; a size that no kernel takes is refused in one line")
    void opens() throws Exception {
        Ring ring = Wait.open(8);
        assertThat(ring.room()).isEqualTo(8);
        assertThat(ring.completionCapacity()).isEqualTo(32);
        assertThat(ring.features()).contains(Feature.NODROP, Feature.SUBMIT_STABLE, Feature.EXT_ARG);
        assertThat(ring.submit()).isZero();
        assertThat(ring.submitAndWait(0)).isZero();
        assertThat(ring.peek()).isNull();
        ring.close();
        ring.close();
        assertThatThrownBy(() -> Ring.open(99_999))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("99999");
    }

    @Test
    @DisplayName("U25: the kernel has exactly the flags that the ring says it has")
    void flagsAreEffective() throws Exception {
        try (Ring ring = Wait.open(new RingSetup().entries(4).with(SetupFlag.CLAMP))) {
            assertThat(ring.flags()).contains(SetupFlag.CLAMP, SetupFlag.CQSIZE);
        }
        // 6.6 has them all.
        try (Ring ring = Wait.open(4)) {
            if (ring.supports(Operation.FIXED_FD_INSTALL)) {
                assertThat(ring.flags())
                        .containsExactlyInAnyOrder(
                                SetupFlag.CQSIZE,
                                SetupFlag.NO_SQARRAY,
                                SetupFlag.DEFER_TASKRUN,
                                SetupFlag.TASKRUN_FLAG,
                                SetupFlag.SINGLE_ISSUER,
                                SetupFlag.SUBMIT_ALL);
            }
        }
        assertThatThrownBy(() -> Wait.open(
                        new RingSetup().entries(4).with(SetupFlag.SQ_AFF, SetupFlag.DEFER_TASKRUN, SetupFlag.NO_MMAP)))
                .hasMessageStartingWith("ring: io_uring_setup: E");
    }

    @Test
    @DisplayName("U29: what the kernel can do is asked, operation by operation")
    void probes() throws Exception {
        try (Ring ring = Wait.open(1)) {
            assertThat(ring.supports(Operation.NOP)).isTrue();
            assertThat(ring.supports(Operation.READ)).isTrue();
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 8, 64, 1000, 32768})
    @DisplayName("U9: every size of ring completes each of its entries, with its id")
    void everySize(int entries) throws Exception {
        try (Ring ring = Wait.open(entries)) {
            int room = ring.room();
            for (int i = 0; i < room; i++) {
                ring.next().nop().id(i);
            }
            assertThat(ring.room()).isZero();
            assertThatThrownBy(ring::next)
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("full");
            assertThat(ring.submitAndWait(room)).isEqualTo(room);
            BitSet seen = new BitSet();
            ring.reap(completion -> seen.set((int) completion.id()));
            assertThat(seen.cardinality()).isEqualTo(room);
            assertThat(ring.inFlight()).isZero();
            assertThat(ring.submissionHead()).isEqualTo(ring.submissionTail());
        }
    }

    @Test
    @DisplayName("U5, R19: counters run on through many turns of a small ring, and order is kept within a turn")
    void wraps() throws Exception {
        try (Ring ring = Wait.open(new RingSetup().entries(4).without(SetupFlag.NO_SQARRAY))) {
            long[] expected = {0};
            for (int i = 0; i < 100_000; i += 4) {
                for (int j = 0; j < 4; j++) {
                    ring.next().nop().id(i + j);
                }
                ring.submit();
                ring.reap(completion -> assertThat(completion.id()).isEqualTo(expected[0]++));
            }
            assertThat(expected[0]).isEqualTo(100_000);
            assertThat(ring.completionTail() - ring.completionHead()).isZero();
        }
    }

    @Test
    @DisplayName("U8: more completions than fit are kept by the kernel, none is lost, and the flag says so")
    void overflow() throws Exception {
        try (Ring ring = Wait.open(new RingSetup().entries(16).completions(16))) {
            BitSet seen = new BitSet();
            for (int i = 0; i < 160; i++) {
                if (ring.room() == 0 && ring.submit() == 0) {
                    ring.reap(completion -> seen.set((int) completion.id()));
                    ring.submit();
                }
                ring.next().nop().id(i);
            }
            assertThat(ring.overflown() || !seen.isEmpty()).isTrue();
            while (ring.inFlight() > 0) {
                ring.submit();
                ring.reap(completion -> seen.set((int) completion.id()));
            }
            assertThat(seen.cardinality()).isEqualTo(160);
            assertThat(ring.overflown()).isFalse();
        }
    }

    @Test
    @DisplayName("waits end with their time, and a shorter wait with the first completion")
    void waits() throws Exception {
        try (Ring ring = Wait.open(8);
                Arena arena = Arena.ofConfined()) {
            assertThat(ring.submitAndWait(1, 1_000_000)).isZero();
            assertThat(ring.peek()).isNull();
            ring.next().nop().id(7);
            // Two never come: the short time is over long before the long one.
            assertThat(ring.submitAndWait(2, TimeUnit.SECONDS.toNanos(30), TimeUnit.MILLISECONDS.toNanos(5)))
                    .isEqualTo(1);
            assertThat(Wait.result(ring)).isZero();
        }
    }

    @Test
    @DisplayName("a handler that throws has taken its completion, and only that")
    void throwingHandler() throws Exception {
        try (Ring ring = Wait.open(8)) {
            ring.next().nop().id(1);
            ring.next().nop().id(2);
            ring.submit();
            assertThatThrownBy(() -> ring.reap(completion -> {
                        throw new IllegalArgumentException("mine");
                    }))
                    .hasMessage("mine");
            assertThat(Wait.completion(ring).id()).isEqualTo(2);
            ring.advance();
            assertThatThrownBy(ring::advance).isInstanceOf(IllegalStateException.class);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    @DisplayName("U24: a failed link cancels what hangs on it, a hard one does not; a drain waits for all before it")
    void links(boolean hard) throws Exception {
        try (Ring ring = Wait.open(8)) {
            Submission first = ring.next()
                    .raw(Operation.CLOSE.ordinal(), 1 << 20, 0, 0, 0, 0)
                    .id(1);
            if (hard) {
                first.hardLink();
            } else {
                first.link();
            }
            ring.next().nop().id(2);
            ring.next().nop().id(3).drain();
            ring.submit();
            int[] results = new int[4];
            StringBuilder order = new StringBuilder();
            while (ring.inFlight() > 0) {
                order.append(Wait.completion(ring).id());
                results[(int) ring.peek().id()] = ring.peek().result();
                ring.advance();
            }
            assertThat(order.toString()).endsWith("3");
            assertThat(results[1]).isEqualTo(-Errno.EBADF);
            assertThat(results[2]).isEqualTo(hard ? 0 : -Errno.ECANCELED);
            assertThat(results[3]).isZero();
        }
    }

    @Test
    @DisplayName("a request that skips its success completes without an entry, and with one if it fails")
    void skips() throws Exception {
        try (Ring ring = Wait.open(8)) {
            ring.next().nop().id(1).skipSuccess();
            ring.next().nop().id(2);
            ring.next().close(1 << 20).id(3).skipSuccess();
            ring.submit();
            assertThat(Wait.completion(ring).id()).isEqualTo(2);
            ring.advance();
            assertThat(Wait.completion(ring).id()).isEqualTo(3);
            ring.advance();
            assertThat(ring.inFlight()).isZero();
        }
    }

    @Test
    @DisplayName("U25, R19: a polling thread of the kernel takes entries by itself, and is woken when it sleeps")
    void poller() throws Exception {
        try (Ring ring = Wait.open(new RingSetup().entries(8).poller(Duration.ofMillis(1)))) {
            assertThat(ring.flags()).contains(SetupFlag.SQPOLL).doesNotContain(SetupFlag.DEFER_TASKRUN);
            for (int i = 0; i < 200; i++) {
                ring.next().nop().id(i);
                ring.submit();
                if (i % 50 == 0) {
                    // Long enough for it to fall asleep; whether it did does not matter.
                    Thread.sleep(5);
                }
                assertThat(Wait.completion(ring).id()).isEqualTo(i);
                ring.advance();
            }
        }
    }

    @Test
    @DisplayName("a ring can be made larger and smaller with completions in it")
    void resizes() throws Exception {
        try (Ring ring = Wait.open(8)) {
            for (int i = 0; i < 6; i++) {
                ring.next().nop().id(i);
            }
            ring.submit();
            Wait.completion(ring);
            ring.advance();
            try {
                ring.resize(64, 128);
            } catch (dev.sluice.io.SluiceException e) {
                org.junit.jupiter.api.Assumptions.abort("this kernel can't resize: " + e.getMessage());
            }
            assertThat(ring.room()).isEqualTo(64);
            long[] next = {1};
            ring.reap(completion -> assertThat(completion.id()).isEqualTo(next[0]++));
            assertThat(next[0]).isEqualTo(6);
            for (int i = 0; i < 64; i++) {
                ring.next().nop().id(i);
            }
            ring.submitAndWait(64);
            assertThat(ring.reap(completion -> {})).isEqualTo(64);
            ring.resize(2, 4);
            ring.next().nop().id(9);
            assertThat(Wait.completion(ring).id()).isEqualTo(9);
            ring.advance();
        }
    }

    @Test
    @DisplayName("U28: an eventfd is rung by completions while it is registered")
    void eventFd() throws Exception {
        int event = Polling.eventFd();
        try (Ring ring = Wait.open(8);
                Arena arena = Arena.ofConfined()) {
            MemorySegment counter = arena.allocate(8, 8);
            ring.registry().eventFd(event);
            ring.next().nop();
            Wait.result(ring);
            assertThat(Files.read(event, counter.address(), 8)).isEqualTo(8);
            ring.registry().unregisterEventFd();
            ring.next().nop();
            Wait.result(ring);
            assertThat(Files.read(event, counter.address(), 8)).isEqualTo(-Errno.EAGAIN);
            ring.registry().eventFdAsync(event);
            ring.next().nop();
            Wait.result(ring);
            assertThat(Files.read(event, counter.address(), 8)).isEqualTo(-Errno.EAGAIN);
            assertThatThrownBy(() -> ring.registry().eventFd(event)).hasMessageContaining("EBUSY");
        } finally {
            Files.close(event);
        }
    }

    @Test
    @DisplayName("a ring is its thread's alone: another one is told so, and a virtual one can't even open it")
    void belongsToItsThread() throws Exception {
        try (Ring ring = Wait.open(8)) {
            Throwable[] thrown = new Throwable[1];
            Thread other = Thread.ofPlatform().start(() -> {
                try {
                    ring.next();
                } catch (Throwable t) {
                    thrown[0] = t;
                }
            });
            other.join();
            assertThat(thrown[0]).isInstanceOf(WrongThreadException.class);
            assertThat(ring.inFlight()).isZero();
        }
        assertThat(dev.sluice.testkit.Bytes.async(() -> Ring.open(8))
                        .handle((r, t) -> t)
                        .get())
                .isInstanceOf(IllegalStateException.class);
    }

    @ParameterizedTest
    @EnumSource(names = {"SQE128", "CQE32"})
    @DisplayName("entries of double size work")
    void doubleSize(SetupFlag flag) throws Exception {
        try (Ring ring = Wait.open(new RingSetup().entries(8).with(flag))) {
            for (int i = 0; i < 100; i++) {
                ring.next().nop().id(i);
                assertThat(Wait.completion(ring).id()).isEqualTo(i);
                if (flag == SetupFlag.CQE32) {
                    assertThat(ring.peek().extra(0)).isZero();
                }
                ring.advance();
            }
        }
    }

    @Test
    @DisplayName("U3: closing cancels what is in flight and waits for it")
    void closeCancels() throws Exception {
        int event = Polling.eventFd();
        Ring ring = Wait.open(8);
        ring.next().poll(event, Polling.EPOLLIN).id(1);
        ring.next().timeout(1, TimeUnit.HOURS, 0).id(2);
        ring.submit();
        assertThat(ring.inFlight()).isEqualTo(2);
        ring.close();
        assertThat(ring.inFlight()).isZero();
        Files.close(event);
    }

    @Test
    @DisplayName("msg_ring: a ring writes a completion into another one")
    void messages() throws Exception {
        try (Ring one = Wait.open(8);
                Ring two = Wait.open(8)) {
            one.next().message(two.fd(), 42, 4711).id(1);
            assertThat(Wait.result(one)).isZero();
            assertThat(Wait.completion(two).id()).isEqualTo(4711);
            assertThat(two.peek().result()).isEqualTo(42);
            two.advance();
        }
    }

    @Test
    @DisplayName("U6: submitting and reaping allocates nothing")
    void allocatesNothing() throws Exception {
        com.sun.management.ThreadMXBean threads =
                (com.sun.management.ThreadMXBean) java.lang.management.ManagementFactory.getThreadMXBean();
        try (Ring ring = Wait.open(32)) {
            long[] sum = new long[1];
            Ring.Handler handler = completion -> sum[0] += completion.id();
            long rest = Long.MAX_VALUE;
            int rounds = 0;
            // The JDK's linker slices the memory for errno at each call: 40 bytes, unless the compiler removes them.
            long most = 1000 * 40 + 1000;
            // Until the compiler is done, which takes its time when others compile, too.
            for (; rest >= most && rounds < 300; rounds++) {
                long before = threads.getCurrentThreadAllocatedBytes();
                for (int i = 0; i < 1000; i++) {
                    for (int j = 0; j < 32; j++) {
                        ring.next().nop().id(j);
                    }
                    ring.submitAndWait(32, 1_000_000_000L);
                    ring.reap(handler);
                }
                rest = threads.getCurrentThreadAllocatedBytes() - before;
            }
            assertThat(sum[0]).isEqualTo(rounds * 1000L * 31 * 16);
            // 32000 operations, which the smallest object each would make half a megabyte, and 1000 calls.
            assertThat(rest).isLessThan(most);
        }
    }
}
