package dev.sluice.ring;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import dev.sluice.internal.linux.Rings;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.EnumSet;
import java.util.Set;
import java.util.TreeSet;

/** What a ring may do, as a list of {@code struct io_uring_restriction}: everything else is refused. */
final class Restrictions {
    final Set<Operation> operations = EnumSet.noneOf(Operation.class);
    final Set<EntryFlag> allowed = EnumSet.noneOf(EntryFlag.class);
    final Set<EntryFlag> demanded = EnumSet.noneOf(EntryFlag.class);

    /** At first those without which no ring can be closed. */
    final Set<Integer> registrations = new TreeSet<>(Set.of(
            Rings.IORING_REGISTER_SYNC_CANCEL, Rings.IORING_UNREGISTER_RING_FDS, Rings.IORING_UNREGISTER_PBUF_RING));

    /** One per operation and registration, and one for each kind of flags. */
    int count() {
        return operations.size() + registrations.size() + 2;
    }

    MemorySegment list(Arena arena) {
        MemorySegment list = arena.allocate(count() * Rings.RESTRICTION_SIZE, 8);
        int at = 0;
        for (Operation operation : operations) {
            set(list, at++, Rings.IORING_RESTRICTION_SQE_OP, operation.ordinal());
        }
        for (int registration : registrations) {
            set(list, at++, Rings.IORING_RESTRICTION_REGISTER_OP, registration);
        }
        set(list, at++, Rings.IORING_RESTRICTION_SQE_FLAGS_ALLOWED, bits(allowed));
        set(list, at, Rings.IORING_RESTRICTION_SQE_FLAGS_REQUIRED, bits(demanded));
        return list;
    }

    private static int bits(Set<EntryFlag> flags) {
        return flags.stream().mapToInt(EntryFlag::bit).sum();
    }

    private static void set(MemorySegment list, int index, int kind, int value) {
        list.set(JAVA_SHORT, index * Rings.RESTRICTION_SIZE + Rings.RESTRICTION_OPCODE, (short) kind);
        list.set(JAVA_BYTE, index * Rings.RESTRICTION_SIZE + Rings.RESTRICTION_VALUE, (byte) value);
    }
}
