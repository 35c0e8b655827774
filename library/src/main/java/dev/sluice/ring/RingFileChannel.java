package dev.sluice.ring;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SeekableByteChannel;

/** A position on a file that has none. */
final class RingFileChannel implements SeekableByteChannel {
    private final RingFile file;
    private long position;

    RingFileChannel(RingFile file) {
        this.file = file;
    }

    @Override
    public synchronized int read(ByteBuffer buffer) throws IOException {
        int count = file.read(buffer, position);
        position += Math.max(0, count);
        return count;
    }

    @Override
    public synchronized int write(ByteBuffer buffer) throws IOException {
        int start = buffer.position();
        try {
            return file.write(buffer, position);
        } finally {
            position += buffer.position() - start;
        }
    }

    @Override
    public synchronized long position() throws IOException {
        requireOpen();
        return position;
    }

    @Override
    public synchronized RingFileChannel position(long newPosition) throws IOException {
        requireOpen();
        if (newPosition < 0) {
            throw new IllegalArgumentException("position " + newPosition + " is negative");
        }
        position = newPosition;
        return this;
    }

    @Override
    public long size() throws IOException {
        return file.size();
    }

    @Override
    public synchronized RingFileChannel truncate(long size) throws IOException {
        if (size < file.size()) {
            file.truncate(size);
        }
        position = Math.min(position, size);
        return this;
    }

    private void requireOpen() throws ClosedChannelException {
        if (!file.isOpen()) {
            throw new ClosedChannelException();
        }
    }

    @Override
    public boolean isOpen() {
        return file.isOpen();
    }

    @Override
    public void close() {
        file.close();
    }
}
