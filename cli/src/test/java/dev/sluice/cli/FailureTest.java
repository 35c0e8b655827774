package dev.sluice.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What goes wrong costs one line, that names the address or file and the errno, and the right exit code. */
@Timeout(120)
class FailureTest {
    @TempDir
    private Path directory;

    @Test
    void portInUse() throws Exception {
        try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            String address = "127.0.0.1:" + taken.getLocalPort();
            assertEnd(69, List.of(address, "EADDRINUSE"), "relay", address, "127.0.0.1:1");
            assertEnd(
                    69,
                    List.of(address, "EADDRINUSE"),
                    "receive",
                    address,
                    file("out").toString());
            assertThat(file("out"))
                    .as("a command that can't start creates no file")
                    .doesNotExist();
        }
    }

    @Test
    void unreachableTarget() throws Exception {
        Path file = Files.writeString(file("in"), "text");
        assertEnd(69, List.of("127.0.0.1:1", "ECONNREFUSED"), "send", file.toString(), "127.0.0.1:1");
    }

    @Test
    void unknownHost() throws Exception {
        Path file = Files.writeString(file("in"), "text");
        assertEnd(69, List.of("no.such.host.invalid"), "send", file.toString(), "no.such.host.invalid:1");
    }

    @Test
    void missingFile() throws Exception {
        assertEnd(1, List.of("missing", "ENOENT"), "send", file("missing").toString(), "127.0.0.1:1");
    }

    @Test
    void offsetBeyondTheEnd() throws Exception {
        Path file = Files.writeString(file("in"), "text");
        assertEnd(1, List.of("in", "offset 5", "at 4"), "send", file.toString(), "127.0.0.1:1", "--offset", "5");
    }

    @Test
    void unwritableFile() throws Exception {
        assertEnd(1, List.of("nowhere", "ENOENT"), "receive", "127.0.0.1:0", directory + "/nowhere/file");
        assertEnd(1, List.of("nowhere", "ENOENT"), "receive", "--resume", "127.0.0.1:0", directory + "/nowhere/file");
        assertEnd(1, List.of("nowhere", "ENOENT"), "record", "127.0.0.1:0", ":1", directory + "/nowhere/file");
    }

    @Test
    void noKernel() throws Exception {
        try (Sluice sluice = Sluice.start(List.of("-Dsluice.native=off"), "relay", "127.0.0.1:0", ":1")) {
            Sluice.End end = sluice.end();
            assertThat(end.code()).isEqualTo(78);
            assertThat(end.err()).contains("sluice.native").hasLineCount(1);
        }
    }

    private static void assertEnd(int code, List<String> words, String... arguments) throws Exception {
        try (Sluice sluice = Sluice.start(arguments)) {
            Sluice.End end = sluice.end();
            assertThat(end.code()).as(end.err()).isEqualTo(code);
            assertThat(end.err()
                            .lines()
                            .filter(line -> !line.contains("listening on"))
                            .toList())
                    .singleElement()
                    .asString()
                    .contains(words);
        }
    }

    @Test
    void deviceThatIsFullResetsTheSender() throws Exception {
        assumeTrue(Files.exists(Path.of("/dev/full")), "there is no /dev/full");
        try (Sluice sluice = Sluice.start("receive", "127.0.0.1:0", "/dev/full", "--print-address", "--json");
                Socket sender = new Socket(InetAddress.getLoopbackAddress(), sluice.port())) {
            writeUntilReset(sender);
            Sluice.End end = sluice.end();
            assertThat(end.code()).isEqualTo(1);
            assertThat(end.err()).contains("/dev/full", "ENOSPC").hasLineCount(1);
            Map<String, Object> report = ParsedJson.object(end.out());
            assertThat(report).containsEntry("bytes", 0L).containsKeys("error", "leftOver", "route", "reason");
            assertThat((long) report.get("leftOver")).isPositive();
        }
    }

    private static void writeUntilReset(Socket sender) {
        try {
            OutputStream out = sender.getOutputStream();
            while (true) {
                out.write(new byte[4096]);
            }
        } catch (IOException e) {
            // Told that its bytes go nowhere, as it should be.
        }
    }

    @Test
    void recordingRunsFull() throws Exception {
        Path small = mountTmpfs("1m");
        try (ServerSocket target = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
                Sluice sluice = record(target, small, "fail");
                Socket camera = new Socket(InetAddress.getLoopbackAddress(), sluice.port());
                Socket client = target.accept()) {
            Thread reader = Thread.ofVirtual().start(() -> readAll(client));
            writeUntilReset(camera);
            Sluice.End end = sluice.end();
            reader.join();
            assertThat(end.code()).isEqualTo(1);
            assertThat(end.err()).contains("recording", "ENOSPC").hasLineCount(1);
            Map<String, Object> mirror = mirror(end);
            assertThat((long) mirror.get("bytes")).isEqualTo(Files.size(small.resolve("recording")));
        } finally {
            unmount(small);
        }
    }

    @Test
    void recordingRunsFullAndIsDetached() throws Exception {
        Path small = mountTmpfs("1m");
        try (ServerSocket target = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
                Sluice sluice = record(target, small, "detach");
                Socket camera = new Socket(InetAddress.getLoopbackAddress(), sluice.port());
                Socket client = target.accept()) {
            Thread writer = Thread.ofVirtual().start(() -> {
                try (camera) {
                    camera.getOutputStream().write(new byte[5_000_000]);
                } catch (IOException e) {
                    // The count tells.
                }
            });
            assertThat(client.getInputStream().readAllBytes()).hasSize(5_000_000);
            writer.join();
            Sluice.End end = sluice.end();
            assertThat(end.code()).as(end.err()).isZero();
            assertThat(mirror(end).get("error")).asString().contains("ENOSPC");
        } finally {
            unmount(small);
        }
    }

    private Sluice record(ServerSocket target, Path small, String policy) throws IOException {
        return Sluice.start(
                "record",
                "127.0.0.1:0",
                "127.0.0.1:" + target.getLocalPort(),
                small.resolve("recording").toString(),
                "--print-address",
                "--json",
                "--on-mirror-failure",
                policy);
    }

    private static Map<String, Object> mirror(Sluice.End end) {
        return ParsedJson.list(ParsedJson.object(end.out()).get("mirrors")).getFirst();
    }

    private static void readAll(Socket client) {
        try {
            client.getInputStream().readAllBytes();
        } catch (IOException e) {
            // The stream broke off, and so says the reset.
        }
    }

    private Path mountTmpfs(String size) throws Exception {
        Path at = Files.createDirectory(file("small"));
        boolean mounted = run("mount", "-t", "tmpfs", "-o", "size=" + size, "tmpfs", at.toString()) == 0;
        assumeTrue(mounted, "no permission to mount a small file system");
        return at;
    }

    private static void unmount(Path at) throws Exception {
        run("umount", "--lazy", at.toString());
    }

    private static int run(String... command) throws Exception {
        return new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start()
                .waitFor();
    }

    private Path file(String name) {
        return directory.resolve(name);
    }
}
