package dev.sluice.ring;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.sluice.internal.linux.Message;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * A list of buffers for vectored operations and messages: one {@code struct msghdr} and behind it the array of
 * {@code struct iovec}, in the memory of an arena. It and its buffers must live until the request's last completion.
 */
public final class Vectors {
    private final MemorySegment memory;
    private final int capacity;

    /** Room for so many buffers, all empty. */
    public Vectors(Arena arena, int capacity) {
        this.capacity = capacity;
        this.memory = arena.allocate(Message.MSGHDR_SIZE_OF + capacity * Message.IOVEC_SIZE_OF, 8);
        memory.set(JAVA_LONG, Message.MSG_IOV, entries());
        memory.set(JAVA_LONG, Message.MSG_IOVLEN, capacity);
    }

    /** Sets one buffer, which must be native memory. */
    public Vectors set(int index, MemorySegment buffer) {
        if (index < 0 || index >= capacity) {
            throw new IndexOutOfBoundsException("buffer " + index + " of " + capacity);
        }
        long at = Message.MSGHDR_SIZE_OF + index * Message.IOVEC_SIZE_OF;
        memory.set(JAVA_LONG, at, Submission.address(buffer));
        memory.set(JAVA_LONG, at + Message.IOVEC_LEN, buffer.byteSize());
        return this;
    }

    /** The socket address that a message goes to, or room for the one that it came from. */
    public Vectors name(MemorySegment socketAddress) {
        memory.set(JAVA_LONG, Message.MSG_NAME, Submission.address(socketAddress));
        memory.set(JAVA_INT, Message.MSG_NAMELEN, Math.toIntExact(socketAddress.byteSize()));
        return this;
    }

    /** The control messages of a message, or room for them; cmsg(3). */
    public Vectors control(MemorySegment messages) {
        memory.set(JAVA_LONG, Message.MSG_CONTROL, Submission.address(messages));
        memory.set(JAVA_LONG, Message.MSG_CONTROLLEN, messages.byteSize());
        return this;
    }

    /** How many buffers there are. */
    public int size() {
        return capacity;
    }

    long message() {
        return memory.address();
    }

    long entries() {
        return memory.address() + Message.MSGHDR_SIZE_OF;
    }
}
