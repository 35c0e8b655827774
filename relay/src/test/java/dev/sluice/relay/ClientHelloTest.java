package dev.sluice.relay;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import dev.sluice.relay.Peeked.Found;
import dev.sluice.relay.Peeked.Rejected;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLParameters;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class ClientHelloTest {
    private static final HexFormat HEX = HexFormat.of();

    private static Peeked<ClientHello> parse(byte[] bytes) {
        return ClientHello.parse(ByteBuffer.wrap(bytes));
    }

    private static ClientHello hello(Peeked<ClientHello> answer) {
        assertThat(answer).isInstanceOf(Found.class);
        return ((Found<ClientHello>) answer).value();
    }

    private static String reason(Peeked<ClientHello> answer) {
        assertThat(answer).isInstanceOf(Rejected.class);
        return ((Rejected<ClientHello>) answer).reason();
    }

    @Test
    @DisplayName("The names and protocols of real clients are found")
    void realClients() throws Exception {
        List<ClientHello> hellos = Fuzz.corpus("client-hellos.txt").stream()
                .map(bytes -> {
                    Peeked<ClientHello> answer = parse(Fuzz.joined(bytes, new byte[] {20, 3, 3, 0, 1, 1}));
                    assertThat(answer)
                            .isInstanceOfSatisfying(
                                    Found.class,
                                    found -> assertThat(found.length()).isEqualTo(bytes.length));
                    return hello(answer);
                })
                .toList();
        assertThat(hellos)
                .containsExactly(
                        new ClientHello("www.example.org", List.of("h2", "http/1.1")),
                        new ClientHello("tls13.example", List.of("h2", "http/1.1")),
                        new ClientHello("", List.of()),
                        new ClientHello("a.b", List.of()),
                        new ClientHello("xn--bcher-kva.example", List.of()),
                        new ClientHello("localhost", List.of()),
                        new ClientHello("node.example", List.of("h2")),
                        new ClientHello("jdk.example", List.of("h2", "http/1.1")));
    }

    @Test
    @DisplayName("What the JDK's own client sends says what it was told")
    void theJdksClient() throws Exception {
        for (String name : new String[] {"", "a", "Example.COM", "a-b.c-d.123.e", "x".repeat(63) + ".y"}) {
            List<String> protocols = name.isEmpty() ? List.of() : List.of("h2", "spdy/1", "\u00ff\u0001");
            byte[] bytes = byTheJdk(name, protocols);
            assertThat(hello(parse(bytes))).isEqualTo(new ClientHello(name.toLowerCase(Locale.ROOT), protocols));
        }
    }

    private static byte[] byTheJdk(String name, List<String> protocols) throws Exception {
        SSLEngine engine = SSLContext.getDefault().createSSLEngine();
        engine.setUseClientMode(true);
        SSLParameters parameters = engine.getSSLParameters();
        parameters.setServerNames(
                name.isEmpty() ? List.of() : List.of(new SNIHostName(name.getBytes(StandardCharsets.US_ASCII))));
        parameters.setApplicationProtocols(protocols.toArray(String[]::new));
        engine.setSSLParameters(parameters);
        ByteBuffer out = ByteBuffer.allocate(engine.getSession().getPacketBufferSize());
        engine.wrap(ByteBuffer.allocate(0), out);
        return Arrays.copyOf(out.array(), out.position());
    }

    /** The message in records of that many bytes. */
    private static byte[] records(byte[] message, int size) {
        ByteBuffer out = ByteBuffer.allocate(message.length + 5 * (message.length / size + 1));
        for (int at = 0; at < message.length; at += size) {
            int length = Math.min(size, message.length - at);
            out.put((byte) 22).putShort((short) 0x0301).putShort((short) length).put(message, at, length);
        }
        return Arrays.copyOf(out.array(), out.position());
    }

    /** A message with those extensions, in hexadecimal numbers. */
    private static byte[] message(String extensions) {
        String lengths = HEX.toHexDigits((short) (extensions.length() / 2));
        return wrapped("0303" + "00".repeat(32) + "00" + "0002c02f" + "0100" + lengths + extensions);
    }

    private static byte[] wrapped(String body) {
        return HEX.parseHex("01" + HEX.toHexDigits(body.length() / 2).substring(2) + body);
    }

    private static byte[] named(String name) {
        byte[] raw = name.getBytes(StandardCharsets.UTF_8);
        return message(
                "0000" + two(raw.length + 5) + two(raw.length + 3) + "00" + two(raw.length) + HEX.formatHex(raw));
    }

    private static String two(int number) {
        return HEX.toHexDigits((short) number);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5, 37, 70, 1000})
    @DisplayName("A message may be cut into records anywhere, up to 64 of them")
    void records(int size) {
        byte[] message = named("example.org");
        assertThat(message.length).isBetween(65, 100);
        Peeked<ClientHello> answer = parse(records(message, size));
        if (size == 1) {
            assertThat(reason(answer)).contains("64 records");
        } else {
            assertThat(hello(answer).name()).isEqualTo("example.org");
        }
    }

    @Test
    @DisplayName("A message has 16 KiB at most, and a longer one is refused before it comes")
    void bounded() {
        int padding = ClientHello.MAX_MESSAGE - message("00150000").length;
        byte[] longest = message("0015" + two(padding) + "00".repeat(padding));
        assertThat(longest).hasSize(ClientHello.MAX_MESSAGE);
        assertThat(hello(parse(records(longest, 16384)))).isEqualTo(new ClientHello("", List.of()));
        byte[] spread = records(longest, 256);
        assertThat(spread).hasSize(ClientHello.MAX_LENGTH);
        assertThat(hello(parse(spread))).isEqualTo(new ClientHello("", List.of()));
        byte[] longer = message("0015" + two(padding + 1) + "00".repeat(padding + 1));
        assertThat(reason(ClientHello.parse(ByteBuffer.wrap(records(longer, 9), 0, 18))))
                .contains("longer than 16384");
        assertThat(reason(parse(HEX.parseHex("16030100ff01ffff")))).contains("longer than 16384");
    }

    @Test
    @DisplayName("A client before TLS 1.3 may have no extensions")
    void withoutExtensions() {
        byte[] message = wrapped("0301" + "00".repeat(32) + "00" + "0002002f" + "0100");
        assertThat(hello(parse(records(message, 100)))).isEqualTo(new ClientHello("", List.of()));
    }

    @ParameterizedTest
    @CsvSource({
        "47, not a record",
        "1503010002, not a record",
        "170303, not a record",
        "1602, not a record",
        "8046010301, not a record", // SSL 2
        "1603010000, length that TLS",
        "1603014001, length that TLS",
        "160301ffff, length that TLS",
        "160301000402000000, first message",
        "160301000401000000, too short",
        "16030100050100000103, too short",
        "160301000601000000ff, something follows",
        "160301000401000001150301, not a record",
    })
    void notTls(String bytes, String complaint) {
        assertThat(reason(parse(HEX.parseHex(bytes))))
                .startsWith("bad TLS ClientHello: ")
                .contains(complaint);
    }

    @ParameterizedTest
    @CsvSource({
        "0203, 00, 0002c02f, 0100, '', another version",
        "0303, 21, 0002c02f, 0100, '', session id",
        "0303, ff, 0002c02f, 0100, '', session id",
        "0303, 00, 0000, 0100, '', cipher suites",
        "0303, 00, 0003c02f00, 0100, '', cipher suites",
        "0303, 00, ffffc02f00, 0100, '', cipher suites",
        "0303, 00, 0002c02f, 00, '', compression",
        "0303, 00, 0002c02f, 02, '', compression",
        "0303, 00, 0002c02f, 0100, 00, extensions",
        "0303, 00, 0002c02f, 0100, 0001, extensions",
        "0303, 00, 0002c02f, 0100, 000000, extensions",
        "0303, 00, 0002c02f, 0100, 000100, extensions",
        "0303, 00, 0002c02f, 0100, 00020000, extensions",
        "0303, 00, 0002c02f, 0100, 000400000001, extensions",
        "0303, 00, 0002c02f, 0100, 000400000000, server name",
        "0303, 00, 0002c02f, 0100, 0006000000020000, server name",
        "0303, 00, 0002c02f, 0100, 0007000000030001 00, server name",
        "0303, 00, 0002c02f, 0100, 00080000000400020000, server name",
        "0303, 00, 0002c02f, 0100, 000b00000007000400000161ff, server name",
        "0303, 00, 0002c02f, 0100, 0009000000050003000000, not a host name",
        "0303, 00, 0002c02f, 0100, 000e0000000a000800000161 00000162, two server names",
        "0303, 00, 0002c02f, 0100, 00140000000600040000 0161 0000000600040000 0162, two server names",
        "0303, 00, 0002c02f, 0100, 000400100000, protocols",
        "0303, 00, 0002c02f, 0100, 0006001000020000, protocols",
        "0303, 00, 0002c02f, 0100, 000700100003000100, protocols",
        "0303, 00, 0002c02f, 0100, 00080010000400020261, protocols",
        "0303, 00, 0002c02f, 0100, 001000100004000201610010000400020162, protocols",
    })
    void malformed(String version, String session, String suites, String compression, String rest, String complaint) {
        byte[] message = wrapped(version + "00".repeat(32) + session + suites + compression + rest.replace(" ", ""));
        assertThat(reason(parse(records(message, 1000)))).contains(complaint);
    }

    @Test
    @DisplayName("Names of kinds that nobody has defined yet are skipped")
    void otherKindsOfNames() {
        byte[] message = message("0000" + two(11) + two(9) + "07" + two(2) + "ffff" + "00" + two(1) + "61");
        assertThat(hello(parse(records(message, 1000))).name()).isEqualTo("a");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "example.org.",
                ".",
                ".a",
                "a..b",
                "-a",
                "a-",
                "a-.b",
                "a b",
                "a\0",
                "a\n",
                "a/b",
                "a:1",
                "*",
                "*.a",
                "1.2.3.4",
                "1",
                "a.1",
                "::1",
                "[::1]",
                "bücher.example",
                "a\\b",
                "a%00"
            })
    @DisplayName("What is not a host name is refused")
    void notAHostName(String name) {
        assertThat(reason(parse(records(named(name), 1000)))).contains("not a host name");
        assertThat(reason(parse(records(named("x".repeat(64)), 1000)))).contains("not a host name");
        assertThat(reason(parse(records(named("abc.".repeat(63) + "ab"), 1000))))
                .contains("not a host name");
        assertThat(hello(parse(records(named("abc.".repeat(63) + "a"), 1000))).name())
                .hasSize(253);
    }

    @Test
    @DisplayName("Mutated messages get the same answer however they are cut into reads and records")
    void fuzzed() throws Exception {
        Fuzz fuzz = new Fuzz("ClientHellos", 5_000, Fuzz.corpus("client-hellos.txt"));
        int read = 0;
        for (int i = 0; i < fuzz.rounds; i++) {
            byte[] bytes = fuzz.next();
            Peeked<ClientHello> answer = fuzz.answer(bytes, ClientHello.MAX_LENGTH, ClientHello::parse);
            if (answer instanceof Found<ClientHello> found) {
                read++;
                assertThat(found.value().name()).matches("[a-z0-9_.-]{0,253}");
                if (bytes.length == 5 + ByteBuffer.wrap(bytes).getShort(3)) {
                    byte[] message = Arrays.copyOfRange(bytes, 5, bytes.length);
                    byte[] cut = records(message, message.length / 60 + 1 + fuzz.random.nextInt(100));
                    assertThat(fuzz.answer(cut, ClientHello.MAX_LENGTH, ClientHello::parse))
                            .isEqualTo(new Found<>(cut.length, found.value()));
                }
            }
        }
        assertThat(read).isGreaterThan(fuzz.rounds / 10);
    }

    @Test
    @DisplayName("No input makes the parser take more memory than a few times the longest message")
    void allocatesLittle() throws Exception {
        List<byte[]> corpus = List.of(
                records(message("0015" + two(16000) + "00".repeat(16000)), 256),
                records(message("0010" + two(16002) + two(16000) + "0161".repeat(8000)), 16384),
                records(message("ffff0000".repeat(4000)), 16384),
                records(named("a".repeat(16000)), 16384));
        Fuzz fuzz = new Fuzz("ClientHellos for their memory", 2_000, corpus);
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        parse(fuzz.next());
        for (int i = 0; i < fuzz.rounds; i++) {
            byte[] bytes = fuzz.next();
            long before = threads.getCurrentThreadAllocatedBytes();
            parse(bytes);
            assertThat(threads.getCurrentThreadAllocatedBytes() - before)
                    .as("bytes in round %s", i)
                    .isLessThan(64L * ClientHello.MAX_MESSAGE);
        }
    }
}
