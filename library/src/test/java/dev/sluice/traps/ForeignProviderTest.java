package dev.sluice.traps;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.Pipeline;
import dev.sluice.io.Route;
import dev.sluice.io.TransferResult;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.JdkPair;
import dev.sluice.testkit.LeakCheck;
import java.io.IOException;
import java.net.ProtocolFamily;
import java.net.Socket;
import java.net.SocketAddress;
import java.net.SocketOption;
import java.nio.ByteBuffer;
import java.nio.channels.DatagramChannel;
import java.nio.channels.Pipe;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.channels.spi.AbstractSelector;
import java.nio.channels.spi.SelectorProvider;
import java.util.Arrays;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A SocketChannel that is not the JDK's, such as one that encrypts: its descriptor, if any, must not be touched. */
@ExtendWith(LeakCheck.class)
@Timeout(60)
class ForeignProviderTest {
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    @DisplayName(
            "J6, #19: a SocketChannel of another provider is copied through its own read and write, and the reason says so")
    void copiedThroughItsOwnCalls(boolean blocking) throws Exception {
        byte[] data = Bytes.random(19, 1 << 20);
        try (JdkPair in = JdkPair.open();
                JdkPair out = JdkPair.open();
                Flipping source = new Flipping(in.near())) {
            source.configureBlocking(blocking);
            CompletableFuture<byte[]> received = Bytes.async(() -> Bytes.readAll(out.far()));
            CompletableFuture<Object> fed = Bytes.async(() -> {
                Bytes.write(in.far(), data, 100_000);
                return in.far().shutdownOutput();
            });
            TransferResult result = Pipeline.from(source).route(Route.SPLICE).to(out.near());
            out.near().shutdownOutput();
            Stage.get(fed);
            assertThat(result.route()).isEqualTo(Route.COPY);
            assertThat(result.reason())
                    .isEqualTo("the source is a " + Flipping.class.getName() + ", whose descriptor is out of reach");
            byte[] flipped = Stage.get(received);
            flip(flipped, 0, flipped.length);
            assertThat(Arrays.mismatch(flipped, data)).isEqualTo(-1);

            CompletableFuture<byte[]> back = Bytes.async(() -> Bytes.read(in.far(), data.length));
            CompletableFuture<Object> reply = Bytes.async(() -> {
                Bytes.write(out.far(), data, 100_000);
                return null;
            });
            Pipeline.from(out.near()).limit(data.length).to(source);
            Stage.get(reply);
            byte[] got = Stage.get(back);
            flip(got, 0, got.length);
            assertThat(Arrays.mismatch(got, data)).isEqualTo(-1);
            assertThat(source.isBlocking()).isEqualTo(blocking);
        }
    }

    private static void flip(byte[] bytes, int from, int to) {
        for (int i = from; i < to; i++) {
            bytes[i] ^= 0x55;
        }
    }

    /** Hands out no selector that knows its channels. */
    private static final class Provider extends SelectorProvider {
        static final Provider INSTANCE = new Provider();

        @Override
        public DatagramChannel openDatagramChannel() {
            throw new UnsupportedOperationException();
        }

        @Override
        public DatagramChannel openDatagramChannel(ProtocolFamily family) {
            throw new UnsupportedOperationException();
        }

        @Override
        public Pipe openPipe() {
            throw new UnsupportedOperationException();
        }

        @Override
        public AbstractSelector openSelector() {
            throw new UnsupportedOperationException();
        }

        @Override
        public ServerSocketChannel openServerSocketChannel() {
            throw new UnsupportedOperationException();
        }

        @Override
        public SocketChannel openSocketChannel() {
            throw new UnsupportedOperationException();
        }
    }

    /** Flips bits of what passes, so that whoever goes past it is found out. */
    private static final class Flipping extends SocketChannel {
        private final SocketChannel inner;

        Flipping(SocketChannel inner) {
            super(Provider.INSTANCE);
            this.inner = inner;
        }

        @Override
        public int read(ByteBuffer buffer) throws IOException {
            byte[] bytes = new byte[buffer.remaining()];
            int count = inner.read(ByteBuffer.wrap(bytes));
            if (count > 0) {
                flip(bytes, 0, count);
                buffer.put(bytes, 0, count);
            }
            return count;
        }

        @Override
        public int write(ByteBuffer buffer) throws IOException {
            byte[] bytes = new byte[buffer.remaining()];
            buffer.get(buffer.position(), bytes);
            flip(bytes, 0, bytes.length);
            int count = inner.write(ByteBuffer.wrap(bytes));
            buffer.position(buffer.position() + count);
            return count;
        }

        @Override
        public long read(ByteBuffer[] buffers, int offset, int length) {
            throw new UnsupportedOperationException();
        }

        @Override
        public long write(ByteBuffer[] buffers, int offset, int length) {
            throw new UnsupportedOperationException();
        }

        @Override
        protected void implConfigureBlocking(boolean block) throws IOException {
            inner.configureBlocking(block);
        }

        @Override
        protected void implCloseSelectableChannel() throws IOException {
            inner.close();
        }

        @Override
        public boolean isConnected() {
            return inner.isConnected();
        }

        @Override
        public boolean isConnectionPending() {
            return inner.isConnectionPending();
        }

        @Override
        public boolean connect(SocketAddress remote) throws IOException {
            return inner.connect(remote);
        }

        @Override
        public boolean finishConnect() throws IOException {
            return inner.finishConnect();
        }

        @Override
        public SocketChannel bind(SocketAddress local) throws IOException {
            inner.bind(local);
            return this;
        }

        @Override
        public <T> SocketChannel setOption(SocketOption<T> name, T value) throws IOException {
            inner.setOption(name, value);
            return this;
        }

        @Override
        public <T> T getOption(SocketOption<T> name) throws IOException {
            return inner.getOption(name);
        }

        @Override
        public Set<SocketOption<?>> supportedOptions() {
            return inner.supportedOptions();
        }

        @Override
        public SocketChannel shutdownInput() throws IOException {
            inner.shutdownInput();
            return this;
        }

        @Override
        public SocketChannel shutdownOutput() throws IOException {
            inner.shutdownOutput();
            return this;
        }

        @Override
        public Socket socket() {
            return inner.socket();
        }

        @Override
        public SocketAddress getRemoteAddress() throws IOException {
            return inner.getRemoteAddress();
        }

        @Override
        public SocketAddress getLocalAddress() throws IOException {
            return inner.getLocalAddress();
        }
    }
}
