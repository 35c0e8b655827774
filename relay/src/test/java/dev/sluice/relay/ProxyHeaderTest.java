package dev.sluice.relay;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import dev.sluice.io.Endpoint;
import dev.sluice.relay.Peeked.Found;
import dev.sluice.relay.Peeked.More;
import dev.sluice.relay.Peeked.Rejected;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.random.RandomGenerator;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class ProxyHeaderTest {
    private static final String SIGNATURE = "0d0a0d0a000d0a515549540a";
    private static final String V4 = "c0000201 c6336402 dc04 01bb".replace(" ", "");
    private static final ProxyHeader V4_HEADER =
            new ProxyHeader(new Endpoint.Tcp("192.0.2.1", 56324), new Endpoint.Tcp("198.51.100.2", 443));

    private static Peeked<ProxyHeader> parse(String line) {
        return ProxyHeader.parse(ByteBuffer.wrap(line.getBytes(StandardCharsets.ISO_8859_1)));
    }

    /** A header of version 2 from behind the signature, without its length. */
    private static byte[] binary(String command, String body) {
        return HexFormat.of()
                .parseHex(SIGNATURE + command + HexFormat.of().toHexDigits((short) (body.length() / 2)) + body);
    }

    private static Peeked<ProxyHeader> parse(String command, String body) {
        return ProxyHeader.parse(ByteBuffer.wrap(binary(command, body)));
    }

    private static String reason(Peeked<ProxyHeader> answer) {
        assertThat(answer).isInstanceOf(Rejected.class);
        return ((Rejected<ProxyHeader>) answer).reason();
    }

    private static ProxyHeader header(Peeked<ProxyHeader> answer) {
        assertThat(answer).isInstanceOf(Found.class);
        return ((Found<ProxyHeader>) answer).value();
    }

    @Test
    @DisplayName("Version 1 gives addresses of either family, and leaves what follows the line")
    void version1() {
        assertThat(parse("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\nGET /"))
                .isEqualTo(new Found<>(45, V4_HEADER));
        assertThat(header(parse("PROXY TCP6 2001:DB8::1 ::ffff:192.0.2.1 0 65535\r\n")))
                .isEqualTo(new ProxyHeader(
                        new Endpoint.Tcp("2001:db8:0:0:0:0:0:1", 0), new Endpoint.Tcp("192.0.2.1", 65535)));
        assertThat(parse("PROXY UNKNOWN\r\nx")).isEqualTo(new Found<>(15, ProxyHeader.NONE));
        assertThat(parse("PROXY UNKNOWN ffff 1.2.3.4  what ever\r\n")).isEqualTo(new Found<>(39, ProxyHeader.NONE));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            ignoreLeadingAndTrailingWhitespace = false,
            value = {
                "HELO x|not a header",
                "PROXYTCP4|not a header",
                "proxy TCP4|not a header",
                "PROXY  TCP4 1.1.1.1 1.1.1.1 1 1\\r\\n|the protocol",
                "PROXY \\r\\n|the protocol",
                "PROXY tcp4 1.1.1.1 1.1.1.1 1 1\\r\\n|the protocol",
                "PROXY UDP4 1.1.1.1 1.1.1.1 1 1\\r\\n|the protocol",
                "PROXY UNKNOWNS\\r\\n|the protocol",
                "PROXY TCP4\\r\\n|six fields",
                "PROXY TCP4 1.1.1.1  1.1.1.1 1 1\\r\\n|six fields",
                "PROXY TCP4 1.1.1.1 1.1.1.1 1 1 \\r\\n|six fields",
                "PROXY TCP4 1.1.1.1 1.1.1.1 1\\r\\n|six fields",
                "PROXY TCP4 1.1.1.1 1.1.1.1 1 1 1\\r\\n|six fields",
                "PROXY TCP4 01.1.1.1 1.1.1.1 1 1\\r\\n|source is not an IPv4",
                "PROXY TCP4 1.1.1.1 1.1.1.256 1 1\\r\\n|destination is not an IPv4",
                "PROXY TCP4 1.1.1 1.1.1.1 1 1\\r\\n|source is not an IPv4",
                "PROXY TCP4 ::1 1.1.1.1 1 1\\r\\n|source is not an IPv4",
                "PROXY TCP6 ::1 1.1.1.1 1 1\\r\\n|destination is not an IPv6",
                "PROXY TCP6 fe80::1%lo ::1 1 1\\r\\n|source is not an IPv6",
                "PROXY TCP6 ::1 1::2::3 1 1\\r\\n|destination is not an IPv6",
                "PROXY TCP4 localhost 1.1.1.1 1 1\\r\\n|source is not an IPv4",
                "PROXY TCP4 1.1.1.1 1.1.1.1 65536 1\\r\\n|port of the source",
                "PROXY TCP4 1.1.1.1 1.1.1.1 1 99999999999\\r\\n|port of the destination",
                "PROXY TCP4 1.1.1.1 1.1.1.1 1 01\\r\\n|port of the destination",
                "PROXY TCP4 1.1.1.1 1.1.1.1 +1 1\\r\\n|port of the source",
                "PROXY TCP4 1.1.1.1 1.1.1.1 -1 1\\r\\n|port of the source",
                "PROXY TCP4 1.1.1.1 1.1.1.1 1 0x1\\r\\n|port of the destination",
                "PROXY TCP4 1.1.1.1 1.1.1.1 1 1\\n|CRLF",
                "PROXY TCP4 1.1.1.1 1.1.1.1 1 1\\r\\r\\n|CRLF",
                "PROXY TCP4 1.1.1.1 1.1.1.1 1 1\\rX|CRLF",
                "PROXY TCP4 1.1.1.1\\0 1.1.1.1 1 1\\r\\n|not printable",
                "PROXY TCP4\\t1.1.1.1 1.1.1.1 1 1\\r\\n|not printable",
                "PROXY UNKNOWN \\377\\r\\n|not printable",
            })
    void version1IsStrict(String line, String complaint) {
        assertThat(reason(parse(line.translateEscapes())))
                .startsWith("bad PROXY header: ")
                .contains(complaint);
    }

    @Test
    @DisplayName("A line of version 1 has 107 bytes at most, and one that can't end in time is not waited for")
    void version1IsBounded() {
        String longest = "PROXY UNKNOWN " + "x".repeat(107 - 16) + "\r\n";
        assertThat(parse(longest)).isEqualTo(new Found<>(107, ProxyHeader.NONE));
        assertThat(parse(longest.substring(0, 105))).isEqualTo(new More<>(2));
        assertThat(parse(longest.substring(0, 106))).isEqualTo(new More<>(1));
        assertThat(reason(parse(longest.substring(0, 105) + "x"))).contains("107");
        assertThat(reason(parse("PROXY UNKNOWN " + "x".repeat(107 - 15) + "\r\n")))
                .contains("107");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n",
                "PROXY TCP6 :: :: 1 1\r\n",
                "PROXY UNKNOWN\r\n"
            })
    @DisplayName("Whoever reads as many bytes as are said to be missing ends up with the header and no byte more")
    void readExactly(String line) {
        readExactly(
                Fuzz.joined(line.getBytes(StandardCharsets.US_ASCII), new byte[] {'\n', '\r', '\n'}), line.length());
    }

    @Test
    void readExactly() {
        byte[] header = binary("2111", V4 + "040003616263");
        readExactly(Fuzz.joined(header, new byte[50]), header.length);
    }

    private static void readExactly(byte[] bytes, int expected) {
        int length = 0;
        while (ProxyHeader.parse(ByteBuffer.wrap(bytes, 0, length)) instanceof More<ProxyHeader> more) {
            length += more.bytes();
        }
        assertThat(length).isEqualTo(expected);
        assertThat(ProxyHeader.parse(ByteBuffer.wrap(bytes, 0, length))).isInstanceOf(Found.class);
    }

    @Test
    @DisplayName("Version 2 gives addresses of every family")
    void version2() {
        assertThat(parse("2111", V4)).isEqualTo(new Found<>(28, V4_HEADER));
        assertThat(header(parse("2121", "20010db8000000000000000000000001" + "0".repeat(30) + "01" + "ffff0000")))
                .isEqualTo(new ProxyHeader(
                        new Endpoint.Tcp("2001:db8:0:0:0:0:0:1", 65535), new Endpoint.Tcp("0:0:0:0:0:0:0:1", 0)));
        assertThat(header(parse("2121", "00000000000000000000ffff01020304" + "0".repeat(40)))
                        .source())
                .isEqualTo(new Endpoint.Tcp("1.2.3.4", 0));
        assertThat(header(parse("2131", path("/run/a") + path("/run/b"))))
                .isEqualTo(new ProxyHeader(new Endpoint.Unix("/run/a"), new Endpoint.Unix("/run/b")));
        assertThat(header(parse("2131", path("") + path("\0name"))))
                .isEqualTo(new ProxyHeader(new Endpoint.Unix(""), new Endpoint.Abstract("name")));
        assertThat(header(parse("2131", path("/a\0left over") + path("x".repeat(107)))))
                .isEqualTo(new ProxyHeader(new Endpoint.Unix("/a"), new Endpoint.Unix("x".repeat(107))));
    }

    private static String path(String text) {
        return HexFormat.of().formatHex(Arrays.copyOf(text.getBytes(StandardCharsets.UTF_8), 108));
    }

    @ParameterizedTest
    @CsvSource({
        "2000, ''", // LOCAL
        "2011, 0102030405", // what follows LOCAL is skipped, whatever it is
        "20ff, ''",
        "2100, ''", // UNSPEC
        "2100, 0102030405",
        "2101, ''",
        "2110, 0102",
        "2112, c0000201c6336402dc0401bb", // UDP
    })
    @DisplayName("LOCAL, UNSPEC and datagrams name no addresses, and their length is heeded")
    void none(String command, String body) {
        assertThat(parse(command, body)).isEqualTo(new Found<>(16 + body.length() / 2, ProxyHeader.NONE));
    }

    @ParameterizedTest
    @CsvSource({
        "1111, c0000201c6336402dc0401bb, version and command",
        "3111, c0000201c6336402dc0401bb, version and command",
        "2211, c0000201c6336402dc0401bb, version and command",
        "2f11, c0000201c6336402dc0401bb, version and command",
        "2141, c0000201c6336402dc0401bb, family or protocol",
        "2113, c0000201c6336402dc0401bb, family or protocol",
        "21f1, c0000201c6336402dc0401bb, family or protocol",
        "2111, c0000201c6336402dc0401, shorter than the addresses",
        "2112, '', shorter than the addresses",
        "2121, c0000201c6336402dc0401bb, shorter than the addresses",
        "2131, c0000201c6336402dc0401bb, shorter than the addresses",
        "2111, c0000201c6336402dc0401bb04, longer than the header",
        "2111, c0000201c6336402dc0401bb0400, longer than the header",
        "2111, c0000201c6336402dc0401bb040001, longer than the header",
        "2111, c0000201c6336402dc0401bb04ffff00, longer than the header",
        "2111, c0000201c6336402dc0401bb030003000000, not of 4 bytes",
        "2111, c0000201c6336402dc0401bb03000400000000, checksum is wrong",
        "2112, c0000201c6336402dc0401bb03000400000000, checksum is wrong",
        "2111, c0000201c6336402dc0401bb0300040000000003000400000000, two",
    })
    void version2IsStrict(String command, String body, String complaint) {
        assertThat(reason(parse(command, body)))
                .startsWith("bad PROXY header: ")
                .contains(complaint);
    }

    @ParameterizedTest
    @ValueSource(strings = {"/a\nb", "\0a\0b", "\0a\u0085", "/\u007f"})
    @DisplayName("The name of a Unix socket has no control characters, 108 bytes or broken UTF-8")
    void unixNames(String name) {
        assertThat(reason(parse("2131", path(name) + path("/b")))).contains("source", "control characters");
        assertThat(reason(parse("2131", path("/b") + path(name)))).contains("destination");
        assertThat(reason(parse("2131", "78".repeat(108) + path("/b")))).contains("107 bytes");
        assertThat(reason(parse("2131", "2fff" + "00".repeat(106) + path("/b"))))
                .contains("UTF-8");
    }

    @Test
    @DisplayName("A header of version 2 has 4096 bytes at most, and a longer one is refused before it comes")
    void version2IsBounded() {
        byte[] longest = binary("2111", V4 + "04" + HexFormat.of().toHexDigits((short) 4065) + "00".repeat(4065));
        assertThat(longest).hasSize(ProxyHeader.MAX_LENGTH);
        assertThat(ProxyHeader.parse(ByteBuffer.wrap(longest))).isEqualTo(new Found<>(4096, V4_HEADER));
        assertThat(ProxyHeader.parse(ByteBuffer.wrap(longest, 0, 16))).isEqualTo(new More<>(4080));
        assertThat(reason(parse("2000", "00".repeat(4081)))).contains("4097", "4096");
        assertThat(reason(ProxyHeader.parse(ByteBuffer.wrap(HexFormat.of().parseHex(SIGNATURE + "2000ffff")))))
                .contains("65551");
    }

    @Test
    @DisplayName("What is no header is refused at its first wrong byte")
    void notAHeader() {
        for (String prefix : new String[] {"PROXY ", "\r\n\r\n\0\r\nQUIT\n"}) {
            for (int i = 0; i < prefix.length(); i++) {
                assertThat(parse(prefix.substring(0, i))).isInstanceOf(More.class);
                assertThat(reason(parse(prefix.substring(0, i) + "?"))).contains("not a header");
            }
        }
    }

    @Test
    @DisplayName("A right checksum is taken, and each changed bit makes it wrong")
    void checksum() {
        byte[] header = binary("2111", V4 + "0400020000" + "030004" + "00000000" + "e0000141");
        int at = 16 + 12 + 5 + 3;
        CRC32C crc = new CRC32C();
        crc.update(header);
        ByteBuffer.wrap(header).putInt(at, (int) crc.getValue());
        assertThat(header(ProxyHeader.parse(ByteBuffer.wrap(header)))).isEqualTo(V4_HEADER);
        for (int bit = 16 * 8; bit < header.length * 8; bit++) {
            header[bit / 8] ^= (byte) (1 << bit % 8);
            Peeked<ProxyHeader> answer = ProxyHeader.parse(ByteBuffer.wrap(header));
            // But for those that make it something else than a checksum.
            boolean hidden = bit / 8 == 28 || bit / 8 == 29 || bit / 8 == 30 || bit / 8 >= 33 && bit / 8 < 36;
            assertThat(answer instanceof Rejected || hidden).as("bit %s", bit).isTrue();
            header[bit / 8] ^= (byte) (1 << bit % 8);
        }
    }

    @Test
    @DisplayName("What can't be said is UNKNOWN in version 1 and LOCAL in version 2; mixed addresses are IPv6")
    void encoding() {
        Endpoint v4 = new Endpoint.Tcp("192.0.2.1", 1);
        Endpoint v6 = new Endpoint.Tcp("fe80::1%eth0", 2);
        Endpoint unix = new Endpoint.Unix("/a");
        assertThat(text(new ProxyHeader(v4, v4))).isEqualTo("PROXY TCP4 192.0.2.1 192.0.2.1 1 1\r\n");
        assertThat(text(new ProxyHeader(v4, v6)))
                .isEqualTo("PROXY TCP6 0:0:0:0:0:ffff:c000:201 fe80:0:0:0:0:0:0:1 1 2\r\n");
        assertThat(text(new ProxyHeader(unix, unix))).isEqualTo("PROXY UNKNOWN\r\n");
        assertThat(text(ProxyHeader.NONE)).isEqualTo("PROXY UNKNOWN\r\n");
        byte[] local = binary("2000", "");
        assertThat(ProxyHeader.NONE.version2()).isEqualTo(local);
        assertThat(new ProxyHeader(v4, unix).version2()).isEqualTo(local);
        assertThat(new ProxyHeader(v4, new Endpoint.Tcp("localhost", 1)).version2())
                .isEqualTo(local);
        assertThat(new ProxyHeader(unix, new Endpoint.Unix("x".repeat(108))).version2())
                .isEqualTo(local);
        assertThat(new ProxyHeader(unix, new Endpoint.Abstract("x".repeat(108))).version2())
                .isEqualTo(local);
        assertThat(V4_HEADER.version2()).isEqualTo(binary("2111", V4));
        ProxyHeader names = new ProxyHeader(new Endpoint.Abstract("x".repeat(107)), new Endpoint.Unix(""));
        assertThat(header(ProxyHeader.parse(ByteBuffer.wrap(names.version2())))).isEqualTo(names);
    }

    private static String text(ProxyHeader header) {
        return new String(header.version1(), StandardCharsets.US_ASCII);
    }

    @Test
    @DisplayName(
            "Mutated headers get the same answer however they are cut, and what is read can be written and read again")
    void fuzzed() throws Exception {
        Fuzz fuzz = new Fuzz("PROXY headers", 15_000, Fuzz.corpus("proxy-headers.txt"));
        int read = 0;
        for (int i = 0; i < fuzz.rounds; i++) {
            if (fuzz.answer(fuzz.next(), ProxyHeader.MAX_LENGTH, ProxyHeader::parse)
                    instanceof Found<ProxyHeader> found) {
                again(found.value());
                read++;
            }
        }
        assertThat(read).isGreaterThan(fuzz.rounds / 10);
        for (int i = 0; i < fuzz.rounds; i++) {
            again(new ProxyHeader(endpoint(fuzz.random), endpoint(fuzz.random)));
        }
    }

    private static void again(ProxyHeader header) {
        boolean unix = header.source() instanceof Endpoint.Unix || header.source() instanceof Endpoint.Abstract;
        byte[] v1 = header.version1();
        byte[] v2 = header.version2();
        assertThat(ProxyHeader.parse(ByteBuffer.wrap(v1)))
                .isEqualTo(new Found<>(v1.length, unix ? ProxyHeader.NONE : header));
        assertThat(ProxyHeader.parse(ByteBuffer.wrap(v2))).isEqualTo(new Found<>(v2.length, header));
    }

    private static Endpoint endpoint(RandomGenerator random) {
        IpAddress address = random.nextBoolean()
                ? IpAddress.v4(random.nextInt())
                : new IpAddress(random.nextLong(), random.nextLong() >>> random.nextInt(64));
        return new Endpoint.Tcp(address.toString(), random.nextInt(1 << 16));
    }

    @Test
    @DisplayName("No input makes the parser take more memory than a few times the longest header")
    void allocatesLittle() throws Exception {
        Fuzz fuzz = new Fuzz("PROXY headers for their memory", 2_000, Fuzz.corpus("proxy-headers.txt"));
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        ProxyHeader.parse(ByteBuffer.wrap(fuzz.next()));
        for (int i = 0; i < fuzz.rounds; i++) {
            ByteBuffer bytes = ByteBuffer.wrap(Arrays.copyOf(fuzz.next(), 20_000));
            long before = threads.getCurrentThreadAllocatedBytes();
            ProxyHeader.parse(bytes);
            assertThat(threads.getCurrentThreadAllocatedBytes() - before)
                    .as("bytes in round %s", i)
                    .isLessThan(4 * ProxyHeader.MAX_LENGTH);
        }
    }
}
