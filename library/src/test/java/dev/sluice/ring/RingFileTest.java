package dev.sluice.ring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.io.SluiceException;
import dev.sluice.send.BufferLease;
import dev.sluice.send.BufferPool;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.LeakCheck;
import java.io.EOFException;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.Files;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A file on the ring, compared with what the JDK sees; also run without a ring, see {@link WithoutRingTest}. */
@Timeout(60)
@ExtendWith(LeakCheck.class)
class RingFileTest {
    /** MADV_DONTNEED */
    private static final int DONT_NEED = 4;

    @TempDir
    Path directory;

    private RingFile open(OpenOption... more) throws IOException {
        List<OpenOption> options =
                new ArrayList<>(List.of(StandardOpenOption.READ, StandardOpenOption.WRITE, StandardOpenOption.CREATE));
        options.addAll(List.of(more));
        try {
            return RingFile.open(path(), options.toArray(OpenOption[]::new));
        } catch (SluiceException e) {
            boolean refused = more.length > 0 && e.getMessage().contains("EINVAL");
            Assumptions.assumeFalse(refused, "no O_DIRECT on this file system");
            throw e;
        }
    }

    private Path path() {
        return directory.resolve("file");
    }

    private static ByteBuffer buffer(int length, boolean direct) {
        return direct ? ByteBuffer.allocateDirect(length) : ByteBuffer.allocate(length);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    @DisplayName("U11, U30: what is written at an offset is read there, whole, from any kind of buffer; the end is -1")
    void roundTrip(boolean direct) throws Exception {
        byte[] content = Bytes.random(1, 300_000);
        try (RingFile file = open()) {
            ByteBuffer out = buffer(content.length, direct).put(content).flip();
            assertThat(file.write(out, 4096)).isEqualTo(content.length);
            assertThat(out.hasRemaining()).isFalse();
            assertThat(file.size()).isEqualTo(4096 + content.length);
            ByteBuffer in = buffer(content.length, direct);
            file.readFully(in, 4096);
            byte[] found = new byte[content.length];
            in.flip().get(found);
            assertThat(Arrays.mismatch(found, content)).isEqualTo(-1);
            assertThat(file.read(in.clear(), 4096 + content.length)).isEqualTo(-1);
            assertThat(file.read(in.clear(), 1L << 40)).isEqualTo(-1);
            assertThat(file.read(buffer(0, direct), 0)).isZero();
            assertThat(file.write(buffer(0, direct), 0)).isZero();
            in.clear();
            assertThatThrownBy(() -> file.readFully(in, 10_000)).isInstanceOf(EOFException.class);
            assertThat(in.position()).isEqualTo(4096 + content.length - 10_000);
            assertThatThrownBy(() -> file.read(in, -1)).isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> file.read(in.asReadOnlyBuffer(), 0)).isInstanceOf(IllegalArgumentException.class);
        }
        assertThat(Files.size(path())).isEqualTo(4096 + content.length);
    }

    @Test
    @DisplayName("U10: vectored")
    void vectored() throws Exception {
        ByteBuffer[] out = new ByteBuffer[3];
        for (int i = 0; i < 3; i++) {
            out[i] = ByteBuffer.allocateDirect(1000 * i)
                    .put(Bytes.random(i, 1000 * i))
                    .flip();
        }
        try (RingFile file = open()) {
            assertThat(file.write(out, 5)).isEqualTo(3000);
            ByteBuffer[] in = {ByteBuffer.allocateDirect(1000), ByteBuffer.allocateDirect(5000)};
            assertThat(file.read(in, 5)).isEqualTo(3000);
            assertThat(in[0].flip()).isEqualTo(ByteBuffer.wrap(Bytes.random(1, 1000)));
            assertThat(in[1].flip()).isEqualTo(ByteBuffer.wrap(Bytes.random(2, 2000)));
            assertThat(file.read(new ByteBuffer[] {ByteBuffer.allocateDirect(1)}, 5000))
                    .isEqualTo(-1);
            assertThatThrownBy(() -> file.read(new ByteBuffer[] {ByteBuffer.allocate(1)}, 0))
                    .isInstanceOf(IllegalArgumentException.class);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    @DisplayName("O_DIRECT: offsets, lengths and buffers of any alignment give the same file as a buffered one")
    void pastTheCache(boolean directBuffers) throws Exception {
        long seed = System.nanoTime();
        RandomGenerator random = Bytes.generator(seed);
        byte[] model = new byte[200_000];
        int size = 0;
        try (RingFile file = open(RingFile.Option.DIRECT)) {
            for (int i = 0; i < 60; i++) {
                boolean whole = random.nextInt(3) == 0;
                int offset = whole ? 4096 * random.nextInt(20) : random.nextInt(size + 1);
                int length = whole ? 4096 * (1 + random.nextInt(4)) : 1 + random.nextInt(20_000);
                byte[] bytes = Bytes.random(random.nextLong(), length);
                ByteBuffer out = buffer(length + 8192, directBuffers).alignedSlice(directBuffers ? 4096 : 1);
                out.put(bytes).flip();
                assertThat(file.write(out, offset)).isEqualTo(length);
                System.arraycopy(bytes, 0, model, offset, length);
                size = Math.max(size, offset + length);
                int from = random.nextInt(size);
                ByteBuffer in = buffer(1 + random.nextInt(70_000), directBuffers);
                int count = file.read(in, from);
                byte[] found = new byte[count];
                in.flip().get(found);
                assertThat(Arrays.mismatch(found, 0, count, model, from, from + count))
                        .as("seed %d, step %d", seed, i)
                        .isEqualTo(-1);
            }
            assertThat(file.size()).as("seed %d", seed).isEqualTo(size);
            assertThat(file.read(buffer(10, directBuffers), size)).isEqualTo(-1);
        }
        byte[] found = Files.readAllBytes(path());
        assertThat(Arrays.mismatch(found, 0, found.length, model, 0, size)).isEqualTo(-1);
    }

    @Test
    @DisplayName(
            "O_DIRECT through a pool's buffers: its memory is the kernel's from the first call to the pool's close")
    void throughPool() throws Exception {
        byte[] content = Bytes.random(1, 4 * 65536);
        SharedRing ring = SharedRing.shared();
        try (RingFile file = open(RingFile.Option.DIRECT)) {
            // The second pool comes to where the first one was, in memory and maybe in the ring's table.
            for (int round = 0; round < 2; round++) {
                try (BufferPool pool = BufferPool.open(65536, 4)) {
                    for (int i = 0; i < 4; i++) {
                        BufferLease lease = pool.lease();
                        lease.put(ByteBuffer.wrap(content, i * 65536, 65536));
                        ByteBuffer out = lease.readOnly().asByteBuffer();
                        assertThat(file.write(out, i * 65536L)).isEqualTo(65536);
                        lease.close();
                    }
                    assertThat(Arrays.mismatch(Files.readAllBytes(path()), content))
                            .isEqualTo(-1);

                    BufferLease lease = pool.lease();
                    MemorySegment memory = lease.segment();
                    memory.fill((byte) 0);
                    file.readFully(memory.asByteBuffer(), 65536);
                    MemorySegment second = MemorySegment.ofArray(content).asSlice(65536, 65536);
                    assertThat(memory.mismatch(second)).isEqualTo(-1);
                    if (ring.reason() == null) {
                        // Takes the pages from the process, not from the kernel: that reads into those it was given.
                        assertThat(ring.perform(entry -> entry.advise(memory, DONT_NEED)))
                                .isZero();
                        file.readFully(memory.asByteBuffer(), 65536);
                        assertThat(memory.mismatch(MemorySegment.ofArray(new byte[65536])))
                                .isEqualTo(-1);
                    }
                    lease.close();
                }
            }
        }
    }

    @Test
    @DisplayName("U13, U19: force whole and in ranges, allocate, truncate")
    void forceAndAllocate() throws Exception {
        try (RingFile file = open()) {
            file.write(ByteBuffer.wrap(Bytes.random(1, 10_000)), 0);
            file.force(true);
            file.force(false);
            file.force(4096, 4096, false);
            file.allocate(0, 50_000);
            assertThat(file.size()).isEqualTo(50_000);
            file.truncate(77);
            assertThat(Files.size(path())).isEqualTo(77);
        }
    }

    @Test
    @DisplayName("U30: the channel has a position, which the file's own calls never move")
    void channel() throws Exception {
        try (RingFile file = open();
                SeekableByteChannel channel = file.channel()) {
            assertThat(channel.write(ByteBuffer.wrap(Bytes.random(1, 1000)))).isEqualTo(1000);
            assertThat(channel.position()).isEqualTo(1000);
            file.write(ByteBuffer.wrap(new byte[10]), 5000);
            file.read(ByteBuffer.allocate(10), 0);
            assertThat(channel.position()).isEqualTo(1000);
            assertThat(channel.size()).isEqualTo(5010);
            ByteBuffer in = ByteBuffer.allocate(100);
            assertThat(channel.position(900).read(in)).isEqualTo(100);
            assertThat(in.array()).isEqualTo(Arrays.copyOfRange(Bytes.random(1, 1000), 900, 1000));
            assertThat(channel.position(channel.size()).read(in.clear())).isEqualTo(-1);
            assertThat(channel.truncate(500).position()).isEqualTo(500);
            assertThat(channel.size()).isEqualTo(500);
            assertThatThrownBy(() -> channel.position(-1)).isInstanceOf(IllegalArgumentException.class);
            channel.close();
            assertThatThrownBy(channel::position).isInstanceOf(ClosedChannelException.class);
            assertThatThrownBy(() -> file.read(in, 0)).isInstanceOf(ClosedChannelException.class);
        }
    }

    @Test
    @DisplayName("errors name the file, the call and the errno")
    void errors() throws Exception {
        assertThatThrownBy(() -> RingFile.open(path()))
                .isInstanceOf(SluiceException.class)
                .hasMessageStartingWith(path() + ": open: ENOENT");
        assertThatThrownBy(() -> RingFile.open(directory)).hasMessageContaining("not a file");
        Files.writeString(path(), "x");
        try (RingFile file = RingFile.open(path())) {
            assertThatThrownBy(() -> file.write(ByteBuffer.allocate(1), 0))
                    .isInstanceOf(SluiceException.class)
                    .hasMessageStartingWith(path() + ": write: EBADF");
        }
        assertThatThrownBy(() -> RingFile.open(path(), StandardOpenOption.APPEND))
                .isInstanceOf(UnsupportedOperationException.class);
    }

    @Test
    @DisplayName("many threads read and write their parts of one file, and others are closed and opened meanwhile")
    void manyThreads() throws Exception {
        List<CompletableFuture<Object>> threads = new ArrayList<>();
        try (RingFile file = open()) {
            for (int i = 0; i < 32; i++) {
                int number = i;
                threads.add(Bytes.async(() -> {
                    RandomGenerator random = Bytes.generator(number);
                    ByteBuffer buffer = buffer(1000, number % 2 == 0);
                    for (int j = 0; j < 50; j++) {
                        byte[] bytes = Bytes.random(random.nextLong(), 1000);
                        file.write(buffer.clear().put(bytes).flip(), number * 1000L);
                        file.readFully(buffer.clear(), number * 1000L);
                        byte[] found = new byte[1000];
                        buffer.flip().get(found);
                        assertThat(Arrays.mismatch(found, bytes)).isEqualTo(-1);
                        if (j % 10 == 0) {
                            // Comes and goes through the table of fixed files.
                            Path own = directory.resolve("own" + number);
                            Files.write(own, bytes);
                            try (RingFile other = RingFile.open(own)) {
                                other.readFully(buffer.clear(), 0);
                                buffer.flip().get(found);
                                assertThat(Arrays.mismatch(found, bytes)).isEqualTo(-1);
                            }
                        }
                    }
                    return null;
                }));
            }
            for (CompletableFuture<Object> thread : threads) {
                thread.get();
            }
        }
    }

    @Test
    @DisplayName("closed while others read: they get their bytes or ClosedChannelException, never another file's")
    void closeWhileReading() throws Exception {
        for (int round = 0; round < 30; round++) {
            Files.write(path(), new byte[] {1});
            RingFile file = RingFile.open(path());
            List<CompletableFuture<Integer>> readers = new ArrayList<>();
            for (int i = 0; i < 8; i++) {
                readers.add(Bytes.async(() -> {
                    ByteBuffer buffer = ByteBuffer.allocateDirect(1);
                    try {
                        while (file.read(buffer.clear(), 0) == 1 && buffer.get(0) == 1) {
                            // Until it is closed.
                        }
                        return (int) buffer.get(0);
                    } catch (ClosedChannelException e) {
                        return 1;
                    }
                }));
            }
            file.close();
            Path other = directory.resolve("other");
            Files.write(other, new byte[] {2});
            try (RingFile next = RingFile.open(other)) {
                assertThat(next.read(ByteBuffer.allocate(1), 0)).isEqualTo(1);
                for (CompletableFuture<Integer> reader : readers) {
                    assertThat(reader.get()).isEqualTo(1);
                }
            }
        }
    }

    @Test
    @DisplayName("an interrupt leaves the file open and its status set, whether the call was in time or not")
    void interrupt() throws Exception {
        try (RingFile file = open()) {
            file.write(ByteBuffer.wrap(new byte[100]), 0);
            Thread.currentThread().interrupt();
            try {
                file.read(ByteBuffer.allocate(10), 0);
            } catch (InterruptedIOException e) {
                // It had not begun.
            }
            assertThat(Thread.interrupted()).isTrue();
            assertThat(file.read(ByteBuffer.allocate(10), 0)).isEqualTo(10);
        }
    }
}
