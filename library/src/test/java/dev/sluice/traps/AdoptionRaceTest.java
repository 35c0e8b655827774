package dev.sluice.traps;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.Pipeline;
import dev.sluice.internal.fd.Adoption;
import dev.sluice.internal.fd.PipePool;
import dev.sluice.io.Route;
import dev.sluice.io.TransferException;
import dev.sluice.io.TransferResult;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.JdkPair;
import dev.sluice.testkit.LeakCheck;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.Channel;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.channels.Pipe;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** JDK channels that are adopted while they are closed, and among thousands of others: never somebody else's descriptor. */
@ExtendWith(LeakCheck.class)
@Timeout(60)
class AdoptionRaceTest {
    @TempDir
    private Path directory;

    @AfterEach
    void noPipeIsLent() throws Exception {
        Stage.await("pipes come back", () -> PipePool.shared().lent() == 0);
    }

    /** Sockets and files that take every number that becomes free, and that nobody writes to. */
    private final class Decoys implements AutoCloseable {
        private static final int KEPT = 40;

        private final AtomicBoolean stop = new AtomicBoolean();
        private final ArrayDeque<Channel> open = new ArrayDeque<>();
        private final CompletableFuture<Integer> opener = Bytes.platform(this::run);
        private int checked;

        private int run() throws IOException {
            for (int i = 0; !stop.get(); i++) {
                if (i % 2 == 0) {
                    JdkPair pair = JdkPair.open();
                    open.add(pair.near());
                    open.add(pair.far());
                } else {
                    open.add(FileChannel.open(
                            directory.resolve("decoy" + i),
                            StandardOpenOption.CREATE_NEW,
                            StandardOpenOption.READ,
                            StandardOpenOption.WRITE,
                            StandardOpenOption.DELETE_ON_CLOSE));
                }
                while (open.size() > KEPT) {
                    check(open.poll());
                }
            }
            while (!open.isEmpty()) {
                check(open.poll());
            }
            return checked;
        }

        private void check(Channel decoy) throws IOException {
            try (decoy) {
                if (decoy instanceof FileChannel file) {
                    assertThat(file.size())
                            .as("bytes in a file of somebody else")
                            .isZero();
                } else {
                    SocketChannel socket = (SocketChannel) decoy;
                    socket.configureBlocking(false);
                    // −1 if the other end was checked before; a byte would be one of a transfer.
                    assertThat(socket.read(ByteBuffer.allocate(1)))
                            .as("bytes in a socket of somebody else")
                            .isLessThanOrEqualTo(0);
                }
                checked++;
            }
        }

        @Override
        public void close() throws Exception {
            stop.set(true);
            System.out.println(Stage.get(opener) + " decoys were left alone");
        }
    }

    @Test
    @DisplayName(
            "S29, S30: a socket closed at 200 random moments of its transfer; its number is taken by others at once")
    void closedDuringTheTransfer() throws Exception {
        long seed = System.nanoTime();
        System.out.println("adoption close seed " + seed);
        RandomGenerator random = Bytes.generator(seed);
        byte[] data = Bytes.random(seed, 1 << 20);
        int cut = 0;
        try (Decoys decoys = new Decoys()) {
            for (int i = 0; i < 200; i++) {
                cut += closedAfter(
                        random.nextInt(1500) * 1000L, i % 2 == 0, data, i % 4 < 2 ? Route.SPLICE : Route.COPY);
            }
        }
        System.out.println(cut + " of 200 transfers were cut");
        assertThat(cut).isPositive();
    }

    private static int closedAfter(long nanos, boolean closeSink, byte[] data, Route route) throws Exception {
        try (JdkPair in = JdkPair.open();
                JdkPair out = JdkPair.open()) {
            CompletableFuture<Object> fed = Bytes.async(() -> {
                Bytes.write(in.far(), data, 50_000);
                return in.far().shutdownOutput();
            });
            CompletableFuture<byte[]> received = Bytes.async(() -> Bytes.readAll(out.far()));
            CompletableFuture<Object> closer = Bytes.async(() -> {
                Thread.sleep(0, (int) Math.min(999_999, nanos));
                (closeSink ? out.near() : in.near()).close();
                return null;
            });
            long accepted = -1;
            byte[] residue = {};
            int cut = 1;
            try {
                TransferResult result = Pipeline.from(in.near()).route(route).to(out.near());
                accepted = result.bytes();
                cut = 0;
            } catch (TransferException e) {
                assertThat(e).as(e.getMessage()).hasCauseInstanceOf(AsynchronousCloseException.class);
                assertThat(e.reason()).isEqualTo(TransferException.Reason.CLOSED);
                accepted = e.accepted();
                residue = Stage.bytes(e.residue());
            } catch (ClosedChannelException e) {
                accepted = 0;
            }
            Stage.get(closer);
            in.near().close();
            out.near().close();
            byte[] got = Stage.get(received);
            assertThat(got.length).as("what the peer got of what was accepted").isEqualTo((int) accepted);
            assertThat(Arrays.mismatch(got, Arrays.copyOf(data, got.length))).isEqualTo(-1);
            assertThat(Arrays.mismatch(residue, Arrays.copyOfRange(data, got.length, got.length + residue.length)))
                    .isEqualTo(-1);
            fed.exceptionally(e -> null).join();
            return cut;
        }
    }

    @Test
    @DisplayName("S30: closing a channel while its descriptor is looked for leaks nothing and finds nobody else's")
    void closedDuringTheAdoption() throws Exception {
        long seed = System.nanoTime();
        System.out.println("adoption race seed " + seed);
        RandomGenerator random = Bytes.generator(seed);
        int refused = 0;
        try (Decoys decoys = new Decoys()) {
            for (int i = 0; i < 1000; i++) {
                try (JdkPair pair = JdkPair.open()) {
                    String address = "tcp:127.0.0.1:" + pair.near().socket().getPort();
                    boolean nonBlocking = i % 3 == 0;
                    pair.near().configureBlocking(!nonBlocking);
                    int spins = random.nextInt(4000);
                    CompletableFuture<Object> closer = Bytes.platform(() -> {
                        for (int spin = 0; spin < spins; spin++) {
                            Thread.onSpinWait();
                        }
                        pair.near().close();
                        return null;
                    });
                    try {
                        Adoption adoption = Adoption.of(pair.near(), Adoption.Way.READ);
                        assertThat(adoption.descriptor().name()).isEqualTo(address);
                        adoption.leave();
                    } catch (Adoption.Refusal e) {
                        refused++;
                    }
                    Stage.get(closer);
                }
            }
        }
        System.out.println(refused + " of 1000 adoptions were refused");
    }

    @Test
    @DisplayName("Among thousands of descriptors, hundreds of transfers at once each find their own")
    void manyDescriptorsAndManyAdoptions() throws Exception {
        long seed = System.nanoTime();
        System.out.println("many adoptions seed " + seed);
        List<Channel> crowd = new ArrayList<>();
        try {
            for (int i = 0; i < 1000; i++) {
                crowd(crowd, i);
            }
            AtomicInteger copied = new AtomicInteger();
            List<CompletableFuture<Void>> all = new ArrayList<>();
            for (int i = 0; i < 400; i++) {
                int index = i;
                all.add(Bytes.async(() -> {
                    copied.addAndGet(ownBytesArrive(seed + index, index));
                    return null;
                }));
            }
            for (CompletableFuture<Void> one : all) {
                one.get();
            }
            assertThat(copied.get()).as("transfers that were not adopted").isZero();
        } finally {
            for (Channel one : crowd) {
                one.close();
            }
        }
    }

    private void crowd(List<Channel> crowd, int i) throws IOException {
        switch (i % 3) {
            case 0 -> {
                JdkPair pair = JdkPair.open();
                crowd.addAll(List.of(pair.near(), pair.far()));
            }
            case 1 -> {
                Pipe pipe = Pipe.open();
                crowd.addAll(List.of(pipe.source(), pipe.sink()));
            }
            default -> {
                for (int n = 0; n < 6; n++) {
                    crowd.add(FileChannel.open(directory, StandardOpenOption.READ));
                }
            }
        }
    }

    /** 1 if the transfer had to be copied. */
    private static int ownBytesArrive(long seed, int index) throws Exception {
        byte[] data = Bytes.random(seed, 20_000 + ThreadLocalRandom.current().nextInt(10_000));
        try (JdkPair in = JdkPair.open();
                JdkPair out = JdkPair.open()) {
            in.near().configureBlocking(index % 2 == 0);
            out.near().configureBlocking(index % 3 == 0);
            Bytes.write(in.far(), data, data.length);
            in.far().shutdownOutput();
            TransferResult result = Pipeline.from(in.near()).route(Route.SPLICE).to(out.near());
            out.near().shutdownOutput();
            byte[] received = Bytes.readAll(out.far());
            assertThat(result.bytes()).isEqualTo(data.length);
            assertThat(Arrays.mismatch(received, data)).as("transfer " + index).isEqualTo(-1);
            assertThat(in.near().isBlocking()).isEqualTo(index % 2 == 0);
            assertThat(out.near().isBlocking()).isEqualTo(index % 3 == 0);
            if (result.route() != Route.SPLICE) {
                System.out.println(result.reason());
            }
            return result.route() == Route.SPLICE ? 0 : 1;
        }
    }
}
