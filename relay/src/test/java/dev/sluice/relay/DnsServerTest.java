package dev.sluice.relay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** {@link DnsServer}, in name spaces of its own: a resolver always asks port 53 of what /etc/resolv.conf says. */
@Timeout(120)
class DnsServerTest {
    @TempDir
    private Path directory;

    private static int run(ProcessBuilder builder) throws IOException, InterruptedException {
        Process process = builder.redirectErrorStream(true).start();
        if (!process.waitFor(90, TimeUnit.SECONDS)) {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly().waitFor();
            throw new AssertionError("no end after 90 seconds");
        }
        return process.exitValue();
    }

    private static boolean has(String... command) throws InterruptedException {
        try {
            return run(new ProcessBuilder(command).redirectOutput(ProcessBuilder.Redirect.DISCARD)) == 0;
        } catch (IOException e) {
            return false;
        }
    }

    @Test
    @DisplayName("A real name server that changes its mind, hangs, dies, and says more than a datagram holds")
    void dnsmasq() throws Exception {
        assumeTrue(has("dnsmasq", "--version"), "dnsmasq is not installed");
        assumeTrue(has("unshare", "-rmn", "ip", "link", "set", "lo", "up"), "no name spaces here");
        Path resolver = Files.writeString(
                directory.resolve("resolv.conf"), "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n");
        List<String> java = List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-Dsun.net.inetaddr.ttl=0",
                "-Dsun.net.inetaddr.negative.ttl=0",
                "-cp",
                System.getProperty("java.class.path"),
                DnsServer.class.getName(),
                directory.toString());
        String script = "ip link set lo up && mount --bind " + resolver + " /etc/resolv.conf && exec '"
                + String.join("' '", java) + "'";
        Path log = directory.resolve("log");
        int exit = run(new ProcessBuilder("unshare", "-rmn", "--kill-child", "--fork", "sh", "-c", script)
                .redirectOutput(log.toFile()));
        assertThat(exit).as(Files.readString(log, StandardCharsets.UTF_8)).isZero();
    }
}
