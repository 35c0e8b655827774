package dev.sluice.internal.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicReferenceArray;

/**
 * The only class that sees {@link Linker}.
 *
 * <p>Two call shapes serve every function of libc that Sluice calls: six longs, and the variadic form of the same; a ring
 * needs a third, of seven.
 * Both Linux targets pass integers and pointers in registers of 64 bits and ignore surplus arguments, and every shape
 * costs start-up time to link, so there are no others. A function's address is an argument of the shape, which makes
 * one more function nearly free.
 *
 * <p>Calls return their result, or −errno; they throw for nothing that the kernel says. errno is captured by the same
 * downcall, into a cell borrowed for the call: a virtual thread could not own one cheaply.
 */
public final class Native {
    private static final MemoryLayout CAPTURE = Linker.Option.captureStateLayout();
    private static final long ERRNO = CAPTURE.byteOffset(MemoryLayout.PathElement.groupElement("errno"));

    /** A cell: the captured errno, and behind it room for two words that a function reads or writes. */
    private static final long FIRST_WORD = 16;

    private static final long SECOND_WORD = 24;
    private static final long CELL_SIZE = 32;

    /** Cells are 16 references apart, so that two threads do not fight for a cache line of the array. */
    private static final int STRIDE = 16;

    private static final int CELLS = 64;
    private static final AtomicReferenceArray<MemorySegment> FREE_CELLS = new AtomicReferenceArray<>(CELLS * STRIDE);

    private Native() {}

    /** Why native calls can't be made, or null when they can. Asking links nothing that is not needed anyway. */
    public static String unavailable() {
        return State.REASON;
    }

    /** Whether the kernel can be called at all: Linux on x86-64 or aarch64, and native access is permitted. */
    public static boolean available() {
        return State.REASON == null;
    }

    /** Whether they are unavailable because somebody wanted it so. */
    public static boolean switchedOff() {
        return State.MODE.equals("off");
    }

    /** Which flag or property would make them available, or an empty string. */
    public static String remedy() {
        return State.REMEDY;
    }

    /** Whether the machine is aarch64, whose ABI differs from x86-64 in two structs and four open flags. */
    static boolean aarch64() {
        return State.AARCH64;
    }

    static MemorySegment function(String name) {
        requireAvailable();
        return State.LINKER
                .defaultLookup()
                .find(name)
                .orElseThrow(() -> new UnsupportedOperationException("libc has no function " + name));
    }

    private static void requireAvailable() {
        if (State.REASON != null) {
            throw new UnsupportedOperationException(State.REASON);
        }
    }

    static int callInt(MemorySegment function, long a, long b, long c, long d, long e, long f) {
        int slot = slot();
        MemorySegment cell = borrow(slot);
        int result = invokeInt(function, cell, a, b, c, d, e, f);
        FREE_CELLS.lazySet(slot, cell);
        return result;
    }

    static long callLong(MemorySegment function, long a, long b, long c, long d, long e, long f) {
        int slot = slot();
        MemorySegment cell = borrow(slot);
        long result;
        try {
            result = (long) State.CALL.invokeExact(function, cell, a, b, c, d, e, f);
        } catch (Throwable t) {
            throw impossible(t);
        }
        if (result == -1) {
            result = -cell.get(JAVA_INT, ERRNO);
        }
        FREE_CELLS.lazySet(slot, cell);
        return result;
    }

    /**
     * {@code syscall(2)} with a number and six arguments, one more than the common shape has room for. Only a ring needs
     * it, so it is linked when the first ring is made.
     */
    static int syscall(long number, long a, long b, long c, long d, long e, long f) {
        int slot = slot();
        MemorySegment cell = borrow(slot);
        int result = syscall(cell, number, a, b, c, d, e, f);
        FREE_CELLS.lazySet(slot, cell);
        return result;
    }

    /** The same with a cell of the caller's own, who has one thread and calls often. */
    static int syscall(MemorySegment cell, long number, long a, long b, long c, long d, long e, long f) {
        try {
            int result = (int) (long) BySyscall.CALL.invokeExact(BySyscall.FUNCTION, cell, number, a, b, c, d, e, f);
            return result == -1 ? -cell.get(JAVA_INT, ERRNO) : result;
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    /** A cell for {@link #syscall(MemorySegment, long, long, long, long, long, long, long)}. */
    static MemorySegment cell(Arena arena) {
        return arena.allocate(CELL_SIZE, 16);
    }

    private static final class BySyscall {
        static final MemorySegment FUNCTION = function("syscall");
        static final MethodHandle CALL = State.link(
                State.LINKER,
                FunctionDescriptor.of(
                        JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    /** For {@code fcntl}, {@code ioctl} and {@code open}: two fixed arguments, one variadic. */
    static int callVariadic(MemorySegment function, long a, long b, long c) {
        int slot = slot();
        MemorySegment cell = borrow(slot);
        int result = invokeVariadic(function, cell, a, b, c);
        FREE_CELLS.lazySet(slot, cell);
        return result;
    }

    /** An {@code ioctl} whose third argument is the address of an int to be filled in: that int, or −errno. */
    static int ioctlOut(MemorySegment ioctl, int fd, long request) {
        int slot = slot();
        MemorySegment cell = borrow(slot);
        int result = invokeVariadic(ioctl, cell, fd, request, cell.address() + FIRST_WORD);
        int value = result < 0 ? result : cell.get(JAVA_INT, FIRST_WORD);
        FREE_CELLS.lazySet(slot, cell);
        return value;
    }

    /** {@code getsockopt} or {@code setsockopt} of an int: {@code get} returns the value or −errno. */
    static int optionInt(MemorySegment function, boolean get, int fd, int level, int option, int value) {
        int slot = slot();
        MemorySegment cell = borrow(slot);
        cell.set(JAVA_INT, FIRST_WORD, value);
        cell.set(JAVA_INT, SECOND_WORD, Integer.BYTES);
        long address = cell.address();
        long length = get ? address + SECOND_WORD : Integer.BYTES;
        int result = invokeInt(function, cell, fd, level, option, address + FIRST_WORD, length, 0);
        if (get && result == 0) {
            result = cell.get(JAVA_INT, FIRST_WORD);
        }
        FREE_CELLS.lazySet(slot, cell);
        return result;
    }

    /** {@code preadv2} and {@code pwritev2} of one buffer, whose iovec is the two words of the cell. */
    static long oneVector(MemorySegment function, int fd, long address, long length, long offset, int flags) {
        int slot = slot();
        MemorySegment cell = borrow(slot);
        cell.set(JAVA_LONG, FIRST_WORD, address);
        cell.set(JAVA_LONG, SECOND_WORD, length);
        long result;
        try {
            result = (long) State.CALL.invokeExact(
                    function, cell, (long) fd, cell.address() + FIRST_WORD, 1L, offset, (long) flags, 0L);
        } catch (Throwable t) {
            throw impossible(t);
        }
        if (result == -1) {
            result = -cell.get(JAVA_INT, ERRNO);
        }
        FREE_CELLS.lazySet(slot, cell);
        return result;
    }

    private static int invokeInt(
            MemorySegment function, MemorySegment cell, long a, long b, long c, long d, long e, long f) {
        try {
            // The upper half of the register is undefined for a function that returns an int.
            int result = (int) (long) State.CALL.invokeExact(function, cell, a, b, c, d, e, f);
            return result == -1 ? -cell.get(JAVA_INT, ERRNO) : result;
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    private static int invokeVariadic(MemorySegment function, MemorySegment cell, long a, long b, long c) {
        try {
            int result = (int) (long) State.CALL_VARIADIC.invokeExact(function, cell, a, b, c);
            return result == -1 ? -cell.get(JAVA_INT, ERRNO) : result;
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    private static int slot() {
        return ((int) Thread.currentThread().threadId() & (CELLS - 1)) * STRIDE;
    }

    private static MemorySegment borrow(int slot) {
        MemorySegment cell = FREE_CELLS.getAndSet(slot, null);
        // Two threads met in one slot: the loser's new cell replaces the winner's on return, and one of them is
        // dropped.
        return cell != null ? cell : Arena.ofAuto().allocate(CELL_SIZE, 16);
    }

    private static AssertionError impossible(Throwable t) {
        return new AssertionError("a downcall threw", t);
    }

    private static final class State {
        static final boolean AARCH64 = System.getProperty("os.arch").equals("aarch64");
        static final String MODE = System.getProperty("sluice.native", "auto").toLowerCase(Locale.ROOT);
        static final String REASON;
        static final String REMEDY;
        static final Linker LINKER;
        static final MethodHandle CALL;
        static final MethodHandle CALL_VARIADIC;

        static {
            String reason = null;
            Linker linker = null;
            MethodHandle call = null;
            MethodHandle variadic = null;
            String os = System.getProperty("os.name");
            String arch = System.getProperty("os.arch");
            String remedy = "";
            if (MODE.equals("off")) {
                reason = "native calls are switched off by -Dsluice.native=off";
                remedy = "-Dsluice.native=auto";
            } else if (!os.equals("Linux")) {
                reason = "needs Linux, this is " + os;
            } else if (!AARCH64 && !arch.equals("amd64")) {
                reason = "needs x86-64 or aarch64, this is " + arch;
            } else {
                try {
                    linker = Linker.nativeLinker();
                    call = link(
                            linker,
                            FunctionDescriptor.of(
                                    JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG));
                    variadic = link(
                            linker,
                            FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG),
                            Linker.Option.firstVariadicArg(2));
                } catch (IllegalCallerException e) {
                    Module module = Native.class.getModule();
                    remedy = "--enable-native-access=" + (module.isNamed() ? module.getName() : "ALL-UNNAMED");
                    reason = "native access is denied to this module; start the JVM with " + remedy;
                } catch (UnsupportedOperationException e) {
                    reason = "this JVM has no foreign linker: " + e.getMessage();
                }
            }
            if (reason != null && MODE.equals("require")) {
                throw new ExceptionInInitializerError("-Dsluice.native=require, but " + reason);
            }
            REASON = reason;
            REMEDY = remedy;
            LINKER = linker;
            CALL = call;
            CALL_VARIADIC = variadic;
        }

        @SuppressWarnings("restricted")
        private static MethodHandle link(Linker linker, FunctionDescriptor shape, Linker.Option... more) {
            Linker.Option[] options = new Linker.Option[more.length + 1];
            options[0] = Linker.Option.captureCallState("errno");
            System.arraycopy(more, 0, options, 1, more.length);
            return linker.downcallHandle(shape, options);
        }
    }
}
