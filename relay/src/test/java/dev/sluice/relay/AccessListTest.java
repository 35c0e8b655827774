package dev.sluice.relay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import com.sun.management.ThreadMXBean;
import dev.sluice.io.Endpoint;
import java.lang.management.ManagementFactory;
import java.math.BigInteger;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Timeout(60)
class AccessListTest {

    @ParameterizedTest
    @CsvSource({
        "10.0.0.0/8, 10.255.255.255, true",
        "10.0.0.0/8, 11.0.0.0, false",
        "10.0.0.0/8, ::ffff:10.1.2.3, true",
        "::ffff:10.0.0.0/104, 10.1.2.3, true",
        "::ffff:0:0/96, 1.2.3.4, true",
        "0.0.0.0/0, 255.1.2.3, true",
        "0.0.0.0/0, ::1, false",
        "::/0, ::1, true",
        "::/0, 1.2.3.4, false",
        "::/64, 1.2.3.4, false",
        "::/64, ::5, true",
        "1.2.3.4, 1.2.3.4, true",
        "1.2.3.4/32, 1.2.3.5, false",
        "1.2.3.4/31, 1.2.3.5, true",
        "2001:db8::/32, 2001:db8:ffff:ffff:ffff:ffff:ffff:ffff, true",
        "2001:db8::/32, 2001:db9::, false",
        "2001:db8::/63, 2001:db8:0:1::, true",
        "2001:db8::/64, 2001:db8:0:1::, false",
        "2001:db8::/64, 2001:db8::8000:0:0:0, true",
        "2001:db8::/65, 2001:db8::8000:0:0:0, false",
        "2001:db8::1, 2001:db8::1, true",
        "2001:db8::1/128, 2001:db8::, false",
    })
    void contains(String range, String address, boolean expected) {
        AddressRange parsed = AddressRange.parse(range);
        assertThat(parsed.contains(InetAddress.ofLiteral(address))).isEqualTo(expected);
        assertThat(parsed.contains(new Endpoint.Tcp(address, 1))).isEqualTo(expected);
        assertThat(AddressRange.parse(parsed.toString())).isEqualTo(parsed);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "''                  | write 10.0.0.0/8",
                "10/8                | write 10.0.0.0/8",
                "localhost           | write 10.0.0.0/8",
                "10.0.0.1/8          | write 10.0.0.0/8",
                "2001:db8::1/32      | write 2001:db8:0:0:0:0:0:0/32",
                "::ffff:10.0.0.1/104 | write 10.0.0.0/8",
                "10.0.0.0/           | from 0 to 32",
                "10.0.0.0/33         | from 0 to 32",
                "10.0.0.0/-1         | from 0 to 32",
                "10.0.0.0/08         | from 0 to 32",
                "10.0.0.0/8/8        | from 0 to 32",
                "10.0.0.0/255.0.0.0  | from 0 to 32",
                "::/129              | from 0 to 128",
                "::ffff:0:0/95       | from 96 to 128",
                "' 10.0.0.0/8'       | write 10.0.0.0/8",
                "fe80::1%eth0        | write 10.0.0.0/8",
            })
    void malformed(String range, String complaint) {
        assertThatExceptionOfType(IllegalArgumentException.class)
                .isThrownBy(() -> AddressRange.parse(range))
                .withMessageStartingWith("bad address range '" + range + "': ")
                .withMessageContaining(complaint);
    }

    @Test
    @DisplayName(
            "Ranges from mutated text either complain in one line, or print what parses and contain what arithmetic says")
    void fuzzed() {
        List<byte[]> corpus = Stream.of(
                        "10.0.0.0/8",
                        "0.0.0.0/0",
                        "192.0.2.128/25",
                        "::/0",
                        "2001:db8::/32",
                        "2001:db8::8000:0:0:0/65",
                        "::ffff:10.0.0.0/104",
                        "fe80::/10",
                        "1.2.3.4",
                        "::1",
                        "ff00::/8",
                        "::ffff:0:0/96")
                .map(text -> text.getBytes(StandardCharsets.ISO_8859_1))
                .toList();
        Fuzz fuzz = new Fuzz("address ranges", 50_000, corpus);
        byte[] raw = new byte[16];
        int read = 0;
        for (int i = 0; i < fuzz.rounds; i++) {
            String text = new String(fuzz.next(), StandardCharsets.ISO_8859_1);
            AddressRange range;
            try {
                range = AddressRange.parse(text);
            } catch (IllegalArgumentException e) {
                assertThat(e.getMessage())
                        .as(text)
                        .matches("bad address range '[ -~]*': [ -~]{10,100}")
                        .hasSizeLessThan(250);
                continue;
            }
            read++;
            assertThat(AddressRange.parse(range.toString())).as(text).isEqualTo(range);
            fuzz.random.nextBytes(raw);
            IpAddress near = new IpAddress(
                    range.network().high() ^ IpAddress.high(raw) >>> fuzz.random.nextInt(64),
                    range.network().low() ^ IpAddress.low(raw) >>> fuzz.random.nextInt(64));
            assertThat(range.contains(near)).as("%s of %s", range, near).isEqualTo(byArithmetic(range, near));
        }
        assertThat(read).isGreaterThan(fuzz.rounds / 10);
    }

    private static boolean byArithmetic(AddressRange range, IpAddress address) {
        int width = range.network().isV4() ? 32 : 128;
        BigInteger first = number(range.network());
        BigInteger behind = first.add(BigInteger.TWO.pow(width - range.prefix()));
        BigInteger number = number(address);
        return range.network().isV4() == address.isV4() && number.compareTo(first) >= 0 && number.compareTo(behind) < 0;
    }

    private static BigInteger number(IpAddress address) {
        return new BigInteger(Long.toUnsignedString(address.high()))
                .shiftLeft(64)
                .add(new BigInteger(Long.toUnsignedString(address.low())));
    }

    private static AccessList list(String... rules) {
        return new AccessList(Stream.of(rules).map(AccessList.Rule::parse).toList());
    }

    private static boolean allows(AccessList list, String address) {
        InetAddress inet = InetAddress.ofLiteral(address);
        boolean allows = list.allows(inet);
        assertThat(list.allows(Endpoint.of(inet, 80))).isEqualTo(allows);
        assertThat(list.allows(inet.getAddress())).isEqualTo(allows);
        return allows;
    }

    @Test
    @DisplayName("The first rule decides; what no rule names is denied as soon as one rule allows")
    void firstMatch() {
        AccessList mixed = list("deny 10.1.0.0/16", "allow 10.0.0.0/8", "deny 10.2.0.0/16", "allow ::1");
        assertThat(allows(mixed, "10.1.0.1")).isFalse();
        assertThat(allows(mixed, "10.2.0.1")).isTrue();
        assertThat(allows(mixed, "10.3.0.1")).isTrue();
        assertThat(allows(mixed, "::1")).isTrue();
        assertThat(allows(mixed, "::2")).isFalse();
        assertThat(allows(mixed, "11.0.0.1")).isFalse();
        AccessList denies = list("deny 10.0.0.0/8");
        assertThat(allows(denies, "10.0.0.1")).isFalse();
        assertThat(allows(denies, "11.0.0.1")).isTrue();
        assertThat(allows(AccessList.OPEN, "11.0.0.1")).isTrue();
        assertThat(mixed.rules()).hasSize(4).first().hasToString("deny 10.1.0.0/16");
    }

    @Test
    @DisplayName("A peer without an address is in no range")
    void unix() {
        Endpoint unix = new Endpoint.Unix("");
        assertThat(AccessList.OPEN.allows(unix)).isTrue();
        assertThat(list("deny 0.0.0.0/0", "deny ::/0").allows(unix)).isTrue();
        assertThat(list("allow 0.0.0.0/0").allows(unix)).isFalse();
    }

    @ParameterizedTest
    @CsvSource({
        "10.0.0.0/8, access rule",
        "allow, access rule",
        "permit 1.1.1.1, access rule",
        "deny  1.1.1.1, address range"
    })
    void malformedRule(String rule, String complaint) {
        assertThatExceptionOfType(IllegalArgumentException.class)
                .isThrownBy(() -> AccessList.Rule.parse(rule))
                .withMessageContaining(complaint);
    }

    @Test
    @DisplayName("A check of raw bytes allocates nothing")
    void allocatesNothing() {
        AccessList list = list("deny 10.1.0.0/16", "deny 2001:db8::/32", "allow 10.0.0.0/8", "allow ::1");
        byte[][] addresses = {
            {10, 1, 2, 3},
            {10, 2, 2, 3},
            {11, 0, 0, 1},
            InetAddress.ofLiteral("::1").getAddress()
        };
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        int allowed = 0;
        long before = threads.getCurrentThreadAllocatedBytes();
        for (int i = 0; i < 100_000; i++) {
            allowed += list.allows(addresses[i & 3]) ? 1 : 0;
        }
        long allocated = threads.getCurrentThreadAllocatedBytes() - before;
        assertThat(allowed).isEqualTo(50_000);
        assertThat(allocated).as("bytes in 100,000 checks").isLessThan(100_000);
    }
}
