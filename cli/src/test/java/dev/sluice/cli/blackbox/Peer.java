package dev.sluice.cli.blackbox;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * One end of a session: a plain socket that sends one stream of random bytes and checks that what it receives is the
 * other. One thread may send while another receives.
 */
final class Peer implements AutoCloseable {
    private static final int CHUNK = 64 * 1024;

    private final SocketChannel channel;
    private final Seeded out;
    private final Seeded in;
    private volatile long sent;
    private volatile long received;
    private volatile boolean writeWasReset;

    Peer(SocketChannel channel, Seeded out, Seeded in) {
        this.channel = channel;
        this.out = out;
        this.in = in;
    }

    /** How many bytes its kernel has taken. */
    long sent() {
        return sent;
    }

    long received() {
        return received;
    }

    void send(long count) throws IOException {
        ByteBuffer chunk = ByteBuffer.allocate((int) Math.min(count, CHUNK));
        for (long left = count; left > 0; left -= chunk.limit()) {
            chunk.clear().limit((int) Math.min(left, CHUNK));
            out.fill(chunk, sent);
            chunk.flip();
            while (chunk.hasRemaining()) {
                write(chunk);
            }
        }
    }

    private void write(ByteBuffer chunk) throws IOException {
        try {
            sent += channel.write(chunk);
        } catch (IOException e) {
            // The kernel tells of a reset once: a read says that the stream has ended, from now on.
            writeWasReset |= isReset(e);
            throw e;
        }
    }

    void receive(long count) throws IOException {
        ByteBuffer chunk = ByteBuffer.allocate((int) Math.min(count, CHUNK));
        for (long left = count; left > 0; left -= chunk.limit()) {
            chunk.clear().limit((int) Math.min(left, CHUNK));
            if (!receive(chunk)) {
                throw new AssertionError("the stream ended after " + received + " bytes, " + left + " short");
            }
        }
    }

    /** How a stream ended for whoever read it. */
    enum Ending {
        FIN,
        RESET
    }

    /** Receives whatever comes, and says how it ended. */
    Ending drain() throws IOException {
        return drain(CHUNK, 0);
    }

    /** The same with a rest after each chunk. */
    Ending drain(int chunkSize, int restMillis) throws IOException {
        ByteBuffer chunk = ByteBuffer.allocate(chunkSize);
        try {
            while (receive(chunk.clear())) {
                if (restMillis > 0) {
                    Thread.sleep(restMillis);
                }
            }
            return writeWasReset ? Ending.RESET : Ending.FIN;
        } catch (IOException e) {
            if (isReset(e)) {
                return Ending.RESET;
            }
            throw e;
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    /** Whether a write has learnt of a reset, so that a read may have seen an end where there was none. */
    boolean writeWasReset() {
        return writeWasReset;
    }

    private static boolean isReset(IOException e) {
        return String.valueOf(e.getMessage()).contains("reset");
    }

    private boolean receive(ByteBuffer chunk) throws IOException {
        if (channel.read(chunk) < 0) {
            return false;
        }
        chunk.flip();
        long from = received;
        received = from + chunk.limit();
        in.check(chunk, from);
        return true;
    }

    /** Ends its stream, and goes on receiving. */
    void fin() throws IOException {
        channel.shutdownOutput();
    }

    /** Sends a reset. What its kernel still has to send is lost: see {@link #awaitAcknowledged}. */
    void reset() throws IOException {
        channel.setOption(StandardSocketOptions.SO_LINGER, 0);
        channel.close();
    }

    /** A close with input unread is a reset, too: that is the kernel's doing. */
    @Override
    public void close() throws IOException {
        channel.close();
    }

    boolean isOpen() {
        return channel.isOpen();
    }

    /** Waits until the other end's kernel, which is the relay's, has everything that was sent. TCP only. */
    void awaitAcknowledged() throws Exception {
        int local = ((InetSocketAddress) channel.getLocalAddress()).getPort();
        int remote = ((InetSocketAddress) channel.getRemoteAddress()).getPort();
        while (queued(local, remote) != 0) {
            Thread.sleep(5);
        }
    }

    private static long queued(int local, int remote) throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/net/tcp"))) {
            String[] fields = line.strip().split("\\s+");
            if (isPort(fields[1], local) && isPort(fields[2], remote)) {
                return Long.parseLong(fields[4].split(":")[0], 16);
            }
        }
        return 0;
    }

    private static boolean isPort(String address, int port) {
        return address.endsWith(String.format(":%04X", port));
    }
}
