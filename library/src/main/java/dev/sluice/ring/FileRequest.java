package dev.sluice.ring;

import dev.sluice.internal.linux.Files;
import dev.sluice.internal.linux.Rings;

/** One call on a file, which both the ring and the ordinary system calls know how to make. */
final class FileRequest extends Request {
    private final Operation operation;
    private final int fd;
    private final int index;
    private final int memory;
    private final long offset;
    private final long address;
    private final int length;
    private final int flags;

    /**
     * The fields of an entry.
     *
     * @param index of the descriptor in the table of fixed files, or {@link FixedFiles#NONE}
     * @param memory of the buffer in the table of fixed ones, or {@link FixedBuffers#UNREGISTERED}
     */
    FileRequest(Operation operation, int fd, int index, int memory, long offset, long address, int length, int flags) {
        this.operation = operation;
        this.fd = fd;
        this.index = index;
        this.memory = memory;
        this.offset = offset;
        this.address = address;
        this.length = length;
        this.flags = flags;
    }

    @Override
    void fill(Submission submission) {
        boolean fixed = index != FixedFiles.NONE;
        submission.raw(code(), fixed ? index : fd, offset, address, length, flags);
        if (memory != FixedBuffers.UNREGISTERED) {
            submission.bufferIndex(memory);
        }
        if (fixed) {
            submission.fixedFile();
        }
    }

    private int code() {
        if (memory == FixedBuffers.UNREGISTERED) {
            return operation.ordinal();
        }
        return (operation == Operation.READ ? Operation.READ_FIXED : Operation.WRITE_FIXED).ordinal();
    }

    @Override
    int ordinary() {
        return (int)
                switch (operation) {
                    case READ -> Files.readAt(fd, address, length, offset);
                    case WRITE -> Files.writeAt(fd, address, length, offset);
                    case READV -> Files.readVectoredAt(fd, address, length, offset);
                    case WRITEV -> Files.writeVectoredAt(fd, address, length, offset);
                    // Only whole files can be synced by ordinary calls: that is more than was asked for.
                    case FSYNC -> flags == Rings.IORING_FSYNC_DATASYNC ? Files.syncData(fd) : Files.sync(fd);
                    case FALLOCATE -> Files.allocate(fd, length, offset, address);
                    case FTRUNCATE -> Files.truncate(fd, offset);
                    default -> throw new AssertionError(operation);
                };
    }
}
