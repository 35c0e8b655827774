package dev.sluice.contract;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.file.StandardOpenOption.APPEND;
import static java.nio.file.StandardOpenOption.WRITE;

import dev.sluice.file.KernelFile;
import dev.sluice.pipe.KernelPipe;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.JdkPair;
import dev.sluice.testkit.Pair;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;

/** The kinds of channels that a transfer can write, each telling afterwards what it got. */
enum SinkKind {
    STREAM_SOCKET {
        @Override
        SinkEnd open(Path directory) throws IOException {
            Pair pair = Pair.open(Pair.Kind.TCP);
            return drained(pair.near(), pair.far());
        }
    },
    PIPE {
        @Override
        SinkEnd open(Path directory) throws IOException {
            KernelPipe pipe = KernelPipe.open();
            return drained(pipe.sink(), pipe.source());
        }
    },
    FILE {
        @Override
        SinkEnd open(Path directory) throws IOException {
            Path path = Files.createTempFile(directory, "sink", "");
            return new SinkEnd(KernelFile.open(path, WRITE), () -> Files.readAllBytes(path));
        }
    },
    FILE_APPEND {
        @Override
        SinkEnd open(Path directory) throws IOException {
            Path path = Files.write(Files.createTempFile(directory, "sink", ""), BEFORE);
            return new SinkEnd(KernelFile.open(path, APPEND), () -> afterBefore(Files.readAllBytes(path)));
        }
    },
    FOREIGN {
        @Override
        SinkEnd open(Path directory) {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            return new SinkEnd(Channels.newChannel(bytes), bytes::toByteArray);
        }
    },
    JDK_SOCKET {
        @Override
        SinkEnd open(Path directory) throws IOException {
            JdkPair pair = JdkPair.open();
            return drained(pair.near(), pair.far());
        }
    },
    JDK_SOCKET_NON_BLOCKING {
        @Override
        SinkEnd open(Path directory) throws IOException {
            JdkPair pair = JdkPair.open();
            pair.near().configureBlocking(false);
            return drained(pair.near(), pair.far());
        }
    },
    FILE_CHANNEL {
        @Override
        SinkEnd open(Path directory) throws IOException {
            Path path = Files.createTempFile(directory, "sink", "");
            return new SinkEnd(FileChannel.open(path, WRITE), () -> Files.readAllBytes(path));
        }
    },
    DEV_NULL {
        @Override
        SinkEnd open(Path directory) throws IOException {
            return new SinkEnd(KernelFile.open(Path.of("/dev/null"), WRITE), null);
        }
    };

    private static final byte[] BEFORE = "before".getBytes(US_ASCII);

    abstract SinkEnd open(Path directory) throws IOException;

    /** Whether its descriptor is out of reach. */
    boolean foreign() {
        return this == FOREIGN || this == FILE_CHANNEL;
    }

    private static byte[] afterBefore(byte[] all) {
        String text = new String(all, ISO_8859_1);
        if (!text.startsWith("before")) {
            throw new AssertionError("what was in the file before is gone");
        }
        return Arrays.copyOfRange(all, BEFORE.length, all.length);
    }

    private static SinkEnd drained(WritableByteChannel sink, ReadableByteChannel far) {
        CompletableFuture<byte[]> drain = Bytes.async(() -> {
            try (far) {
                return Bytes.readAll(far);
            }
        });
        return new SinkEnd(sink, drain::get);
    }

    /** A sink, and what to ask for the bytes that it got; null if nobody can tell. */
    record SinkEnd(WritableByteChannel channel, Bytes.Call<byte[]> received) implements AutoCloseable {

        /** Closes the sink and returns all that it was ever written, or null if nobody can tell. */
        byte[] finish() throws Exception {
            channel.close();
            return received == null ? null : received.make();
        }

        @Override
        public void close() throws IOException {
            channel.close();
        }
    }
}
