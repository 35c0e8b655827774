package dev.sluice.ring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.internal.linux.Errno;
import dev.sluice.internal.linux.Rings;
import dev.sluice.io.SluiceException;
import dev.sluice.testkit.LeakCheck;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** What a ring is told before it is enabled, and what it may do then. */
@Timeout(60)
@ExtendWith(LeakCheck.class)
class RingSetupTest {
    @TempDir
    Path directory;

    /** Skips the test if the kernel does not know what was asked for. */
    private static Ring open(RingSetup setup) throws IOException {
        try {
            return Wait.open(setup.entries(8));
        } catch (SluiceException e) {
            Assumptions.assumeFalse(e.errno() == Errno.EINVAL, e.getMessage());
            throw e;
        }
    }

    @Test
    @DisplayName("a disabled ring registers and queues, hands nothing over, and works once it is enabled")
    void disabled() throws Exception {
        int file = Wait.file(directory.resolve("file"));
        try (Ring ring = open(new RingSetup().with(SetupFlag.R_DISABLED))) {
            assertThat(ring.flags()).contains(SetupFlag.R_DISABLED);
            ring.registry().files(file);
            ring.next().sync(0).fixedFile().id(5);
            assertThatThrownBy(ring::submit).hasMessageContaining("EBADFD").hasMessageContaining("enable()");
            assertThat(ring.queued()).isEqualTo(1);
            ring.enable();
            assertThat(ring.flags()).doesNotContain(SetupFlag.R_DISABLED);
            assertThat(Wait.completion(ring).id()).isEqualTo(5);
            assertThat(Wait.result(ring)).isZero();
            assertThatThrownBy(ring::enable).hasMessageContaining("EBADFD");
        } finally {
            dev.sluice.internal.linux.Files.close(file);
        }
    }

    @Test
    @DisplayName("a ring that was never enabled closes at once, with what was queued")
    void neverEnabled() throws Exception {
        Ring ring = open(new RingSetup().with(SetupFlag.R_DISABLED));
        ring.next().nop();
        assertThat(ring.drain(Duration.ofDays(1))).isTrue();
        ring.close();
    }

    @Test
    @DisplayName(
            "a restricted ring does what is allowed, as it is demanded; all else is refused, and it closes as any other")
    void restricted() throws Exception {
        int file = Wait.file(directory.resolve("file"));
        RingSetup setup = new RingSetup()
                .with(SetupFlag.R_DISABLED)
                .allow(Operation.WRITE, Operation.TIMEOUT)
                .allow(EntryFlag.ASYNC)
                .demand(EntryFlag.FIXED_FILE)
                .allowRegistrations(Rings.IORING_REGISTER_FILES_UPDATE);
        Ring ring = open(setup);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment bytes = arena.allocate(10);
            ring.registry().files(file, -1);
            ring.registry().bufferRing(1, 2, 64);
            ring.enable();

            ring.next().write(0, bytes, 0).fixedFile();
            assertThat(Wait.result(ring)).isEqualTo(10);
            ring.next().write(0, bytes, 10).fixedFile().async();
            assertThat(Wait.result(ring)).isEqualTo(10);
            ring.next().write(file, bytes, 0);
            assertThat(Wait.result(ring)).as("not by a registered file").isEqualTo(-Errno.EACCES);
            ring.next().write(0, bytes, 0).fixedFile().drain();
            assertThat(Wait.result(ring)).as("a flag").isEqualTo(-Errno.EACCES);
            ring.next().read(0, bytes, 0).fixedFile();
            assertThat(Wait.result(ring)).as("an operation").isEqualTo(-Errno.EACCES);

            ring.registry().updateFiles(1, file);
            ring.next().write(1, bytes, 20).fixedFile();
            assertThat(Wait.result(ring)).isEqualTo(10);
            assertThatThrownBy(() -> ring.registry().buffers(bytes)).hasMessageContaining("EACCES");

            ring.next().timeout(1, TimeUnit.HOURS, 0).fixedFile();
            ring.submit();
        } finally {
            // With a buffer ring, a number of the thread's and a request in flight, whose ends are registrations.
            ring.close();
            dev.sluice.internal.linux.Files.close(file);
        }
        assertThat(ring.inFlight()).isZero();
        assertThat(Files.size(directory.resolve("file"))).isEqualTo(30);
    }

    @Test
    @DisplayName("a restriction is in force when the ring is opened, unless it is to be disabled")
    void restrictedAtOnce() throws Exception {
        try (Ring ring = open(new RingSetup().allow(Operation.NOP))) {
            assertThat(ring.flags()).doesNotContain(SetupFlag.R_DISABLED);
            ring.next().nop();
            assertThat(Wait.result(ring)).isZero();
            ring.next().close(1 << 20);
            assertThat(Wait.result(ring)).isEqualTo(-Errno.EACCES);
        }
    }

    @Test
    @DisplayName("waits whose time is in registered memory end with it, and a shorter wait with the first completion")
    void registeredWaits() throws Exception {
        try (Ring ring = open(new RingSetup().registeredWaits())) {
            assertThat(ring.flags()).doesNotContain(SetupFlag.R_DISABLED);
            assertThat(ring.submitAndWait(1, 1_000_000)).isZero();
            assertThat(ring.peek()).isNull();
            ring.next().nop().id(7);
            // Two never come: the short time is over long before the long one.
            assertThat(ring.submitAndWait(2, TimeUnit.SECONDS.toNanos(30), TimeUnit.MILLISECONDS.toNanos(5)))
                    .isEqualTo(1);
            assertThat(Wait.result(ring)).isZero();
            ring.next().timeout(1, TimeUnit.MILLISECONDS, 0);
            assertThat(Wait.result(ring)).isEqualTo(-Errno.ETIME);
        }
    }

    @Test
    @DisplayName("registered waits go with restrictions, and with a ring that is to be enabled later")
    void together() throws Exception {
        RingSetup setup = new RingSetup().registeredWaits().allow(Operation.NOP).with(SetupFlag.R_DISABLED);
        try (Ring ring = open(setup)) {
            ring.enable();
            assertThat(ring.submitAndWait(1, 1_000_000)).isZero();
            ring.next().nop();
            assertThat(Wait.result(ring)).isZero();
        }
    }

    @Test
    @DisplayName("NAPI: the kernel has the time and the preference that were registered, until they are unregistered")
    void napi() throws Exception {
        try (Ring ring = open(new RingSetup())) {
            try {
                ring.registry().napi(Duration.ofNanos(70_000), true);
            } catch (SluiceException e) {
                Assumptions.abort("this kernel can't poll devices: " + e.getMessage());
            }
            // In microseconds or, as some kernels have it, nanoseconds.
            assertThat(information(ring)).containsPattern("napi_busy_poll_\\w+:\t70(000)?\n");
            assertThat(information(ring)).contains("napi_prefer_busy_poll:\ttrue");
            ring.registry().napi(Duration.ofNanos(9_000), false);
            assertThat(information(ring)).containsPattern("napi_busy_poll_\\w+:\t9(000)?\n");
            assertThat(information(ring)).contains("napi_prefer_busy_poll:\tfalse");
            ring.next().nop();
            assertThat(Wait.result(ring)).isZero();
            ring.registry().unregisterNapi();
            assertThat(information(ring)).doesNotContainPattern("napi_busy_poll_\\w+:\t9");
        }
    }

    private static String information(Ring ring) throws IOException {
        return Files.readString(Path.of("/proc/self/fdinfo/" + ring.fd()));
    }
}
