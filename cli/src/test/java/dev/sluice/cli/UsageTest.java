package dev.sluice.cli;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Wrong command lines cost one line and exit code 2; questions are answered on stdout. */
@Timeout(120)
class UsageTest {

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            relay nonsense :0                       | bad address 'nonsense'
            relay :0 host:99999                     | 99999
            relay :0                                | TARGET
            relay :0 :1 --drain-timeout 30          | bad duration '30'
            relay :0 :1 --route teleport            | --route
            relay :0 :1 --mirror :2 --mirror-on-slow drop | only a recording
            relay :0 :1 --mirror :2 --mirror-sample 2 | sample of 2
            relay :0 :1 --record . --record-name x  | {session}
            relay :0 :1 --mirror-direction up       | up' is not one of both, to-target, to-client
            relay :0 :1 :1                          | target twice
            relay :0 :1 --connect-timeout 0s        | --connect-timeout
            relay fd:web :1                         | systemd has passed no socket on
            relay --config x :0 :1                  | the file says where to listen
            relay --config x --tries 5              | into the file instead of --tries
            relay :0 :1 --accept-proxy example.com  | bad address range 'example.com'
            relay :0 :1 --metrics unix:/x           | not a TCP address
            relay :0 :1 --admin :1                  | not the path of a Unix socket
            relay :0 :1 --admin unix:@x             | not the path of a Unix socket
            top                                     | ADMIN
            relay :0 :1 --proxy-protocol v3         | v3' is not one of none, v1, v2
            record :0 :1                            | FILE
            send --sha256 - 127.0.0.1:1             | '-'
            receive --json :0 -                     | stdout
            send --offset 5 - 127.0.0.1:1           | --offset needs a file
            send --offset -5 file 127.0.0.1:1       | --offset
            send --length lots file 127.0.0.1:1     | lots
            send --offset 999999999999999999g f :1  | --offset
            receive --resume :0 -                   | --resume needs a file
            demo --size lots                        | lots
            demo --size 5                           | too small
            bench --rounds 0                        | too small
            frobnicate                              | frobnicate
            ''                                      | which command
            """)
    void wrongCommandLine(String arguments, String complaint) throws Exception {
        try (Sluice sluice = Sluice.start(arguments.isEmpty() ? new String[0] : arguments.split(" +"))) {
            Sluice.End end = sluice.end();
            assertThat(end.code()).as(end.err()).isEqualTo(2);
            assertThat(end.err()).contains(complaint).hasLineCount(1);
            assertThat(end.out()).isEmpty();
        }
    }

    @Test
    void version() throws Exception {
        try (Sluice sluice = Sluice.start("--version")) {
            Sluice.End end = sluice.end();
            assertThat(end.code()).isZero();
            assertThat(end.out()).startsWith("sluice ");
        }
    }

    @Test
    void helpOfACommand() throws Exception {
        try (Sluice sluice = Sluice.start("record", "--help")) {
            Sluice.End end = sluice.end();
            assertThat(end.code()).isZero();
            assertThat(end.out()).contains("LISTEN", "TARGET", "FILE", "--on-mirror-failure");
        }
    }
}
