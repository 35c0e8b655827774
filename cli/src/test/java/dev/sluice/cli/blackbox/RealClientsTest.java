package dev.sluice.cli.blackbox;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Programs that people run through a relay. */
@BlackBox
class RealClientsTest {
    private static final String ANY = "127.0.0.1:0";

    @TempDir
    private Path directory;

    @Test
    void redis() throws Exception {
        String server = Programs.assumeFound("redis-server");
        String benchmark = Programs.assumeFound("redis-benchmark");
        String cli = Programs.assumeFound("redis-cli");
        Path socket = directory.resolve("redis");
        List<String> serve =
                List.of(server, "--port", "0", "--unixsocket", socket.toString(), "--save", "", "--appendonly", "no");
        try (Programs.Service _ = Programs.start(directory, Programs.Ready.file(socket), serve);
                RelayProcess relay = RelayProcess.start(ANY, "unix:" + socket)) {
            String port = Integer.toString(relay.port());
            Programs.run(List.of(
                            benchmark, "-p", port, "-q", "-n", "5000", "-c", "30", "-P", "4", "-t", "set,get,lrange"))
                    .ok();
            Programs.run(List.of(benchmark, "-p", port, "-q", "-n", "300", "-c", "10", "-d", "100000", "-t", "set,get"))
                    .ok();
            Path value = directory.resolve("value");
            String text = "0123456789abcdef".repeat(100_000);
            Files.writeString(value, text);
            Programs.run(List.of("bash", "-c", cli + " -p " + port + " -x set key < " + value))
                    .ok();
            assertThat(Programs.run(List.of(cli, "-p", port, "get", "key"))
                            .ok()
                            .strip()
                            .equals(text))
                    .as("the value came back")
                    .isTrue();
        }
    }

    @Test
    void postgres() throws Exception {
        String pgbench = Programs.assumeFound("pgbench");
        Path bin = Path.of(Programs.assumeFound("postgres")).toRealPath().getParent();
        // It refuses to run as root, and must be able to write its directory.
        String as = System.getProperty("user.name").equals("root") ? "runuser -u postgres -- " : "";
        Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxrwxrwx"));
        Path data = directory.resolve("data");
        Programs.Run initdb = Programs.run(
                List.of("bash", "-c", as + bin.resolve("initdb") + " -D " + data + " -A trust -N -U postgres"));
        assumeTrue(initdb.code() == 0, () -> "initdb can't: " + initdb.output());
        List<String> serve = new ArrayList<>(List.of("bash", "-c"));
        serve.add("exec " + as + bin.resolve("postgres") + " -D " + data + " -k " + directory
                + " -c listen_addresses= -c fsync=off");
        Path socket = directory.resolve(".s.PGSQL.5432");
        try (Programs.Service _ = Programs.start(directory, Programs.Ready.file(socket), serve);
                RelayProcess relay = RelayProcess.start(ANY, "unix:" + socket)) {
            String connect = " -h 127.0.0.1 -U postgres -p " + relay.port() + " postgres";
            // The socket is there a moment before the server is.
            shell("for i in $(seq 100); do pg_isready -q -h 127.0.0.1 -p " + relay.port()
                    + " && exit; sleep .1; done; exit 1");
            shell(pgbench + " -i -q" + connect);
            assertThat(shell(pgbench + " -c 8 -j 2 -t 40" + connect)).contains("320/320", "failed transactions: 0");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "-R", "--bidir"})
    void iperf(String way) throws Exception {
        String iperf = Programs.assumeFound("iperf3");
        int port = Ports.free();
        List<String> serve = List.of(iperf, "-s", "-B", "127.0.0.1", "-p", Integer.toString(port));
        Path log = directory.resolve("service.log");
        // A connection that only asks whether it is there would count as a test.
        Programs.Ready ready = () -> Files.exists(log) && Files.readString(log).contains("listening");
        try (Programs.Service _ = Programs.start(directory, ready, withStdbuf(serve));
                RelayProcess relay = RelayProcess.start(ANY, "127.0.0.1:" + port)) {
            String report = shell(iperf + " -J -n 200M -P 2 -c 127.0.0.1 -p " + relay.port() + " " + way);
            assertThat(report).doesNotContain("\"error\"");
            assertThat(number(report, "\"bytes\":\\s*(\\d+)")).isPositive();
        }
    }

    private static List<String> withStdbuf(List<String> command) {
        List<String> all = new ArrayList<>(List.of("stdbuf", "-oL"));
        all.addAll(command);
        return all;
    }

    /** Both ways: a push and a pull of a tree, compared file by file. */
    @Test
    void rsync() throws Exception {
        String rsync = Programs.assumeFound("rsync");
        int port = Ports.free();
        Path source = Files.createDirectory(directory.resolve("source"));
        plantTree(source);
        Files.createDirectory(directory.resolve("served"));
        Path configuration = directory.resolve("rsyncd.conf");
        Files.writeString(configuration, """
                use chroot = no
                [tree]
                path = %s
                read only = no
                uid = %s
                """.formatted(directory.resolve("served"), System.getProperty("user.name")));
        List<String> serve = List.of(
                rsync, "--daemon", "--no-detach", "--config=" + configuration, "--address=127.0.0.1", "--port=" + port);
        try (Programs.Service _ = Programs.start(directory, Programs.Ready.port(port), serve);
                RelayProcess relay = RelayProcess.start(ANY, "127.0.0.1:" + port)) {
            String remote = "rsync://127.0.0.1:" + relay.port() + "/tree/";
            Programs.run(List.of(rsync, "-a", "--whole-file", source + "/", remote))
                    .ok();
            Programs.run(List.of(rsync, "-a", remote, directory.resolve("back") + "/"))
                    .ok();
            assertThat(shell("diff -r " + source + " " + directory.resolve("back")))
                    .isEmpty();
            assertThat(shell("rsync -rcni " + source + "/ " + remote)).isEmpty();
        }
    }

    private static void plantTree(Path root) throws IOException {
        Random random = new Random(7);
        for (int i = 0; i < 200; i++) {
            byte[] content = new byte[i % 50 == 0 ? 5_000_000 : random.nextInt(20_000)];
            random.nextBytes(content);
            Path parent = Files.createDirectories(root.resolve("d" + i % 7));
            Files.write(parent.resolve("f" + i), content);
        }
    }

    /** How much wrk and ab have read of files whose size is known. */
    @Test
    void http() throws Exception {
        String nginx = Programs.assumeFound("nginx");
        int port = Ports.free();
        int small = 1000;
        int big = 3_000_000;
        Path root = Files.createDirectory(directory.resolve("www"));
        Files.write(root.resolve("small"), new byte[small]);
        Files.write(root.resolve("big"), new byte[big]);
        Path configuration = directory.resolve("nginx.conf");
        Files.writeString(configuration, """
                daemon off;
                pid %1$s/pid;
                error_log %1$s/error.log;
                events {}
                http {
                    access_log off;
                    keepalive_requests 1000000;
                    server { listen 127.0.0.1:%2$d; root %1$s/www; }
                }
                """.formatted(directory, port));
        // Its workers are somebody else.
        shell("chmod 755 " + directory);
        List<String> serve = List.of(nginx, "-c", configuration.toString());
        try (Programs.Service _ = Programs.start(directory, Programs.Ready.port(port), serve);
                RelayProcess relay = RelayProcess.start(ANY, "127.0.0.1:" + port)) {
            String base = "http://127.0.0.1:" + relay.port();
            wrk(base + "/small");
            h2load(base + "/small", 2000, small);
            h2load(base + "/big", 40, big);
            ab(base + "/small", small);
        }
    }

    private static void wrk(String url) throws Exception {
        String wrk = Programs.find("wrk");
        if (!wrk.isEmpty()) {
            String report = shell(wrk + " -t2 -c50 -d1s " + url);
            assertThat(report).doesNotContain("Socket errors", "Non-2xx");
            System.out.println(report);
        }
    }

    private static void h2load(String url, int requests, int size) throws Exception {
        String h2load = Programs.find("h2load");
        if (!h2load.isEmpty()) {
            String report = shell(h2load + " --h1 -c 20 -n " + requests + " " + url);
            assertThat(report).contains(requests + " succeeded, 0 failed");
            assertThat(number(report, "\\((\\d+)\\) data")).isEqualTo((long) requests * size);
        }
    }

    private static void ab(String url, int size) throws Exception {
        String ab = Programs.find("ab");
        if (!ab.isEmpty()) {
            // A connection for each.
            String report = shell(ab + " -q -c 10 -n 500 " + url);
            assertThat(number(report, "Failed requests: +(\\d+)")).isZero();
            assertThat(number(report, "HTML transferred: +(\\d+)")).isEqualTo(500L * size);
        }
    }

    private static long number(String text, String pattern) {
        Matcher matcher = Pattern.compile(pattern).matcher(text);
        assertThat(matcher.find()).as(text).isTrue();
        return Long.parseLong(matcher.group(1));
    }

    private static String shell(String line) throws Exception {
        return Programs.run(List.of("bash", "-c", line)).ok();
    }
}
