package dev.sluice.internal.fd;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.internal.linux.Files;
import dev.sluice.testkit.LeakCheck;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(LeakCheck.class)
@Timeout(30)
class PipePoolTest {
    private final PipePool pool = PipePool.shared();

    @AfterEach
    void nothingIsLent() {
        assertThat(pool.lent()).isZero();
        pool.trim();
    }

    @Test
    @DisplayName("S28 (TestSplicePipePool): 64 pipes are lent and come back; trimming closes every one of them")
    void lendsAndTakesBack() {
        int before = LeakCheck.descriptors().size();
        List<RawPipe> pipes = new ArrayList<>();
        Set<Integer> ends = new HashSet<>();
        for (int i = 0; i < 64; i++) {
            RawPipe pipe = pool.borrow();
            pipes.add(pipe);
            ends.add(pipe.readEnd());
            ends.add(pipe.writeEnd());
        }
        assertThat(ends).hasSize(128);
        assertThat(pool.lent()).isEqualTo(64);
        pipes.forEach(pool::giveBack);
        pool.trim();
        assertThat(LeakCheck.descriptors()).hasSize(before);
    }

    @Test
    @DisplayName("S10: a pipe that may hold bytes is closed and never lent again")
    void discardedPipeIsClosed() {
        RawPipe pipe = pool.borrow();
        int readEnd = pipe.readEnd();
        pool.discard(pipe);
        assertThat(Files.flags(readEnd)).isNegative();
    }

    @Test
    @DisplayName("S26: a pipe that was made smaller does not come back to the pool")
    void smallPipeIsClosed() {
        pool.trim();
        RawPipe pipe = pool.borrow();
        int readEnd = pipe.readEnd();
        assertThat(pipe.resize(4096)).isEqualTo(4096);
        assertThat(pipe.capacity()).isEqualTo(4096);
        pool.giveBack(pipe);
        assertThat(Files.flags(readEnd)).isNegative();
    }

    @Test
    @DisplayName("S26: a refused size leaves the pipe as it is, and is read back")
    void refusedSize() {
        RawPipe pipe = pool.borrow();
        int capacity = pipe.capacity();
        int resized = pipe.resize(Integer.MAX_VALUE);
        int after = pipe.capacity();
        pool.giveBack(pipe);
        assertThat(resized).isEqualTo(capacity);
        assertThat(after).isEqualTo(capacity);
    }

    @Test
    @DisplayName("S27: the last pipe given back is the first one lent")
    void lastInFirstOut() {
        RawPipe first = pool.borrow();
        RawPipe second = pool.borrow();
        pool.giveBack(first);
        pool.giveBack(second);
        assertThat(pool.borrow()).isSameAs(second);
        pool.giveBack(second);
    }

    @Test
    @DisplayName("S35: the more pipes are lent, the less each flow may put into its own, down to 64 KiB")
    void fairShare() {
        PipePool pool = PipePool.shared();
        assertThat(pool.fairShare()).isEqualTo(PipePool.PREFERRED_CAPACITY);
        List<RawPipe> lent = new ArrayList<>();
        for (int i = 0; i < 127; i++) {
            lent.add(pool.borrow());
        }
        assertThat(pool.fairShare()).isEqualTo(512 * 1024);
        lent.forEach(pool::giveBack);
        assertThat(pool.fairShare()).isEqualTo(PipePool.PREFERRED_CAPACITY);
    }
}
