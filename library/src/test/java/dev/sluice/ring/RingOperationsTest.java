package dev.sluice.ring;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.internal.fd.RawPipe;
import dev.sluice.internal.linux.Errno;
import dev.sluice.internal.linux.Polling;
import dev.sluice.internal.linux.Sockets;
import dev.sluice.io.Endpoint;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.LeakCheck;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Every operation is run to its completion, and what it did is looked at from outside the ring. */
@Timeout(60)
@ExtendWith(LeakCheck.class)
class RingOperationsTest {
    private static final int AT_FDCWD = -100;
    private static final int KEEP_SIZE = 1;

    @TempDir
    Path directory;

    private Arena arena;
    private Ring ring;
    private Path path;
    private int file;

    @BeforeEach
    void open() throws IOException {
        ring = Wait.open(8);
        arena = Arena.ofShared();
        path = directory.resolve("file");
        file = Wait.file(path);
    }

    @AfterEach
    void close() {
        if (ring != null) {
            ring.close();
            arena.close();
            dev.sluice.internal.linux.Files.close(file);
        }
    }

    private MemorySegment bytes(long seed, int length) {
        return arena.allocateFrom(JAVA_BYTE, Bytes.random(seed, length));
    }

    private static boolean same(MemorySegment memory, byte[] expected) {
        return memory.byteSize() == expected.length
                && MemorySegment.ofArray(expected).mismatch(memory) == -1;
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 4096, 100_000, 4 << 20})
    @DisplayName("U11: reads and writes at an offset, also 4 MiB at 4096 (their #9); an empty buffer is 0 bytes")
    void readAndWrite(int length) throws Exception {
        MemorySegment out = bytes(1, length);
        ring.next().write(file, out, 4096);
        assertThat(Wait.result(ring)).isEqualTo(length);
        byte[] found = Files.readAllBytes(path);
        assertThat(found).hasSize(4096 + length);
        MemorySegment in = arena.allocate(length);
        ring.next().read(file, in, 4096);
        assertThat(Wait.result(ring)).isEqualTo(length);
        assertThat(in.mismatch(out)).isEqualTo(-1);
        ring.next().read(file, in, 4096 + length);
        assertThat(Wait.result(ring)).isZero();
        ring.next().write(file, arena.allocate(0), 0);
        assertThat(Wait.result(ring)).isZero();
        assertThatThrownBy(() -> ring.next().read(file, MemorySegment.ofArray(new byte[1]), 0))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    @DisplayName("an offset of -1 is the file's own position; any other leaves it where it is")
    void ownPosition() throws Exception {
        Files.write(path, Bytes.random(2, 100));
        MemorySegment in = arena.allocate(10);
        for (int i = 0; i < 3; i++) {
            ring.next().read(file, in, -1);
            Wait.result(ring);
            ring.next().read(file, in, 50);
            Wait.result(ring);
        }
        assertThat(dev.sluice.internal.linux.Files.seek(file, 0, 1)).isEqualTo(30);
    }

    @Test
    @DisplayName("U10: vectored reads and writes take one contiguous array")
    void vectored() throws Exception {
        Vectors out = new Vectors(arena, 3)
                .set(0, bytes(1, 10))
                .set(1, bytes(2, 1000))
                .set(2, bytes(3, 5));
        ring.next().writeVectored(file, out, 7, 0);
        assertThat(Wait.result(ring)).isEqualTo(1015);
        MemorySegment one = arena.allocate(500);
        MemorySegment two = arena.allocate(515);
        ring.next().readVectored(file, new Vectors(arena, 2).set(0, one).set(1, two), 7, 0);
        assertThat(Wait.result(ring)).isEqualTo(1015);
        assertThat(same(one.asSlice(0, 10), Bytes.random(1, 10))).isTrue();
        assertThat(same(two.asSlice(510, 5), Bytes.random(3, 5))).isTrue();
        assertThatThrownBy(() -> out.set(3, one)).isInstanceOf(IndexOutOfBoundsException.class);
    }

    @Test
    @DisplayName("U12, U26: registered buffers by index and offset; a wrong registration throws")
    void fixedBuffers() throws Exception {
        MemorySegment first = bytes(1, 8192);
        MemorySegment second = arena.allocate(8192);
        ring.registry().buffers(first, second);
        ring.next().writeFixed(file, first.asSlice(100, 4000), 0, 3);
        assertThat(Wait.result(ring)).isEqualTo(4000);
        ring.next().readFixed(file, second.asSlice(5, 4000), 1, 3);
        assertThat(Wait.result(ring)).isEqualTo(4000);
        assertThat(second.asSlice(5, 4000).mismatch(first.asSlice(100, 4000))).isEqualTo(-1);
        ring.next().readFixed(file, second.asSlice(5, 4000), 0, 3);
        assertThat(Wait.result(ring)).isEqualTo(-Errno.EFAULT);
        assertThatThrownBy(() -> ring.registry().buffers(first)).hasMessageContaining("EBUSY");
        ring.registry().unregisterBuffers();
        assertThatThrownBy(() -> ring.registry().unregisterBuffers()).hasMessageContaining("ENXIO");
    }

    @Test
    @DisplayName("R11: registered buffers stay while anything is in flight")
    void fixedBuffersInUse() throws Exception {
        ring.registry().buffers(arena.allocate(4096));
        ring.next().timeout(1, TimeUnit.HOURS, 0).id(1);
        ring.submit();
        assertThatThrownBy(() -> ring.registry().unregisterBuffers()).isInstanceOf(IllegalStateException.class);
    }

    @Test
    @DisplayName("U27: registered files by index, stable when others change; a wrong registration throws")
    void fixedFiles() throws Exception {
        int other = Wait.file(directory.resolve("other"));
        ring.registry().files(-1, other, -1);
        ring.registry().updateFiles(2, file);
        ring.next().write(1, bytes(1, 5), 0).fixedFile();
        assertThat(Wait.result(ring)).isEqualTo(5);
        ring.registry().updateFiles(1, -1);
        ring.next().write(2, bytes(2, 7), 0).fixedFile();
        assertThat(Wait.result(ring)).isEqualTo(7);
        ring.next().write(1, bytes(1, 5), 0).fixedFile();
        assertThat(Wait.result(ring)).isEqualTo(-Errno.EBADF);
        ring.next().updateFiles(arena.allocateFrom(JAVA_INT, other), 0);
        assertThat(Wait.result(ring)).isEqualTo(1);
        ring.next().sync(0).fixedFile();
        assertThat(Wait.result(ring)).isZero();
        assertThat(Files.size(directory.resolve("other"))).isEqualTo(5);
        assertThat(Files.size(path)).isEqualTo(7);
        assertThatThrownBy(() -> ring.registry().files(1 << 20)).hasMessageMatching(".*(EBUSY|EBADF).*");
        assertThatThrownBy(() -> ring.registry().updateFiles(9, file)).hasMessageContaining("EINVAL");
        ring.registry().unregisterFiles();
        assertThatThrownBy(() -> ring.registry().unregisterFiles()).hasMessageContaining("ENXIO");
        dev.sluice.internal.linux.Files.close(other);
    }

    @Test
    @DisplayName("a file opened into the table, and made an ordinary descriptor of")
    void openIntoTheTable() throws Exception {
        Wait.assume(ring, Operation.FIXED_FD_INSTALL);
        ring.registry().files(-1, -1);
        Files.writeString(path, "abc");
        ring.next()
                .open(AT_FDCWD, arena.allocateFrom(path.toString()), 0, 0)
                .intoTable(1)
                .link();
        MemorySegment in = arena.allocate(3);
        ring.next().read(1, in, 0).fixedFile();
        ring.submit();
        assertThat(Wait.result(ring)).isZero();
        assertThat(Wait.result(ring)).isEqualTo(3);
        ring.next().install(1);
        int number = Wait.result(ring);
        assertThat(number).isPositive();
        ring.next().close(number);
        assertThat(Wait.result(ring)).isZero();
    }

    @Test
    @DisplayName("U13, U19, U20, U18: fsync, fallocate that keeps the size, fadvise, statx, openat, ftruncate, close")
    void files() throws Exception {
        Files.write(path, Bytes.random(1, 10_000));
        ring.next().sync(file);
        assertThat(Wait.result(ring)).isZero();
        ring.next().syncData(file, 0, 4096);
        assertThat(Wait.result(ring)).isZero();
        ring.next().syncRange(file, 0, 4096, 0);
        assertThat(Wait.result(ring)).isZero();
        ring.next().allocate(file, KEEP_SIZE, 0, 1 << 20);
        assertThat(Wait.result(ring)).isIn(0, -Errno.EOPNOTSUPP);
        assertThat(Files.size(path)).isEqualTo(10_000);
        ring.next().advise(file, 0, 4096, 4);
        assertThat(Wait.result(ring)).isZero();
        ring.next().advise(arena.allocate(4096, 4096), 3);
        assertThat(Wait.result(ring)).isZero();
        MemorySegment name = arena.allocateFrom(path.toString());
        MemorySegment status = arena.allocate(256, 8);
        ring.next().status(AT_FDCWD, name, 0, 0x7ff, status);
        assertThat(Wait.result(ring)).isZero();
        assertThat(status.get(JAVA_LONG, 40)).isEqualTo(10_000);
        assertThat(status.get(JAVA_SHORT, 28) & 0xF000).isEqualTo(0x8000);
        ring.next().open(AT_FDCWD, name, 2, 0);
        int opened = Wait.result(ring);
        assertThat(opened).isGreaterThan(2);
        if (ring.supports(Operation.FTRUNCATE)) {
            ring.next().truncate(opened, 77);
            assertThat(Wait.result(ring)).isZero();
            assertThat(Files.size(path)).isEqualTo(77);
        }
        ring.next().close(opened);
        assertThat(Wait.result(ring)).isZero();
        ring.next().close(opened);
        assertThat(Wait.result(ring)).isEqualTo(-Errno.EBADF);
        ring.next().unlink(AT_FDCWD, name, 0);
        assertThat(Wait.result(ring)).isZero();
        assertThat(path).doesNotExist();
        ring.next().open(AT_FDCWD, name, 0, 0);
        assertThat(Wait.result(ring)).isEqualTo(-Errno.ENOENT);
    }

    @Test
    @DisplayName("U14: a poll completes when its descriptor is ready, again and again if multishot, or is removed")
    void polls() throws Exception {
        int event = Polling.eventFd();
        ring.next().poll(event, Polling.EPOLLIN).id(1);
        ring.submit();
        assertThat(ring.peek()).isNull();
        Polling.signal(event);
        assertThat(Wait.result(ring)).isEqualTo(Polling.EPOLLIN);
        ring.next().pollMultishot(event, Polling.EPOLLIN).id(2);
        ring.submit();
        for (int i = 0; i < 3; i++) {
            Completion completion = Wait.completion(ring);
            assertThat(completion.id()).isEqualTo(2);
            assertThat(completion.more()).isTrue();
            ring.advance();
            assertThat(ring.inFlight()).isEqualTo(1);
            Polling.signal(event);
        }
        Wait.result(ring);
        ring.next().pollRemove(2).id(3);
        int[] results = new int[4];
        ring.submit();
        while (ring.inFlight() > 0) {
            Completion completion = Wait.completion(ring);
            results[(int) completion.id()] = completion.result();
            ring.advance();
        }
        assertThat(results[3]).isZero();
        assertThat(results[2]).isEqualTo(-Errno.ECANCELED);
        ring.next().pollRemove(2);
        assertThat(Wait.result(ring)).isEqualTo(-Errno.ENOENT);
        dev.sluice.internal.linux.Files.close(event);
    }

    @Test
    @DisplayName("U16: time-outs by time, by count, removed, again and again, and on the request before")
    void timeouts() throws Exception {
        ring.next().timeout(1, TimeUnit.MILLISECONDS, 0);
        assertThat(Wait.result(ring)).isEqualTo(-Errno.ETIME);
        ring.next().timeout(1, TimeUnit.HOURS, 1).id(1);
        ring.next().nop().id(2);
        ring.submit();
        for (int i = 0; i < 2; i++) {
            assertThat(Wait.result(ring)).isZero();
        }
        ring.next().timeout(1, TimeUnit.HOURS, 0).id(3);
        ring.next().timeoutRemove(3).id(4);
        ring.submit();
        assertThat(Wait.result(ring) + Wait.result(ring)).isEqualTo(-Errno.ECANCELED);
        try (RawPipe pipe = RawPipe.open()) {
            ring.next().read(pipe.readEnd(), arena.allocate(1), -1).id(5).link();
            ring.next().linkTimeout(1, TimeUnit.MILLISECONDS).id(6);
            // The library's pipes do not block: poll first, as READ would say EAGAIN.
            int one = Wait.result(ring);
            int two = Wait.result(ring);
            assertThat(new int[] {one, two}).containsAnyOf(-Errno.EAGAIN, -Errno.ECANCELED);
        }
        ring.next().timeoutMultishot(1, TimeUnit.MILLISECONDS, 3).id(7);
        for (int i = 0; i < 3; i++) {
            assertThat(Wait.result(ring)).isEqualTo(-Errno.ETIME);
        }
    }

    @Test
    @DisplayName("U23: a cancelled request still completes, by id, by descriptor, or all of them")
    void cancels() throws Exception {
        int event = Polling.eventFd();
        for (int way = 0; way < 3; way++) {
            ring.next().poll(event, Polling.EPOLLIN).id(1);
            ring.submit();
            Submission cancel = ring.next();
            switch (way) {
                case 0 -> cancel.cancel(1);
                case 1 -> cancel.cancelDescriptor(event);
                default -> cancel.cancelAll();
            }
            cancel.id(2);
            ring.submit();
            while (ring.inFlight() > 0) {
                Completion completion = Wait.completion(ring);
                if (completion.id() == 1) {
                    assertThat(completion.result()).isEqualTo(-Errno.ECANCELED);
                } else {
                    assertThat(completion.result()).isBetween(0, 1);
                }
                ring.advance();
            }
        }
        ring.next().cancel(1);
        assertThat(Wait.result(ring)).isEqualTo(-Errno.ENOENT);
        dev.sluice.internal.linux.Files.close(event);
    }

    @Test
    @DisplayName("R20: closing a descriptor completes nothing; the request holds the file until it is cancelled")
    void closeCompletesNothing() throws Exception {
        int event = Polling.eventFd();
        ring.next().poll(event, Polling.EPOLLIN).id(1);
        ring.submit();
        dev.sluice.internal.linux.Files.close(event);
        assertThat(ring.submitAndWait(1, 20_000_000)).isZero();
        assertThat(ring.peek()).isNull();
        ring.next().cancel(1).id(2);
        ring.submit();
        assertThat(Wait.result(ring) + Wait.result(ring)).isEqualTo(-Errno.ECANCELED);
    }

    @ParameterizedTest
    @ValueSource(strings = {"tcp:127.0.0.1:0", "tcp:[::1]:0", "unix:@sluice-ring-test"})
    @DisplayName("U17, U21, U15: socket, bind, listen, accept, connect, send, recv, sendmsg, recvmsg, shutdown")
    void sockets(String address) throws Exception {
        Wait.assume(ring, Operation.LISTEN);
        Endpoint endpoint = Endpoint.parse(address);
        int family = Sockets.family(endpoint);
        int[] sockets = new int[3];
        for (int i = 0; i < 2; i++) {
            ring.next().socket(family, Sockets.SOCK_STREAM, 0);
            sockets[i] = Wait.result(ring);
            assertThat(sockets[i]).isPositive();
        }
        ring.next().bind(sockets[0], endpoint);
        assertThat(Wait.result(ring)).isZero();
        ring.next().listen(sockets[0], 8);
        assertThat(Wait.result(ring)).isZero();
        ring.next().accept(sockets[0], 0).id(1);
        ring.next().connect(sockets[1], Sockets.localAddress(sockets[0])).id(2);
        ring.submit();
        for (int i = 0; i < 2; i++) {
            Completion completion = Wait.completion(ring);
            assertThat(completion.result()).isNotNegative();
            sockets[2] = completion.id() == 1 ? completion.result() : sockets[2];
            ring.advance();
        }
        MemorySegment in = arena.allocate(3000);
        ring.next().send(sockets[1], bytes(1, 3000), 0);
        assertThat(Wait.result(ring)).isEqualTo(3000);
        ring.next().receive(sockets[2], in, 0x100);
        assertThat(Wait.result(ring)).isEqualTo(3000);
        assertThat(same(in, Bytes.random(1, 3000))).isTrue();
        Vectors out = new Vectors(arena, 2).set(0, bytes(2, 100)).set(1, bytes(3, 200));
        ring.next().sendMessage(sockets[2], out, 0);
        assertThat(Wait.result(ring)).isEqualTo(300);
        Vectors into = new Vectors(arena, 1).set(0, in);
        ring.next().receiveMessage(sockets[1], into, 0);
        assertThat(Wait.result(ring)).isEqualTo(300);
        assertThat(same(in.asSlice(100, 200), Bytes.random(3, 200))).isTrue();
        ring.next().shutdown(sockets[1], Sockets.SHUT_WR);
        assertThat(Wait.result(ring)).isZero();
        ring.next().receive(sockets[2], in, 0).pollFirst();
        assertThat(Wait.result(ring)).isZero();
        for (int socket : sockets) {
            ring.next().close(socket);
            assertThat(Wait.result(ring)).isZero();
        }
    }

    @Test
    @DisplayName("a multishot accept takes one connection after the other")
    void multishotAccept() throws Exception {
        int listener = Sockets.stream(Sockets.AF_UNIX);
        Endpoint address = new Endpoint.Abstract("sluice-ring-accept");
        Sockets.bind(listener, address);
        Sockets.listen(listener, 8);
        ring.next().acceptMultishot(listener, 0).id(1);
        ring.submit();
        for (int i = 0; i < 5; i++) {
            int client = Sockets.stream(Sockets.AF_UNIX);
            Sockets.connect(client, address);
            Completion completion = Wait.completion(ring);
            assertThat(completion.more()).isTrue();
            dev.sluice.internal.linux.Files.close(completion.result());
            ring.advance();
            dev.sluice.internal.linux.Files.close(client);
        }
        dev.sluice.internal.linux.Files.close(listener);
    }

    @Test
    @DisplayName("U22, R15: splice between pipes and files with offset values, -1 for pipes; tee")
    void spliceAndTee() throws Exception {
        Files.write(path, Bytes.random(9, 1000));
        try (RawPipe one = RawPipe.open();
                RawPipe two = RawPipe.open()) {
            ring.next().splice(file, 100, one.writeEnd(), -1, 32, 0);
            assertThat(Wait.result(ring)).isEqualTo(32);
            ring.next().tee(one.readEnd(), two.writeEnd(), 32, 0);
            assertThat(Wait.result(ring)).isEqualTo(32);
            ring.next().splice(one.readEnd(), -1, file, 2000, 32, 0);
            assertThat(Wait.result(ring)).isEqualTo(32);
            byte[] found = Files.readAllBytes(path);
            assertThat(java.util.Arrays.mismatch(found, 2000, 2032, found, 100, 132))
                    .isEqualTo(-1);
            MemorySegment in = arena.allocate(64);
            ring.next().read(two.readEnd(), in, -1);
            assertThat(Wait.result(ring)).isEqualTo(32);
            assertThat(same(in.asSlice(0, 32), java.util.Arrays.copyOfRange(found, 100, 132)))
                    .isTrue();
            // An offset of a pipe, no pipe at all, nothing to move.
            ring.next().splice(file, 0, one.writeEnd(), 5, 32, 0);
            assertThat(Wait.result(ring)).isIn(-Errno.ESPIPE, -Errno.EINVAL);
            ring.next().tee(file, one.writeEnd(), 32, 0);
            assertThat(Wait.result(ring)).isEqualTo(-Errno.EINVAL);
            ring.next().splice(file, 0, one.writeEnd(), -1, 0, 0);
            assertThat(Wait.result(ring)).isZero();
            ring.registry().files(file);
            ring.next().spliceFixed(0, -1, one.writeEnd(), -1, 10, 0);
            assertThat(Wait.result(ring)).isEqualTo(10);
        }
    }

    @Test
    @DisplayName("epoll_ctl through the ring, and an entry made by hand")
    void epollAndRaw() throws Exception {
        int epoll = Polling.create();
        int event = Polling.eventFd();
        MemorySegment interest = arena.allocate(16, 8);
        interest.set(JAVA_INT, 0, Polling.EPOLLIN);
        ring.next().epollControl(epoll, Polling.ADD, event, interest);
        assertThat(Wait.result(ring)).isZero();
        Polling.signal(event);
        ring.next()
                .raw(Operation.POLL_ADD.ordinal(), epoll, 0, 0, 0, Polling.EPOLLIN)
                .set(32, 99);
        assertThat(Wait.completion(ring).id()).isEqualTo(99);
        ring.advance();
        assertThatThrownBy(() -> ring.next().set(64, 0)).isInstanceOf(IndexOutOfBoundsException.class);
        dev.sluice.internal.linux.Files.close(epoll);
        dev.sluice.internal.linux.Files.close(event);
    }

    @Test
    @DisplayName("U8: 800 reads and writes through 8 entries, contents compared")
    void readWrap() throws Exception {
        MemorySegment out = bytes(5, 800 * 16);
        MemorySegment in = arena.allocate(800 * 16);
        for (int i = 0; i < 800; i++) {
            if (ring.room() == 0) {
                ring.submitAndWait(8);
                ring.reap(completion -> assertThat(completion.result()).isEqualTo(16));
            }
            ring.next().write(file, out.asSlice(i * 16, 16), i * 16);
        }
        ring.submitAndWait((int) ring.inFlight());
        ring.reap(completion -> {});
        for (int i = 0; i < 800; i++) {
            if (ring.room() == 0) {
                ring.submitAndWait(8);
                ring.reap(completion -> assertThat(completion.result()).isEqualTo(16));
            }
            ring.next().read(file, in.asSlice(i * 16, 16), i * 16);
        }
        ring.submitAndWait((int) ring.inFlight());
        ring.reap(completion -> {});
        assertThat(in.mismatch(out)).isEqualTo(-1);
    }
}
