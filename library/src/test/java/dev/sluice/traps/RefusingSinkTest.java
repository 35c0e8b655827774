package dev.sluice.traps;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.Pipeline;
import dev.sluice.Sluice;
import dev.sluice.file.KernelFile;
import dev.sluice.internal.fd.Descriptor;
import dev.sluice.internal.fd.Descriptors;
import dev.sluice.internal.linux.Files;
import dev.sluice.io.Route;
import dev.sluice.io.TransferException;
import dev.sluice.io.TransferResult;
import dev.sluice.pipe.KernelPipe;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.Child;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Pair;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Sinks that take splice for a while, or never: what is in the pipe then leaves it by another door, in order. */
@ExtendWith(LeakCheck.class)
@Timeout(60)
class RefusingSinkTest {
    private static final byte[] DATA = Bytes.random(8, 8 << 20);

    private static void setAppend(KernelFile file) {
        Descriptor descriptor = Descriptors.sink(file);
        assertThat(descriptor.acquire()).isTrue();
        try {
            int flags = Files.flags(descriptor.fd());
            assertThat(Files.setFlags(descriptor.fd(), flags | Files.O_APPEND)).isZero();
        } finally {
            descriptor.release();
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    @DisplayName(
            "S8, S9, S15, #4 (golang/go#79660): O_APPEND set in mid-transfer loses no byte and keeps the order; mirror: ")
    void appendSetDuringTheTransfer(boolean asMirror, @TempDir Path directory) throws Exception {
        Path path = directory.resolve("log");
        try (Pair in = Pair.open(Pair.Kind.TCP);
                Pair out = Pair.open(Pair.Kind.TCP);
                KernelFile file = KernelFile.open(path, StandardOpenOption.WRITE, StandardOpenOption.CREATE)) {
            CompletableFuture<byte[]> received = Bytes.async(() -> Bytes.readAll(out.far()));
            CompletableFuture<TransferResult> transfer = Bytes.async(() -> asMirror
                    ? Pipeline.from(in.far()).route(Route.SPLICE).mirror(file).to(out.near())
                    : Pipeline.from(in.far()).route(Route.SPLICE).to(file));
            Bytes.write(in.near(), Arrays.copyOf(DATA, DATA.length / 2), 10_000);
            Stage.await("half of it is in the file", () -> path.toFile().length() == DATA.length / 2);
            setAppend(file);
            Bytes.write(in.near(), Arrays.copyOfRange(DATA, DATA.length / 2, DATA.length), 10_000);
            in.near().shutdownOutput();
            TransferResult result = Stage.get(transfer);
            out.near().shutdownOutput();
            assertThat(java.nio.file.Files.readAllBytes(path)).isEqualTo(DATA);
            String reason = asMirror ? result.mirrors().getFirst().reason() : result.reason();
            assertThat(reason).contains("EINVAL");
            if (asMirror) {
                assertThat(Stage.get(received)).isEqualTo(DATA);
                assertThat(result.mirrors().getFirst().bytes()).isEqualTo(DATA.length);
            } else {
                assertThat(result.bytes()).isEqualTo(DATA.length);
            }
        }
    }

    @Test
    @DisplayName("S15: a file opened for appending is appended to by copying, and the reason says so")
    void openedForAppending(@TempDir Path directory) throws Exception {
        Path path = java.nio.file.Files.write(directory.resolve("log"), new byte[] {1, 2, 3});
        Path from = java.nio.file.Files.write(directory.resolve("from"), DATA);
        try (KernelFile file = KernelFile.open(path, StandardOpenOption.APPEND);
                KernelFile source = KernelFile.open(from)) {
            TransferResult result = Sluice.transfer(source, file);
            assertThat(result.route()).isEqualTo(Route.COPY);
            assertThat(result.reason()).contains("O_APPEND");
            assertThat(result.bytes()).isEqualTo(DATA.length);
        }
        byte[] all = java.nio.file.Files.readAllBytes(path);
        assertThat(all).hasSize(DATA.length + 3).startsWith(1, 2, 3).endsWith(DATA);
    }

    @Test
    @DisplayName("S9, S17: /dev/full refuses splice and then everything else; all of it comes back as residue")
    void devFull() throws Exception {
        try (KernelPipe in = KernelPipe.open();
                KernelFile full = KernelFile.open(Path.of("/dev/full"), StandardOpenOption.WRITE)) {
            byte[] data = Arrays.copyOf(DATA, 50_000);
            Bytes.write(in, data, data.length);
            in.closeSink();
            TransferException e =
                    Stage.failure(Bytes.async(() -> Sluice.transfer(in.source(), full)), TransferException.class);
            assertThat(e.accepted()).isZero();
            assertThat(Stage.bytes(e.residue())).isEqualTo(data);
            assertThat(e.getMessage()).contains("/dev/full").contains("ENOSPC");
        }
    }

    @Test
    @DisplayName("S16: a terminal as the sink is copied to, in order")
    void terminal(@TempDir Path directory) throws Exception {
        Child child = onTerminal(ToTerminal.class, directory);
        assertThat(child.exit()).as(child.toString()).isZero();
        assertThat(child.out()).contains(ToTerminal.TEXT).contains("route=COPY").contains("is a terminal");
    }

    private static Child onTerminal(Class<?> main, Path directory) throws Exception {
        Assumptions.assumeTrue(Child.has("script", "-qec", "true", "/dev/null"), "script(1) is missing: no terminal");
        String program = "'" + String.join("' '", Child.command(List.of(), List.of(), main)) + "'";
        return Child.run(List.of(
                "script", "-qec", program, directory.resolve("typescript").toString()));
    }

    /** Transfers a text to its terminal. */
    static final class ToTerminal {
        static final String TEXT = "0123456789abcdef".repeat(500);

        public static void main(String[] arguments) throws Exception {
            try (KernelPipe in = KernelPipe.open();
                    KernelFile terminal = KernelFile.open(Path.of("/dev/tty"), StandardOpenOption.WRITE)) {
                Bytes.write(in, TEXT.getBytes(), TEXT.length());
                in.closeSink();
                System.out.println(Sluice.transfer(in.source(), terminal));
            }
        }
    }

    @Test
    @DisplayName("S29, #6: an interrupt wakes a transfer that waits for a terminal's keyboard")
    void terminalAsTheSource(@TempDir Path directory) throws Exception {
        Child child = onTerminal(FromTerminal.class, directory);
        assertThat(child.out()).contains("INTERRUPTED");
        assertThat(child.exit()).as(child.toString()).isZero();
    }

    /** Waits for a keyboard on which nobody types. */
    static final class FromTerminal {
        public static void main(String[] arguments) throws Exception {
            KernelFile terminal = KernelFile.open(Path.of("/dev/tty"));
            KernelPipe out = KernelPipe.open();
            CompletableFuture<Thread> thread = new CompletableFuture<>();
            CompletableFuture<Object> transfer = Bytes.async(() -> {
                thread.complete(Thread.currentThread());
                return Sluice.transfer(terminal, out.sink());
            });
            Thread.sleep(500);
            thread.join().interrupt();
            System.out.println(Stage.failure(transfer, TransferException.class).reason());
            System.exit(0);
        }
    }
}
