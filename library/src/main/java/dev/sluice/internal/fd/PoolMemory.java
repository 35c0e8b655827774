package dev.sluice.internal.fd;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.Stream;

/**
 * The memory of a pool, found by any address in it. It lasts, and its pieces are used over and over: so it is worth being
 * registered as a whole with whoever has the kernel map it once, at its first use there.
 */
public final class PoolMemory {
    /** Whom memory can be registered with. */
    public interface Registrar {
        /** What {@link #register} gives for memory that the kernel does not know. */
        int UNREGISTERED = -1;

        /**
         * Has the kernel map memory that many calls will use.
         *
         * @return the number to name it by, or {@link #UNREGISTERED} if the kernel would not
         */
        int register(MemorySegment memory);

        /** Gives the number back; nothing is in flight from there. Never waits. */
        void unregister(int number);
    }

    /** By address. Copied when pools come and go, so that looking costs no lock. */
    private static volatile PoolMemory[] all = {};

    private final MemorySegment memory;
    private final Map<Registrar, Integer> numbers = new HashMap<>();
    private boolean gone;

    /** Memory that is there until after {@link #forget}. */
    public PoolMemory(MemorySegment memory) {
        this.memory = memory;
        synchronized (PoolMemory.class) {
            all = Stream.concat(Stream.of(all), Stream.of(this))
                    .sorted(Comparator.comparingLong(PoolMemory::address))
                    .toArray(PoolMemory[]::new);
        }
    }

    private long address() {
        return memory.address();
    }

    /** What holds all these bytes, or null. */
    public static PoolMemory of(long address, long length) {
        PoolMemory[] sorted = all;
        int below = -1;
        for (int above = sorted.length; above - below > 1; ) {
            int middle = below + above >>> 1;
            if (sorted[middle].address() <= address) {
                below = middle;
            } else {
                above = middle;
            }
        }
        boolean inside = below >= 0 && address + length <= sorted[below].address() + sorted[below].memory.byteSize();
        return inside ? sorted[below] : null;
    }

    /** The number under which the kernel knows the memory, or {@link Registrar#UNREGISTERED}; parks at first. */
    public int numberWith(Registrar registrar) {
        synchronized (numbers) {
            Integer known = numbers.get(registrar);
            if (known != null || gone) {
                return known == null ? Registrar.UNREGISTERED : known;
            }
        }
        // Not under the lock: whoever does it may just now be about to forget.
        int number = registrar.register(memory);
        synchronized (numbers) {
            Integer known = gone ? Integer.valueOf(Registrar.UNREGISTERED) : numbers.putIfAbsent(registrar, number);
            if (known == null) {
                return number;
            }
            if (number != Registrar.UNREGISTERED) {
                registrar.unregister(number);
            }
            return known;
        }
    }

    /** Has it unregistered everywhere, and found no more. Never waits. */
    public void forget() {
        synchronized (PoolMemory.class) {
            all = Arrays.stream(all).filter(other -> other != this).toArray(PoolMemory[]::new);
        }
        synchronized (numbers) {
            gone = true;
            numbers.forEach((registrar, number) -> {
                if (number != Registrar.UNREGISTERED) {
                    registrar.unregister(number);
                }
            });
            numbers.clear();
        }
    }
}
