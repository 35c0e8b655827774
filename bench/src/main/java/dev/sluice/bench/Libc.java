package dev.sluice.bench;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.reflect.Method;
import java.nio.ByteOrder;
import java.nio.channels.NetworkChannel;

/** What the measuring needs and the JDK lacks: CPU time of another process to the nanosecond, TCP_CONGESTION. */
@SuppressWarnings("restricted")
final class Libc {
    private static final int IPPROTO_TCP = 6;
    private static final int TCP_CONGESTION = 13;
    private static final String CUBIC = "cubic";

    private static final int AF_INET = 2;
    private static final int SOCK_STREAM = 1;
    private static final int SOCK_CLOEXEC = 0x80000;
    private static final int SOCKADDR_IN_SIZE = 16;
    private static final int LOOPBACK = 127 << 24 | 1;
    private static final ValueLayout.OfShort BIG_ENDIAN_SHORT = JAVA_SHORT.withOrder(ByteOrder.BIG_ENDIAN);
    private static final ValueLayout.OfInt BIG_ENDIAN_INT = JAVA_INT.withOrder(ByteOrder.BIG_ENDIAN);

    private static final MethodHandle CLOCK_GETTIME = link("clock_gettime", JAVA_INT, ADDRESS);
    private static final MethodHandle SOCKET = link("socket", JAVA_INT, JAVA_INT, JAVA_INT);
    private static final MethodHandle CONNECT = link("connect", JAVA_INT, ADDRESS, JAVA_INT);
    private static final MethodHandle SETSOCKOPT = link("setsockopt", JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT);

    private Libc() {}

    private static MethodHandle link(String name, MemoryLayout... arguments) {
        Linker linker = Linker.nativeLinker();
        return linker.downcallHandle(
                linker.defaultLookup().findOrThrow(name), FunctionDescriptor.of(JAVA_INT, arguments));
    }

    /** CPU time of all threads of a process, also of those that have ended. */
    static long cpuNanos(long pid) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment time = arena.allocate(JAVA_LONG, 2);
            // The clock of a process, see clock_getcpuclockid(3): the scheduler's count, not the 10 ms of /proc.
            int clock = (int) (~pid << 3 | 2);
            if ((int) CLOCK_GETTIME.invokeExact(clock, time) != 0) {
                throw new IllegalStateException("process " + pid + " has no CPU clock; has it ended?");
            }
            return time.getAtIndex(JAVA_LONG, 0) * 1_000_000_000 + time.getAtIndex(JAVA_LONG, 1);
        } catch (RuntimeException e) {
            throw e;
        } catch (Throwable t) {
            throw new AssertionError(t);
        }
    }

    /**
     * Makes a channel that is not connected yet, or what a listener accepts, use cubic: others may pace, which on a
     * loopback measures their timers. Once connected it is too late: a socket that was ever under bbr stays paced.
     */
    static <C extends NetworkChannel> C cubic(C channel) throws IOException {
        try {
            // Public, but in a package that is not: hence --add-opens, see Party.
            Method descriptor = Class.forName("sun.nio.ch.SelChImpl").getMethod("getFDVal");
            descriptor.setAccessible(true);
            cubic((int) descriptor.invoke(channel));
            return channel;
        } catch (ReflectiveOperationException e) {
            throw new IOException(e);
        }
    }

    private static void cubic(int fd) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment name = arena.allocateFrom(CUBIC);
            if ((int) SETSOCKOPT.invokeExact(fd, IPPROTO_TCP, TCP_CONGESTION, name, CUBIC.length()) != 0) {
                throw new IOException("TCP_CONGESTION cubic was refused");
            }
        } catch (IOException e) {
            throw e;
        } catch (Throwable t) {
            throw new AssertionError(t);
        }
    }

    /** A socket that is connected to a port of the loopback under cubic; a descriptor. */
    static int connect(int port) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            int fd = (int) SOCKET.invokeExact(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
            cubic(fd);
            MemorySegment address = arena.allocate(SOCKADDR_IN_SIZE);
            address.set(JAVA_SHORT, 0, (short) AF_INET);
            address.set(BIG_ENDIAN_SHORT, 2, (short) port);
            address.set(BIG_ENDIAN_INT, 4, LOOPBACK);
            if ((int) CONNECT.invokeExact(fd, address, SOCKADDR_IN_SIZE) != 0) {
                throw new IOException("no connection to port " + port);
            }
            return fd;
        } catch (IOException e) {
            throw e;
        } catch (Throwable t) {
            throw new AssertionError(t);
        }
    }
}
