package dev.sluice.internal.linux;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.testkit.LeakCheck;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(LeakCheck.class)
@Timeout(60)
class ErrnoCaptureTest {
    private static final int THREADS = 200;
    private static final int CALLS = 2000;

    @Test
    @DisplayName("J4: each of many threads gets the errno and the values of its own calls, and never another's")
    void everybodyGetsHisOwn() throws Exception {
        AtomicInteger wrong = new AtomicInteger();
        long pipe = Pipes.pipe();
        int readEnd = (int) pipe;
        int writeEnd = (int) (pipe >>> 32);
        int capacity = Pipes.capacity(readEnd);
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < THREADS; i++) {
            int kind = i % 5;
            // More than there are cells to borrow, so that some meet.
            threads.add((i % 2 == 0 ? Thread.ofVirtual() : Thread.ofPlatform()).start(() -> {
                for (int call = 0; call < CALLS; call++) {
                    if (!asExpected(kind, readEnd, writeEnd, capacity)) {
                        wrong.incrementAndGet();
                    }
                    if (call % 100 == 0) {
                        Thread.yield();
                    }
                }
            }));
        }
        for (Thread thread : threads) {
            thread.join();
        }
        Files.close(readEnd);
        Files.close(writeEnd);
        assertThat(wrong).hasValue(0);
    }

    private static boolean asExpected(int kind, int readEnd, int writeEnd, int capacity) {
        return switch (kind) {
            case 0 -> Files.read(-1, 0, 0) == -Errno.EBADF;
            case 1 -> Pipes.splice(readEnd, readEnd, 1) == -Errno.EBADF || Pipes.splice(readEnd, writeEnd, 1) < 0;
            case 2 -> Files.available(readEnd) == 0;
            case 3 -> Pipes.capacity(readEnd) == capacity;
            default -> Sockets.option(readEnd, Sockets.SOL_SOCKET, Sockets.SO_ERROR) == -88;
        };
    }

    @Test
    @DisplayName("J4: failures come back as the negative errno, of calls of int and of long results")
    void negativeErrno() {
        assertThat(Files.close(-1)).isEqualTo(-Errno.EBADF);
        assertThat(Files.seek(-1, 0, Files.SEEK_CUR)).isEqualTo(-Errno.EBADF);
        assertThat(Files.open("/no/such/file", Files.O_RDONLY, 0)).isEqualTo(-Errno.ENOENT);
        assertThat(Files.status(-1)).isNull();
        assertThat(Pipes.splice(-1, -1, 1)).isEqualTo(-Errno.EBADF);
        assertThat(Pipes.tee(-1, -1, 1)).isEqualTo(-Errno.EBADF);
        assertThat(Sockets.localAddress(-1)).isNull();
    }
}
