package dev.sluice.internal.fd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.internal.linux.Files;
import dev.sluice.internal.linux.Pipes;
import dev.sluice.io.SluiceException;
import dev.sluice.testkit.LeakCheck;
import java.nio.channels.ReadPendingException;
import java.nio.channels.WritePendingException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(LeakCheck.class)
@Timeout(30)
class DescriptorTest {
    private static Descriptor open() {
        int fd = Files.open("/dev/null", Files.O_RDWR, 0);
        assertThat(fd).isPositive();
        return new Descriptor(fd, Descriptor.Kind.DEVICE, "null");
    }

    @Test
    @DisplayName("S30: a close bars new users, and the number is freed by the last one who leaves")
    void numberLivesAsLongAsItsUsers() {
        Descriptor descriptor = open();
        int fd = descriptor.fd();
        assertThat(descriptor.acquire()).isTrue();
        assertThat(descriptor.acquire()).isTrue();
        assertThat(descriptor.close()).isTrue();
        assertThat(descriptor.close()).as("the second call does nothing").isFalse();
        assertThat(descriptor.isOpen()).isFalse();
        assertThat(descriptor.acquire()).isFalse();
        assertThat(Files.flags(fd)).as("still a number of ours").isNotNegative();
        descriptor.release();
        assertThat(Files.flags(fd)).isNotNegative();
        descriptor.release();
        assertThat(Files.flags(fd)).as("freed").isNegative();
    }

    @Test
    @DisplayName("S30: users of many threads and one close: nobody is let in late, and the number is freed once")
    void raceOfUsersAndClose() throws Exception {
        for (int round = 0; round < 300; round++) {
            Descriptor descriptor = open();
            AtomicInteger freed = new AtomicInteger();
            AtomicInteger inside = new AtomicInteger();
            AtomicBoolean wrong = new AtomicBoolean();
            assertThat(descriptor.acquire()).isTrue();
            descriptor.watch(new Descriptor.Watcher() {
                @Override
                public void closing() {}

                @Override
                public void freeing() {
                    freed.incrementAndGet();
                    wrong.compareAndSet(false, inside.get() != 0);
                }
            });
            descriptor.release();
            List<Thread> threads = new ArrayList<>();
            for (int i = 0; i < 6; i++) {
                threads.add(Thread.ofVirtual().start(() -> {
                    while (descriptor.acquire()) {
                        inside.incrementAndGet();
                        wrong.compareAndSet(false, Files.flags(descriptor.fd()) < 0);
                        inside.decrementAndGet();
                        descriptor.release();
                    }
                }));
            }
            Thread.yield();
            descriptor.close();
            for (Thread thread : threads) {
                thread.join();
            }
            assertThat(freed).hasValue(1);
            assertThat(wrong).isFalse();
        }
    }

    @Test
    @DisplayName("S29: a close tells those who have claimed a direction, and whoever watches")
    void closeTells() {
        Descriptor descriptor = open();
        AtomicInteger reader = new AtomicInteger();
        AtomicInteger writer = new AtomicInteger();
        Waiter reading = reader::incrementAndGet;
        Waiter writing = writer::incrementAndGet;
        descriptor.claimReading(reading);
        descriptor.claimWriting(writing);
        descriptor.close();
        assertThat(reader).hasValue(1);
        assertThat(writer).hasValue(1);
    }

    @Test
    @DisplayName("S23: each direction has one owner at a time")
    void oneOwnerPerDirection() {
        Descriptor descriptor = open();
        descriptor.claimReading(this);
        descriptor.claimWriting(this);
        assertThatThrownBy(() -> descriptor.claimReading(this)).isInstanceOf(ReadPendingException.class);
        assertThatThrownBy(() -> descriptor.claimWriting(this)).isInstanceOf(WritePendingException.class);
        descriptor.unclaimReading();
        descriptor.claimReading(this);
        descriptor.close();
    }

    @Test
    @DisplayName("S16: the kernel is asked what a descriptor is")
    void kinds() throws Exception {
        long ends = Pipes.pipe();
        Descriptor readEnd = Descriptor.adopt((int) ends, "read end");
        Descriptor writeEnd = Descriptor.adopt((int) (ends >>> 32), "write end");
        assertThat(readEnd.kind()).isEqualTo(Descriptor.Kind.PIPE);
        assertThat(readEnd.kind().pollable()).isTrue();
        readEnd.close();
        writeEnd.close();
        Descriptor device = Descriptor.adopt(Files.open("/dev/null", Files.O_RDWR, 0), "device");
        assertThat(device.kind()).isEqualTo(Descriptor.Kind.DEVICE);
        assertThat(device.kind().pollable()).isFalse();
        device.close();
        Descriptor file = Descriptor.adopt(Files.open("/proc/self/status", Files.O_RDONLY, 0), "file");
        assertThat(file.kind()).isEqualTo(Descriptor.Kind.FILE);
        file.close();
        assertThatThrownBy(() -> Descriptor.adopt(1 << 20, "nothing"))
                .isInstanceOf(SluiceException.class)
                .hasMessageContaining("not open");
    }
}
