package dev.sluice.net;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.io.Endpoint;
import dev.sluice.pipe.KernelPipe;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.Child;
import dev.sluice.testkit.LeakCheck;
import dev.sluice.testkit.Parked;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.Timeout.ThreadMode;
import org.junit.jupiter.api.extension.ExtendWith;

/** A channel that is forgotten is closed, but not under a call of its own, even if that is the last use of it. */
@ExtendWith(LeakCheck.class)
@Timeout(value = 60, threadMode = ThreadMode.SEPARATE_THREAD)
class ReachabilityTest {

    @Test
    void theLastCallOfAChannelIsNotCutShortByTheCollector() throws Exception {
        // Compiled code, other than interpreted, forgets a variable after its last use.
        List<String> compiled = List.of(
                "-Xcomp",
                "-XX:CompileCommand=quiet",
                "-XX:CompileCommand=compileonly,dev.sluice.net.ReachabilityTest*::last*",
                "-XX:CompileCommand=compileonly,dev.sluice.net.Stream*::*",
                "-XX:CompileCommand=compileonly,dev.sluice.pipe.KernelPipe*::*");

        Child child = Child.run(Child.command(List.of(), compiled, LastUse.class));

        assertThat(child.exit()).as("%s", child).isZero();
        assertThat(child.out()).isEqualTo("socket 3\npipe 3\nlistener accepted\n");
    }

    /** Waits in the last call of a channel while the collector runs. */
    static final class LastUse {
        public static void main(String[] args) throws Exception {
            try (StreamListener listener = StreamListener.listen(Endpoint.parse("127.0.0.1:0"))) {
                Endpoint address = listener.endpoint();
                Parked<Integer> reading = Parked.platform(() -> lastRead(address));
                try (StreamSocket server = listener.accept()) {
                    collect();
                    server.write(ByteBuffer.allocate(3));
                    System.out.println("socket " + reading.get());
                }
            }
            KernelPipe[] pipe = {KernelPipe.open()};
            ReadableByteChannel[] source = {pipe[0].source()};
            var sink = pipe[0].sink();
            Parked<Integer> reading = Parked.platform(() -> lastRead(source));
            pipe[0] = null;
            collect();
            sink.write(ByteBuffer.allocate(3));
            System.out.println("pipe " + reading.get());

            StreamListener[] listener = {StreamListener.listen(Endpoint.parse("127.0.0.1:0"))};
            Endpoint address = listener[0].endpoint();
            Parked<StreamSocket> accepting = Parked.platform(() -> lastAccept(listener));
            collect();
            StreamSocket.connect(address).close();
            accepting.get().close();
            System.out.println("listener accepted");
        }

        private static int lastRead(Endpoint address) throws IOException {
            return StreamSocket.connect(address).read(ByteBuffer.allocate(5));
        }

        private static int lastRead(ReadableByteChannel[] only) throws IOException {
            ReadableByteChannel channel = only[0];
            only[0] = null;
            return channel.read(ByteBuffer.allocate(5));
        }

        private static StreamSocket lastAccept(StreamListener[] only) throws IOException {
            StreamListener listener = only[0];
            only[0] = null;
            return listener.accept();
        }

        private static void collect() throws Exception {
            Bytes.async(() -> {
                        for (int i = 0; i < 5; i++) {
                            System.gc();
                            Thread.sleep(20);
                        }
                        return null;
                    })
                    .get();
        }
    }
}
