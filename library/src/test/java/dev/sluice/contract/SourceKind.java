package dev.sluice.contract;

import dev.sluice.file.KernelFile;
import dev.sluice.pipe.KernelPipe;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.JdkPair;
import dev.sluice.testkit.Pair;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.channels.Channel;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.channels.Pipe;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** The kinds of channels that a transfer can read, each made to deliver a payload and then its end. */
enum SourceKind {
    STREAM_SOCKET {
        @Override
        SourceEnd open(byte[] payload, Path directory) throws IOException {
            Pair pair = Pair.open(Pair.Kind.TCP);
            return new SourceEnd(pair.near(), List.of(pair.near()), feed(pair.far(), payload));
        }
    },
    PIPE {
        @Override
        SourceEnd open(byte[] payload, Path directory) throws IOException {
            KernelPipe pipe = KernelPipe.open();
            return new SourceEnd(pipe.source(), List.of(pipe), feed(pipe.sink(), payload));
        }
    },
    FILE {
        @Override
        SourceEnd open(byte[] payload, Path directory) throws IOException {
            Path path = Files.write(Files.createTempFile(directory, "source", ""), payload);
            KernelFile file = KernelFile.open(path);
            return new SourceEnd(file, List.of(file), CompletableFuture.completedFuture(null));
        }
    },
    FOREIGN {
        @Override
        SourceEnd open(byte[] payload, Path directory) {
            ReadableByteChannel channel = Channels.newChannel(new ByteArrayInputStream(payload));
            return new SourceEnd(channel, List.of(channel), CompletableFuture.completedFuture(null));
        }
    },
    FILE_CHANNEL {
        @Override
        SourceEnd open(byte[] payload, Path directory) throws IOException {
            FileChannel channel = FileChannel.open(Files.write(Files.createTempFile(directory, "source", ""), payload));
            return new SourceEnd(channel, List.of(channel), CompletableFuture.completedFuture(null));
        }
    },
    JDK_SOCKET {
        @Override
        SourceEnd open(byte[] payload, Path directory) throws IOException {
            JdkPair pair = JdkPair.open();
            return new SourceEnd(pair.near(), List.of(pair.near()), feed(pair.far(), payload));
        }
    },
    JDK_SOCKET_NON_BLOCKING {
        @Override
        SourceEnd open(byte[] payload, Path directory) throws IOException {
            JdkPair pair = JdkPair.open();
            pair.near().configureBlocking(false);
            return new SourceEnd(pair.near(), List.of(pair.near()), feed(pair.far(), payload));
        }
    },
    JDK_PIPE {
        @Override
        SourceEnd open(byte[] payload, Path directory) throws IOException {
            Pipe pipe = Pipe.open();
            return new SourceEnd(pipe.source(), List.of(pipe.source()), feed(pipe.sink(), payload));
        }
    };

    abstract SourceEnd open(byte[] payload, Path directory) throws IOException;

    /** Whether its descriptor is out of reach. */
    boolean foreign() {
        return this == FOREIGN || this == FILE_CHANNEL;
    }

    private static CompletableFuture<Void> feed(WritableByteChannel channel, byte[] payload) {
        return Bytes.async(() -> {
            try (channel) {
                Bytes.write(channel, payload, 8192);
            }
            return null;
        });
    }

    /** A source, and the thread that feeds it. */
    record SourceEnd(ReadableByteChannel channel, List<Channel> closing, CompletableFuture<Void> feeding)
            implements AutoCloseable {
        @Override
        public void close() throws IOException {
            for (Channel open : closing) {
                open.close();
            }
        }
    }
}
