package dev.sluice.file;

import static java.nio.file.StandardOpenOption.APPEND;
import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.WRITE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.sluice.Pipeline;
import dev.sluice.Transfer;
import dev.sluice.io.Route;
import dev.sluice.io.Side;
import dev.sluice.io.TransferException;
import dev.sluice.io.TransferResult;
import dev.sluice.testkit.Account;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Pair;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.Timeout.ThreadMode;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Files that somebody appends to, cuts or overwrites while they are sent. A rate keeps a transfer from ending too soon. */
@ExtendWith(LeakCheck.class)
@Timeout(value = 60, threadMode = ThreadMode.SEPARATE_THREAD)
class ChangingFileTest {
    private static final int SIZE = 2 << 20;
    private static final byte[] BYTES = Bytes.random(173_205, SIZE + 100_003);

    @TempDir
    private Path directory;

    /** Until the transfer is under way. */
    private static void awaitStart(Transfer transfer) throws InterruptedException {
        while (transfer.bytes() == 0 && !transfer.isDone()) {
            Thread.sleep(1);
        }
    }

    private void append(Path path) throws Exception {
        Files.write(path, Arrays.copyOfRange(BYTES, SIZE, BYTES.length), APPEND);
    }

    @Test
    void whatIsAppendedBeforeTheEndIsReachedIsCopiedToo() throws Exception {
        Map<Route, Transfer> transfers = new EnumMap<>(Route.class);
        for (Route route : Route.values()) {
            Path path = Files.write(directory.resolve("from " + route), Arrays.copyOf(BYTES, SIZE));
            KernelFile from = KernelFile.open(path);
            KernelFile to = KernelFile.open(directory.resolve("to " + route), WRITE, CREATE);
            Transfer transfer = Pipeline.from(from).route(route).rate(1 << 20).start(to);
            transfers.put(route, transfer);
            transfer.completion().whenComplete((result, failure) -> {
                from.close();
                to.close();
            });
            awaitStart(transfer);
            append(path);
        }
        for (Map.Entry<Route, Transfer> entry : transfers.entrySet()) {
            Account.wentBy(entry.getKey(), entry.getValue().await(), BYTES.length);
            byte[] copied = Files.readAllBytes(directory.resolve("to " + entry.getKey()));
            assertThat(Arrays.mismatch(copied, BYTES)).as(entry.getKey() + "").isEqualTo(-1);
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = Route.class,
            names = {"SPLICE", "SENDFILE", "COPY"})
    void whatIsAppendedBeforeTheEndIsReachedIsSentToo(Route route) throws Exception {
        Path path = Files.write(directory.resolve("growing"), Arrays.copyOf(BYTES, SIZE));
        try (Pair pair = Pair.open(Pair.Kind.TCP);
                KernelFile file = KernelFile.open(path)) {
            CompletableFuture<byte[]> received = Bytes.async(() -> Bytes.readAll(pair.far()));
            Transfer transfer = Pipeline.from(file).route(route).rate(4 << 20).start(pair.near());
            awaitStart(transfer);
            append(path);
            Account.wentBy(route, transfer.await(), BYTES.length);
            pair.near().shutdownOutput();
            assertThat(Arrays.mismatch(received.get(), BYTES)).isEqualTo(-1);
        }
    }

    /** At this rate it would take half a minute, so that there is time enough to cut the file. */
    @ParameterizedTest
    @EnumSource(Route.class)
    void aFileThatIsCutWhileItIsCopiedSaysHowMuchIsMissing(Route route) throws Exception {
        Path path = Files.write(directory.resolve("shrinking"), Arrays.copyOf(BYTES, SIZE));
        Path copy = directory.resolve("copy");
        try (KernelFile from = KernelFile.open(path);
                KernelFile to = KernelFile.open(copy, WRITE, CREATE)) {
            Transfer transfer = Pipeline.from(from).route(route).rate(1 << 16).start(to);
            awaitStart(transfer);
            try (FileChannel cut = FileChannel.open(path, WRITE)) {
                cut.truncate(1);
            }
            TransferException e = catchThrowableOfType(TransferException.class, transfer::await);
            assertThat(e.side()).isEqualTo(Side.SOURCE);
            assertThat(e.residue().hasRemaining()).isFalse();
            assertThat(e.getMessage())
                    .contains(path.toString(), "shrank", (SIZE - e.accepted()) + " bytes are missing")
                    .doesNotContain("\n");
            assertThat(Files.size(copy)).isEqualTo(e.accepted()).isPositive();
        }
    }

    @Test
    void onlyWhatTheLimitAskedForIsMissed() throws Exception {
        Path path = Files.write(directory.resolve("shrinking"), Arrays.copyOf(BYTES, SIZE));
        try (KernelFile from = KernelFile.open(path);
                KernelFile to = KernelFile.open(directory.resolve("copy"), WRITE, CREATE)) {
            Transfer transfer =
                    Pipeline.from(from).limit(1_000_000).rate(1 << 16).start(to);
            awaitStart(transfer);
            try (FileChannel cut = FileChannel.open(path, WRITE)) {
                cut.truncate(1);
            }
            TransferException e = catchThrowableOfType(TransferException.class, transfer::await);
            assertThat(e.getMessage()).contains((1_000_000 - e.accepted()) + " bytes are missing");
        }
    }

    /** Spliced bytes are the file's own pages until they leave; copied ones are those that were read. */
    @ParameterizedTest
    @EnumSource(
            value = Route.class,
            names = {"SPLICE", "SENDFILE", "COPY"})
    void onlyCopyingKeepsWhatTheFileHeldWhenItWasRead(Route route) throws Exception {
        byte[] before = new byte[60_000];
        Arrays.fill(before, (byte) 'a');
        byte[] after = new byte[before.length];
        Arrays.fill(after, (byte) 'b');
        Path path = Files.write(directory.resolve("changing"), before);
        try (Pair pair = Pair.open(Pair.Kind.TCP);
                KernelFile file = KernelFile.open(path)) {
            TransferResult result = Pipeline.from(file).route(route).to(pair.near());
            Account.wentBy(route, result, before.length);
            try (FileChannel change = FileChannel.open(path, WRITE)) {
                change.write(ByteBuffer.wrap(after));
            }
            byte[] received = Bytes.read(pair.far(), before.length);
            if (route == Route.COPY) {
                assertThat(Arrays.mismatch(received, before)).isEqualTo(-1);
            } else {
                boolean old = Arrays.equals(received, before);
                System.out.println(
                        route + ": the receiver saw " + (old ? "what the file held" : "what was written afterwards"));
            }
        }
    }
}
