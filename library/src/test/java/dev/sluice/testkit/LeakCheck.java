package dev.sluice.testkit;

import dev.sluice.internal.fd.Adoption;
import dev.sluice.internal.fd.PipePool;
import dev.sluice.loop.EventLoop;
import dev.sluice.ring.SharedRing;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.Pipe;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/** Fails a test class that leaves descriptors behind, or pipes lent. Use with {@code @ExtendWith(LeakCheck.class)}. */
public final class LeakCheck implements BeforeAllCallback, AfterAllCallback {
    private static final long PATIENCE_NANOS = 5_000_000_000L;

    /** Opened by the JDK when first needed, and kept: class paths, seeds; and the listing of descriptors itself. */
    private static final Pattern OF_THE_JDK = Pattern.compile(".*\\.jar|.*/modules|/proc/.*|/dev/u?random");

    private Map<String, String> before;

    @Override
    public void beforeAll(ExtensionContext context) throws Exception {
        startSharedLoops();
        startPollers();
        PipePool.shared().trim();
        before = descriptors();
    }

    @Override
    public void afterAll(ExtensionContext context) throws Exception {
        long deadline = System.nanoTime() + PATIENCE_NANOS;
        Map<String, String> leaked;
        do {
            PipePool.shared().trim();
            leaked = descriptors();
            leaked.keySet().removeAll(before.keySet());
            if (leaked.isEmpty() && PipePool.shared().lent() == 0) {
                return;
            }
            Thread.sleep(20);
        } while (System.nanoTime() - deadline < 0);
        throw new AssertionError("leaked descriptors " + leaked + ", pipes lent "
                + PipePool.shared().lent());
    }

    /** Loops are made once per process and stay: they are no leak, wherever they come first. */
    private static void startSharedLoops() throws IOException {
        for (int i = 0; i < 8; i++) {
            EventLoop.shared();
        }
        // Has the ring for sends opened, too.
        SharedRing.shared().sends().unavailable();
    }

    /** What the JDK keeps once a virtual thread has waited for one of its channels, and we once we have adopted one. */
    private static void startPollers() throws Exception {
        Pipe pipe = Pipe.open();
        try (Pipe.SourceChannel source = pipe.source();
                Pipe.SinkChannel sink = pipe.sink();
                SocketChannel unconnected = SocketChannel.open()) {
            unconnected.configureBlocking(false);
            CompletableFuture<Integer> reading = Bytes.async(() -> source.read(ByteBuffer.allocate(1)));
            Thread.sleep(10);
            sink.write(ByteBuffer.allocate(1));
            reading.get();
            adopt(source);
        }
    }

    /** The first adoption of a JVM may take longer than adoptions wait, when the machine is busy. */
    private static void adopt(Pipe.SourceChannel source) throws Exception {
        for (int tries = 0; tries < 20; tries++) {
            try {
                Adoption.of(source, Adoption.Way.READ).leave();
                return;
            } catch (Adoption.Refusal e) {
                Thread.sleep(50);
            }
        }
    }

    /** The open descriptors of this process that matter: sockets, pipes, files outside of the JDK. */
    public static Map<String, String> descriptors() {
        Map<String, String> open = new TreeMap<>();
        try (Stream<Path> list = Files.list(Path.of("/proc/self/fd"))) {
            for (Path link : list.toList()) {
                try {
                    String target = Files.readSymbolicLink(link).toString();
                    if (!OF_THE_JDK.matcher(target).matches()) {
                        open.put(link.getFileName() + " " + target, target);
                    }
                } catch (IOException e) {
                    // Closed since it was listed: the descriptor of the listing itself.
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return open;
    }
}
