package dev.sluice.internal.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.internal.linux.ErrorQueue.Kind;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Control messages byte for byte as the kernel lays them out, and as it never should. */
@Timeout(30)
class ErrorQueueTest {
    private static final int IPV4_ADDRESS = 16;
    private static final int IPV6_ADDRESS = 28;

    private final ErrorQueue queue = new ErrorQueue();
    private final MemorySegment control = Arena.ofAuto().allocate(512, 8);
    private long length;

    private ErrorQueueTest message(int level, int type, int dataSize) {
        control.set(JAVA_LONG, length, 16 + dataSize);
        control.set(JAVA_INT, length + 8, level);
        control.set(JAVA_INT, length + 12, type);
        length += 16 + dataSize + 7 & ~7;
        return this;
    }

    private ErrorQueueTest extended(
            int level, int type, int errno, int origin, int code, int info, int data, int addressSize) {
        long at = length + 16;
        message(level, type, 16 + addressSize);
        control.set(JAVA_INT, at, errno);
        control.set(JAVA_BYTE, at + 4, (byte) origin);
        control.set(JAVA_BYTE, at + 6, (byte) code);
        control.set(JAVA_INT, at + 8, info);
        control.set(JAVA_INT, at + 12, data);
        return this;
    }

    private ErrorQueueTest ipv4(int errno, int origin, int code, int info, int data) {
        return extended(0, 11, errno, origin, code, info, data, IPV4_ADDRESS);
    }

    private ErrorQueueTest stamp(long seconds, long nanos) {
        long at = length + 16;
        message(1, 37, 48);
        control.set(JAVA_LONG, at, seconds);
        control.set(JAVA_LONG, at + 8, nanos);
        return this;
    }

    private Kind parse() {
        return queue.parse(control, length, 0x2000);
    }

    @ParameterizedTest
    @CsvSource({"0, 0, 0", "3, 9, 1", "-1, 0, 0", "-2, 1, 1"})
    @DisplayName("M4, #10: a range of completions, one send long or across the wrap")
    void range(int low, int high, int code) {
        assertThat(ipv4(0, 5, code, low, high).parse()).isEqualTo(Kind.RELEASED);
        assertThat(queue.low()).isEqualTo(low);
        assertThat(queue.high()).isEqualTo(high);
        assertThat(queue.copied()).isEqualTo(code == 1);
    }

    @Test
    @DisplayName("M11, O4, #10: IPv6 has its own level and a longer address behind it; a mapped address may use either")
    void ipv6() {
        assertThat(extended(41, 25, 0, 5, 0, 7, 8, IPV6_ADDRESS).parse()).isEqualTo(Kind.RELEASED);
        assertThat(queue.low()).isEqualTo(7);
        length = 0;
        assertThat(extended(0, 11, 0, 5, 0, 8, 9, IPV6_ADDRESS).parse()).isEqualTo(Kind.RELEASED);
        assertThat(queue.low()).isEqualTo(8);
        length = 0;
        assertThat(extended(41, 25, 0, 5, 0, 9, 9, 0).parse()).as("no address").isEqualTo(Kind.RELEASED);
        assertThat(queue.high()).isEqualTo(9);
    }

    @ParameterizedTest
    @ValueSource(ints = {ErrorQueue.SCM_TSTAMP_SND, ErrorQueue.SCM_TSTAMP_SCHED, ErrorQueue.SCM_TSTAMP_ACK})
    @DisplayName("M12, #10: a stamp has its time in one message, and its stage and key in the other, in any order")
    void stamps(int stage) {
        stamp(1_800_000_000, 5);
        assertThat(ipv4(42, 4, 0, stage, -3).parse()).isEqualTo(Kind.STAMP);
        assertThat(queue.stage()).isEqualTo(stage);
        assertThat(queue.key()).isEqualTo(-3);
        assertThat(queue.nanos()).isEqualTo(1_800_000_000_000_000_005L);
        length = 0;
        assertThat(ipv4(42, 4, 0, stage, 77).stamp(1, 1).parse()).isEqualTo(Kind.STAMP);
        assertThat(queue.key()).isEqualTo(77);
        assertThat(queue.nanos()).isEqualTo(1_000_000_001L);
        length = 0;
        assertThat(ipv4(0, 5, 0, 1, 1).parse()).isEqualTo(Kind.RELEASED);
        assertThat(queue.nanos()).as("no time is left over").isZero();
    }

    @ParameterizedTest
    @CsvSource({"111, 2", "113, 3", "90, 1"})
    @DisplayName("M12, #10: errors of ICMP and of this host are none of a send's memory")
    void networkErrors(int errno, int origin) {
        assertThat(ipv4(errno, origin, 3, 0, 0).parse()).isEqualTo(Kind.NETWORK_ERROR);
        assertThat(queue.errno()).isEqualTo(errno);
    }

    @Test
    @DisplayName("M11, #10: what was cut off, or lies about its length, is told as such, and never read beyond")
    void truncated() {
        ipv4(0, 5, 0, 1, 1);
        assertThat(queue.parse(control, length, 0x2000 | 0x8)).isEqualTo(Kind.TRUNCATED);
        control.set(JAVA_LONG, 0, 4096);
        assertThat(parse()).isEqualTo(Kind.TRUNCATED);
        control.set(JAVA_LONG, 0, 0);
        assertThat(parse()).as("an endless loop").isEqualTo(Kind.TRUNCATED);
        control.set(JAVA_LONG, 0, -8);
        assertThat(parse()).isEqualTo(Kind.TRUNCATED);
    }

    @Test
    @DisplayName("#10: a record without an extended error, or of an unknown origin, is skipped")
    void unknown() {
        assertThat(parse()).isEqualTo(Kind.UNKNOWN);
        assertThat(message(0, 8, 4).parse()).isEqualTo(Kind.UNKNOWN);
        assertThat(ipv4(0, 99, 0, 1, 1).parse()).isEqualTo(Kind.UNKNOWN);
        length = 0;
        assertThat(ipv4(5, 5, 0, 1, 1).parse())
                .as("an errno where there is none")
                .isEqualTo(Kind.UNKNOWN);
        length = 0;
        assertThat(message(0, 8, 4).ipv4(0, 5, 0, 2, 2).parse())
                .as("behind another message")
                .isEqualTo(Kind.RELEASED);
    }

    @Test
    @DisplayName("M11: of a socket that has nothing to tell, or of none, nothing is told, and nobody waits")
    void empty() {
        int socket = Sockets.stream(Sockets.AF_INET6);
        assertThat(queue.next(socket)).isEqualTo(Kind.EMPTY);
        Files.close(socket);
        assertThat(queue.next(-1)).isEqualTo(Kind.EMPTY);
    }
}
