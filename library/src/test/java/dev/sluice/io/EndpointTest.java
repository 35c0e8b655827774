package dev.sluice.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.LeakCheck;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.file.Path;
import java.util.random.RandomGenerator;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.Timeout.ThreadMode;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

@ExtendWith(LeakCheck.class)
@Timeout(value = 30, threadMode = ThreadMode.SEPARATE_THREAD)
class EndpointTest {
    private static final long SEED = 65_537;

    static Stream<Arguments> forms() {
        return Stream.of(
                Arguments.of("localhost:80", new Endpoint.Tcp("localhost", 80), "tcp:localhost:80"),
                Arguments.of(":0", new Endpoint.Tcp("", 0), "tcp::0"),
                Arguments.of(":65535", new Endpoint.Tcp("", 65535), "tcp::65535"),
                Arguments.of("127.0.0.1:443", new Endpoint.Tcp("127.0.0.1", 443), "tcp:127.0.0.1:443"),
                Arguments.of("[::1]:8080", new Endpoint.Tcp("::1", 8080), "tcp:[::1]:8080"),
                Arguments.of("[::]:0", new Endpoint.Tcp("::", 0), "tcp:[::]:0"),
                Arguments.of("[fe80::1%eth0]:1", new Endpoint.Tcp("fe80::1%eth0", 1), "tcp:[fe80::1%eth0]:1"),
                Arguments.of("tcp:example.org:80", new Endpoint.Tcp("example.org", 80), "tcp:example.org:80"),
                Arguments.of("tcp:[::1]:80", new Endpoint.Tcp("::1", 80), "tcp:[::1]:80"),
                Arguments.of("tcp::80", new Endpoint.Tcp("", 80), "tcp::80"),
                Arguments.of("tcp:80", new Endpoint.Tcp("", 80), null),
                Arguments.of("unix:/run/x.sock", new Endpoint.Unix("/run/x.sock"), "unix:/run/x.sock"),
                Arguments.of("unix:relative/x", new Endpoint.Unix("relative/x"), "unix:relative/x"),
                Arguments.of("unix:/with:colon 1", new Endpoint.Unix("/with:colon 1"), "unix:/with:colon 1"),
                Arguments.of("unix:@name", new Endpoint.Abstract("name"), "unix:@name"),
                Arguments.of("unix:@@", new Endpoint.Abstract("@"), "unix:@@"),
                Arguments.of("fd:0", new Endpoint.Inherited(0), "fd:0"),
                Arguments.of("fd:2147483647", new Endpoint.Inherited(Integer.MAX_VALUE), "fd:2147483647"));
    }

    @ParameterizedTest
    @MethodSource("forms")
    void everyFormIsReadAndPrintedSoThatItCanBeReadAgain(String text, Endpoint expected, String canonical) {
        if (canonical == null) {
            isMalformed(text, "port");
            return;
        }
        Endpoint parsed = Endpoint.parse(text);

        assertThat(parsed).isEqualTo(expected).hasToString(canonical);
        assertThat(Endpoint.parse(canonical)).isEqualTo(expected);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            value = {
                "\"\" | no port",
                "localhost | no port",
                "tcp: | no port",
                "localhost: | port",
                "localhost:http | port 'http'",
                "localhost:65536 | port '65536'",
                "localhost:-1 | port '-1'",
                "localhost:+1 | port '+1'",
                "localhost:0x50 | port '0x50'",
                "localhost:99999999999999999999 | port",
                "localhost:8 0 | port",
                "[::1] | no port",
                "[::1 | bracket",
                "[::1:80 | bracket",
                "[localhost]:80 | bracket",
                "[]:80 | bracket",
                "::1:80 | [::1]",
                "fe80::1:80 | bracket",
                "http://localhost:80 | host",
                "a b:80 | host",
                "a/b:80 | host",
                "unix: | path",
                "unix:@ | name",
                "fd: | descriptor",
                "fd:-1 | descriptor",
                "fd:x | descriptor",
                "fd:2147483648 | descriptor",
                "fd:99999999999999999999 | descriptor",
            })
    void aMalformedAddressIsRefusedInOneLineThatNamesTheProblem(String text, String problem) {
        isMalformed(text, problem);
    }

    @ParameterizedTest
    @ValueSource(strings = {"a\nb", "a\nb:80", "a\rb:80", "a\tb:80", "a\0b:80", "unix:/a\0b", "unix:@a\0b", "fd:\n1"})
    void controlCharactersAreRefusedInOneLineToo(String text) {
        isMalformed(text, "");
    }

    @ParameterizedTest
    @ValueSource(strings = {"unix:", "unix:@"})
    void aUnixNameIsAtMost107BytesLong(String form) {
        String longest = form + "x".repeat(107);
        assertThat(Endpoint.parse(longest)).hasToString(longest);
        isMalformed(longest + "x", "107 bytes");
        isMalformed(form + "ü".repeat(54), "107 bytes");
    }

    private static void isMalformed(String text, String problem) {
        assertThatExceptionOfType(IllegalArgumentException.class)
                .isThrownBy(() -> Endpoint.parse(text))
                .withMessageContaining(problem)
                .satisfies(e ->
                        assertThat(e.getMessage()).startsWith("bad address '").doesNotContain("\n", "\r"));
    }

    @Test
    void whatTheTypesCannotHoldIsRefused() {
        assertThatIllegalArgumentException().isThrownBy(() -> new Endpoint.Tcp("h", 65536));
        assertThatIllegalArgumentException().isThrownBy(() -> new Endpoint.Tcp("h", -1));
        assertThatIllegalArgumentException().isThrownBy(() -> new Endpoint.Inherited(-1));
    }

    @Test
    void addressesOfTheJdkAreTranslated() throws Exception {
        InetAddress v6 = InetAddress.getByName("::1");
        assertThat(Endpoint.of(new InetSocketAddress(v6, 80)))
                .isEqualTo(Endpoint.of(v6, 80))
                .hasToString("tcp:[0:0:0:0:0:0:0:1]:80");
        assertThat(Endpoint.of(new InetSocketAddress("127.0.0.1", 8))).hasToString("tcp:127.0.0.1:8");
        assertThat(Endpoint.of(InetSocketAddress.createUnresolved("somewhere", 8)))
                .hasToString("tcp:somewhere:8");
        assertThat(Endpoint.of(UnixDomainSocketAddress.of(Path.of("/x")))).hasToString("unix:/x");
    }

    @Test
    void randomTextIsEitherAnAddressThatPrintsAndParsesOrAnIllegalArgument() {
        String[] words = {
            "tcp:", "unix:", "@", "fd:", "[", "]", ":", "::1", "80", "65536", "/", " ", "é", "\n", "\0", "%"
        };
        RandomGenerator random = Bytes.generator(SEED);
        int parsed = 0;
        for (int i = 0; i < 100_000; i++) {
            StringBuilder text = new StringBuilder();
            for (int left = random.nextInt(8); left > 0; left--) {
                if (random.nextInt(3) > 0) {
                    text.append(words[random.nextInt(words.length)]);
                } else {
                    text.appendCodePoint(random.nextInt(random.nextInt(5) == 0 ? 0x10FFFF : 0x80));
                }
            }
            parsed += survives(text.toString(), i) ? 1 : 0;
        }
        System.out.println("seed " + SEED + ": " + parsed + " of 100000 random texts are addresses");
        assertThat(parsed).isPositive();
    }

    private static boolean survives(String text, int round) {
        Endpoint endpoint;
        try {
            endpoint = Endpoint.parse(text);
        } catch (IllegalArgumentException e) {
            assertThat(e.getMessage().lines())
                    .as("seed %s, round %s", SEED, round)
                    .hasSize(1);
            return false;
        }
        assertThat(Endpoint.parse(endpoint.toString()))
                .as("seed %s, round %s", SEED, round)
                .isEqualTo(endpoint);
        return true;
    }
}
