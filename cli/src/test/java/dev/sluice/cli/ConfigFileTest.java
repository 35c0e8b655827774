package dev.sluice.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.sluice.io.Endpoint;
import dev.sluice.relay.Balance;
import dev.sluice.relay.Mirroring;
import dev.sluice.relay.OnRemove;
import dev.sluice.relay.ProxyProtocol;
import dev.sluice.relay.Service;
import dev.sluice.relay.Target;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Timeout(60)
class ConfigFileTest {
    private static final String SERVICE = "[service.a]\nlisten = ':1'\ntargets = 'a:1'\n";

    @TempDir
    Path directory;

    @Test
    void readsAllOfIt() throws Exception {
        Settings settings = read("""
                drain-timeout = "1m"
                max-connections = 7
                log = "json"
                log-file = "/var/log/x"
                stats-interval = "2s"
                exit-idle-time = "3h"

                [defaults]
                idle-timeout = "5m"
                balance = "source-hash"

                [service.one]
                listen = [":1", "unix:/x", "fd:3"]
                targets = ["a:1", { address = "b:2", weight = 3, max-connections = 4 }]
                idle-timeout = "6m"
                on-remove = "close"
                back-off = "2m"
                longest-back-off = "3m"
                access = ["deny 10.0.0.1", "allow 10.0.0.0/8"]
                byte-rate = "1MiB"
                service-byte-rate = 5
                max-connections = 9
                proxy-protocol = "v2"
                accept-proxy = ["10.1.0.0/16", "unix:"]
                server-names = { "*.example.com" = "e:1", "www.example.com" = ["e:2", "e:3"] }
                server-names-only = true
                mirror = ["m:1", "m:2"]
                mirror-on-slow = "block"
                mirror-sample = 0.5
                record = "/r"
                record-rotate-size = "1m"

                [service."two words"]
                listen = ":2"
                targets = "unix:@abs"
                """);
        assertThat(settings.drainTimeout()).isEqualTo(Duration.ofMinutes(1));
        assertThat(settings.exitIdleTime()).isEqualTo(Duration.ofHours(3));
        assertThat(settings.statsInterval()).isEqualTo(Duration.ofSeconds(2));
        assertThat(settings.log())
                .isEqualTo(new RecordLog.Choice(RecordLog.Format.JSON, Optional.of(Path.of("/var/log/x"))));
        assertThat(settings.config().maxConnections()).isEqualTo(7);
        Service one = settings.config().services().getFirst();
        assertThat(one.listen())
                .containsExactly(Endpoint.parse(":1"), Endpoint.parse("unix:/x"), Endpoint.parse("fd:3"));
        assertThat(one.targets().targets())
                .containsExactly(Target.of(Endpoint.parse("a:1")), new Target(Endpoint.parse("b:2"), 3, 4));
        assertThat(one.targets().balance()).isEqualTo(Balance.SOURCE_HASH);
        assertThat(one.targets().onRemove()).isEqualTo(OnRemove.CLOSE);
        assertThat(one.targets().health().longestBackOff()).isEqualTo(Duration.ofMinutes(3));
        assertThat(one.timeouts().idle()).isEqualTo(Duration.ofMinutes(6));
        assertThat(one.access().toString()).contains("10.0.0.1", "10.0.0.0/8");
        assertThat(one.limits().byteRate()).isEqualTo(1 << 20);
        assertThat(one.limits().serviceByteRate()).isEqualTo(5);
        assertThat(one.limits().maxConnections()).isEqualTo(9);
        assertThat(one.targets().proxyProtocol()).isEqualTo(ProxyProtocol.V2);
        assertThat(one.acceptProxy().orElseThrow().from()).containsExactly("10.1.0.0/16", "unix:");
        assertThat(one.serverNames().orElseThrow().onlyThese()).isTrue();
        assertThat(one.serverNames()
                        .orElseThrow()
                        .groups()
                        .get("www.example.com")
                        .targets())
                .hasSize(2);
        assertThat(one.mirrors()).extracting(Mirroring::name).containsExactly("tcp:m:1", "tcp:m:2", "/r");
        assertThat(one.mirrors()).extracting(Mirroring::sample).containsExactly(0.5, 0.5, 1.0);
        Service two = settings.config().services().getLast();
        assertThat(two.name()).isEqualTo("two words");
        assertThat(two.timeouts().idle()).isEqualTo(Duration.ofMinutes(5));
        assertThat(two.limits().maxConnections()).isZero();
        assertThat(settings).hasToString("2 services, 4 listeners, 3 targets");
    }

    /** In the files, ~ stands for the end of a line. */
    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
            thread = 1                              | 1:1: unknown key 'thread'; did you mean threads?
            xyz = 1                                 | 1:1: unknown key 'xyz'; known are drain-timeout
            listen = ':1'                           | 1:1: unknown key 'listen'; it belongs into a table [service.NAME]
            [service.b]~threads = 1                 | 2:1: unknown key 'threads'; it belongs to the top of the file
            [defaults]~listen = ':1'                | 2:1: unknown key 'listen'; it belongs into
            [default]~tries = 1                     | 1:1: unknown key 'default'; did you mean defaults?
            threads = '1'                           | 1:1: threads: expected a number, not a string
            threads = 2000                          | 1:1: threads: 2000 is not between 0 and 1024
            threads = 99999999999                   | 1:1: threads: 99999999999 is not between
            drain-timeout = 30                      | 1:1: drain-timeout: expected a time such as "30s", not the number 30
            drain-timeout = '30'                    | 1:1: drain-timeout: bad duration '30'
            drain-timeout = 1979-05-27              | 1:1: drain-timeout: expected a time such as "30s", not a date
            log = 'xml'                             | 1:1: log: 'xml' is not one of failures, text, json
            log-file = '/x'                         | 1:1: log-file needs log
            [service.b]~listen=':2'                 | 1:1: service b: targets is missing
            [service.b]~targets='b:2'               | 1:1: service b: listen is missing
            [service.b]~listen=[':2','::1:3']       | 2:14: listen: bad address '::1:3'
            [service.b]~targets=['b:2',5]           | 2:16: targets: expected an address such as
            [service.b]~targets=['b:0']             | 2:10: targets: tcp:b:0 can't be a target
            [service.b]~targets=[{ weight = 1 }]    | targets: address is missing
            [service.b]~targets=[{ adress = 'b:1'}] | unknown key 'adress'; did you mean address?
            [service.b]~connect-timeout = '0s'      | 2:1: connect-timeout: connect timeout PT0S is not positive
            [service.b]~access = ['permit ::1']     | 2:11: access: bad access rule
            [service.b]~listen=':2'~targets=['b:2','b:2'] | 1:1: service b: tcp:b:2 is a target twice
            [service.b]~listen=':2'~targets='b:2'~back-off='2h' | 1:1: service b: longest back-off
            [service.b]~listen=':1'~targets='b:2'   | tcp::1 is listened on twice, by service
            [service.b]~listen='${SLUICE_NO}:2'     | 2:1: listen: the environment has no variable SLUICE_NO
            [service.b]~listen='systemd'~targets='b:2' | 1:1: service b: systemd: systemd has passed no socket on
            [service.b]~listen='fd:web'~targets='b:2' | 1:1: service b: fd:web: systemd has passed no socket on
            [service.b]~accept-proxy = ['::1/200']  | 2:17: accept-proxy:
            [service.b]~server-names-only = 1       | 2:1: server-names-only: expected true or false, not the number 1
            [service.b]~record-name = 'x'           | 2:1: record-name: naming 'x'
            [service.b]~mirror-sample = 2           | 2:1: mirror-sample: a sample of 2.0
            x = 'unterminated                       | 1:18: Unexpected
            """)
    void saysWhatIsWrongAndWhere(String file, String complaint) throws Exception {
        assertThat(problems(file.replace('~', '\n') + "\n" + SERVICE).getFirst())
                .contains(complaint)
                .startsWith(directory.resolve("relay.toml") + ":")
                .doesNotContain("\n");
    }

    @Test
    void saysAllThatIsWrong() throws Exception {
        assertThat(problems("threads = -1\nx = 2\n[service.a]\nlisten = 5\ntargets = 'a'\n"))
                .hasSize(4)
                .extracting(line -> line.replaceAll(".*toml:(\\d+):.*", "$1"))
                .containsExactly("1", "2", "4", "5");
        assertThat(problems(manyKeys(50))).hasSize(21).last().asString().endsWith("more");
    }

    private static String manyKeys(int number) {
        StringBuilder keys = new StringBuilder();
        for (int i = 0; i < number; i++) {
            keys.append("key").append(i).append(" = 1\n");
        }
        return keys.toString();
    }

    @Test
    void aMistakeInTheDefaultsIsSaidOnce() throws Exception {
        assertThat(problems("[defaults]\ntries = 0\n" + SERVICE + SERVICE.replace(".a]", ".b]")))
                .hasSize(1);
    }

    @Test
    void nothingToDoIsAMistake() throws Exception {
        assertThat(problems("threads = 1\n")).singleElement().asString().contains("no [service.NAME] table");
        assertThat(problems("")).hasSize(1);
        assertThat(problems("service = 5"))
                .first()
                .asString()
                .contains("1:1: service: expected a table, not the number 5");
        assertThat(problems("service.a = 5")).singleElement().asString().contains("service a: expected a table");
    }

    @Test
    void variablesOfTheEnvironment() throws Exception {
        Path file = write("[service.a]\nlisten = '${HOST}:${PORT}'\ntargets = '${T}'\n");
        Settings settings = ConfigFile.read(file, Map.of("HOST", "localhost", "PORT", "80", "T", "a:1"), none());
        assertThat(settings.config().services().getFirst().listen()).containsExactly(Endpoint.parse("localhost:80"));
    }

    @Test
    void whatIsNoFileIsNoConfiguration() {
        assertThatExceptionOfType(BadConfiguration.class)
                .isThrownBy(() -> ConfigFile.read(directory.resolve("none"), Map.of(), none()))
                .withMessageContaining("ENOENT");
        assertThatExceptionOfType(BadConfiguration.class)
                .isThrownBy(() -> ConfigFile.read(directory, Map.of(), none()));
    }

    @Test
    void socketsThatSystemdPassed() {
        Map<String, String> environment =
                Map.of("LISTEN_PID", "77", "LISTEN_FDS", "3", "LISTEN_FDNAMES", "web:admin:web");
        PassedSockets passed = PassedSockets.of(environment, 77);
        assertThat(passed.find(Listen.parse("fd:web"))).containsExactly(Endpoint.parse("fd:3"), Endpoint.parse("fd:5"));
        assertThat(passed.find(Listen.parse("fd:4"))).containsExactly(Endpoint.parse("fd:4"));
        assertThat(passed.find(Listen.parse("systemd"))).hasSize(3);
        assertThatExceptionOfType(IllegalArgumentException.class)
                .isThrownBy(() -> passed.find(Listen.parse("fd:nobody")))
                .withMessageContaining("admin, web");
        PassedSockets toSomebodyElse = PassedSockets.of(environment, 78);
        assertThatExceptionOfType(IllegalArgumentException.class)
                .isThrownBy(() -> toSomebodyElse.find(Listen.parse("systemd")));
    }

    @Test
    void theExampleIsGood() throws Exception {
        Settings example = ConfigFile.read(docs("sluice.toml"), Map.of(), none());
        assertThat(example.config().services()).hasSizeGreaterThan(1);
    }

    /** Each key has its row, in the table of the place that it belongs to, and no row is about what is not there. */
    @Test
    void everyKeyIsDocumented() throws Exception {
        String page = Files.readString(docs("configuration.md"));
        assertThat(rows(page, "### The whole relay")).containsExactlyInAnyOrderElementsOf(Key.names(ConfigFile.TOP));
        assertThat(rows(page, "### A service")).containsExactlyInAnyOrderElementsOf(Key.names(ServiceDraft.KEYS));
        assertThat(rows(page, "### A target that is a table"))
                .containsExactlyInAnyOrderElementsOf(Key.names(TargetDraft.KEYS));
    }

    private static List<String> rows(String page, String heading) {
        String section =
                page.substring(page.indexOf(heading) + heading.length()).split("\n#", 2)[0];
        Matcher row = Pattern.compile("^\\| `([a-z-]+)` \\|", Pattern.MULTILINE).matcher(section);
        List<String> names = new ArrayList<>();
        while (row.find()) {
            names.add(row.group(1));
        }
        return names;
    }

    /** Whatever is done to a file, it is good or what is wrong is said in lines; nothing else is thrown. */
    @Test
    void hostileFiles() throws Exception {
        byte[] example = Files.readAllBytes(docs("sluice.toml"));
        Random random = new Random(20_261_121);
        List<byte[]> files = new ArrayList<>();
        for (int i = 0; i < 300; i++) {
            files.add(damaged(example, random));
        }
        Stream.of(
                        "[".repeat(20_000),
                        "a=" + "[".repeat(20_000),
                        "a=" + "{a=".repeat(5000),
                        "a.".repeat(20_000),
                        "\0",
                        "\uFEFF")
                .map(text -> text.getBytes(StandardCharsets.UTF_8))
                .forEach(files::add);
        for (byte[] bytes : files) {
            Path file = Files.write(directory.resolve("relay.toml"), bytes);
            try {
                ConfigFile.read(file, Map.of(), none());
            } catch (BadConfiguration e) {
                assertThat(e.problems()).isNotEmpty().noneMatch(line -> line.contains("\n") || line.contains("\0"));
            }
        }
    }

    private static byte[] damaged(byte[] good, Random random) {
        byte[] bytes = good.clone();
        for (int i = 0; i <= random.nextInt(4); i++) {
            int at = random.nextInt(bytes.length);
            switch (random.nextInt(3)) {
                case 0 -> bytes[at] = (byte) random.nextInt(256);
                case 1 -> bytes[at] = (byte) "[]{}\"'=.,#\n$".charAt(random.nextInt(12));
                default -> {
                    int length = Math.min(random.nextInt(40), bytes.length - at);
                    System.arraycopy(good, random.nextInt(good.length - length), bytes, at, length);
                }
            }
        }
        return bytes;
    }

    /** Tests run in the directory of their module. */
    private static Path docs(String name) {
        return Path.of("..", "docs", name);
    }

    private static PassedSockets none() {
        return PassedSockets.of(Map.of(), 1);
    }

    private Path write(String text) throws Exception {
        return Files.writeString(directory.resolve("relay.toml"), text);
    }

    private Settings read(String text) throws Exception {
        return ConfigFile.read(write(text), Map.of(), none());
    }

    private List<String> problems(String text) throws Exception {
        Path file = write(text);
        try {
            Settings read = ConfigFile.read(file, Map.of(), none());
            throw new AssertionError("nothing is wrong: " + read);
        } catch (BadConfiguration e) {
            return e.problems();
        }
    }
}
