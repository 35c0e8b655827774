package dev.sluice.traps;

import dev.sluice.Pipeline;
import dev.sluice.Sluice;
import dev.sluice.io.Route;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.Pair;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.Pipe;
import java.util.Arrays;

/** The main class of a child JVM that transfers twice between channels of a kind, for what that writes to stderr. */
final class TwoTransfers {
    private TwoTransfers() {}

    public static void main(String[] arguments) throws Exception {
        for (int i = 0; i < 2; i++) {
            switch (arguments[0]) {
                case "jdk" -> System.out.println(WithoutNative.betweenJdkChannels());
                case "own" -> betweenOwnChannels();
                case "pipe" -> fromPipe();
                default ->
                    System.out.println(Sluice.transfer(
                            Channels.newChannel(new ByteArrayInputStream(new byte[100])),
                            Channels.newChannel(new ByteArrayOutputStream())));
            }
        }
    }

    private static void fromPipe() throws Exception {
        Pipe pipe = Pipe.open();
        try (Pipe.SourceChannel source = pipe.source()) {
            pipe.sink().write(ByteBuffer.allocate(100));
            pipe.sink().close();
            System.out.println(Sluice.transfer(source, Channels.newChannel(new ByteArrayOutputStream())));
        }
    }

    private static void betweenOwnChannels() throws Exception {
        byte[] data = Bytes.random(3, 100_000);
        try (Pair in = Pair.open(Pair.Kind.UNIX);
                Pair out = Pair.open(Pair.Kind.UNIX)) {
            var sent = Bytes.async(() -> {
                Bytes.write(in.far(), data, 10_000);
                return in.far().shutdownOutput();
            });
            var received = Bytes.async(() -> Bytes.readAll(out.far()));
            System.out.println(Pipeline.from(in.near()).route(Route.SPLICE).to(out.near()));
            out.near().shutdownOutput();
            sent.get();
            if (!Arrays.equals(received.get(), data)) {
                throw new AssertionError("the bytes differ");
            }
        }
    }
}
