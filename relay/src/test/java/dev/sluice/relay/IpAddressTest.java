package dev.sluice.relay;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.io.Endpoint;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class IpAddressTest {
    private static final String[] ADDRESSES = {
        "0.0.0.0",
        "255.255.255.255",
        "10.0.0.1",
        "::",
        "::1",
        "1::",
        "1:2:3:4:5:6:7:8",
        "1:2:3::6:7:8",
        "::2:3:4:5:6:7:8",
        "1:2:3:4:5:6:7::",
        "2001:DB8::aBcD",
        "0001:0000::",
        "::ffff:1.2.3.4",
        "::1.2.3.4",
        "1:2:3:4:5:6:1.2.3.4",
        "64:ff9b::192.0.2.33",
        "fe80::1:0:0:1",
        "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255"
    };

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                " ",
                ".",
                ":",
                ":::",
                "1",
                "1.2",
                "1.2.3",
                "1.2.3.",
                "1.2.3.4.",
                ".1.2.3.4",
                "1.2.3.4.5",
                "1..2.3",
                "256.1.1.1",
                "01.1.1.1",
                "1.1.1.00",
                "1.1.1.1000",
                "1.1.1.-1",
                "1.1.1.+1",
                "1.1.1.1 ",
                " 1.1.1.1",
                "0x7f.1.1.1",
                "1.1.1.٣",
                "1:2:3:4:5:6:7",
                "1:2:3:4:5:6:7:8:9",
                "1:2:3:4:5:6:7:8::",
                "::1:2:3:4:5:6:7:8",
                "1::2::3",
                "1:::2",
                "1:",
                ":1",
                "1::2:",
                ":1::2",
                "12345::",
                "g::",
                "::1%lo",
                "[::1]",
                "::1.2.3",
                "::1.2.3.4:5",
                "::1.2.3.04",
                "1.2.3.4::",
                "::12345.2.3.4",
                "1:2:3:4:5:6:7:1.2.3.4",
                "-1::",
                "::٣",
                "localhost",
                "00000000000000000000000000000000000000000000::1"
            })
    @DisplayName("What is not written in full is no address")
    void malformed(String text) {
        assertThat(IpAddress.parse(text)).isNull();
    }

    @Test
    @DisplayName("Addresses are read, printed and taken from bytes like the JDK's")
    void likeTheJdk() throws Exception {
        for (String text : ADDRESSES) {
            likeTheJdk(text, IpAddress.parse(text));
        }
    }

    private static void likeTheJdk(String text, IpAddress address) {
        InetAddress expected = InetAddress.ofLiteral(text);
        assertThat(address).as(text).isEqualTo(IpAddress.of(expected)).hasToString(expected.getHostAddress());
        assertThat(IpAddress.parse(address.toString())).isEqualTo(address);
        assertThat(IpAddress.parse(address.groups())).isEqualTo(address);
        assertThat(IpAddress.of(Endpoint.of(expected, 1))).isEqualTo(address);
        assertThat(address.isV4()).isEqualTo(expected.getAddress().length == 4);
    }

    @Test
    @DisplayName("Whatever is read is an address to the JDK too, and the same one")
    void fuzzed() {
        List<byte[]> corpus = Stream.of(ADDRESSES)
                .map(text -> text.getBytes(StandardCharsets.ISO_8859_1))
                .toList();
        Fuzz fuzz = new Fuzz("IP addresses", 100_000, corpus);
        int read = 0;
        for (int i = 0; i < fuzz.rounds; i++) {
            String text = new String(fuzz.next(), StandardCharsets.ISO_8859_1);
            IpAddress address = IpAddress.parse(text);
            if (address != null) {
                likeTheJdk(text, address);
                read++;
            }
        }
        assertThat(read).isGreaterThan(fuzz.rounds / 10);
    }

    @Test
    @DisplayName("The zone of an endpoint is no part of its address, and names and Unix sockets have none")
    void endpoints() {
        assertThat(IpAddress.of(new Endpoint.Tcp("fe80::1%eth0", 1))).isEqualTo(IpAddress.parse("fe80::1"));
        assertThat(IpAddress.of(new Endpoint.Tcp("localhost", 1))).isNull();
        assertThat(IpAddress.of(new Endpoint.Tcp("", 1))).isNull();
        assertThat(IpAddress.of(new Endpoint.Unix("1.2.3.4"))).isNull();
    }
}
