package dev.sluice.cli;

import dev.sluice.internal.linux.Errno;
import dev.sluice.internal.linux.Files;
import dev.sluice.internal.linux.Sockets;
import dev.sluice.io.Endpoint;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * Tells the service manager how things stand, see sd_notify(3): one datagram to the socket in {@code NOTIFY_SOCKET}. Without
 * that variable it tells nobody. What can't be told is said once on stderr; the relay goes on.
 */
final class Readiness {
    private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(2);
    private static final long PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(10);

    private final Optional<Endpoint> manager;
    private boolean complained;

    private Readiness(Optional<Endpoint> manager) {
        this.manager = manager;
    }

    static Readiness of(Map<String, String> environment) {
        String socket = environment.getOrDefault("NOTIFY_SOCKET", "");
        if (socket.startsWith("@")) {
            return new Readiness(Optional.of(new Endpoint.Abstract(socket.substring(1))));
        }
        if (socket.startsWith("/")) {
            return new Readiness(Optional.of(new Endpoint.Unix(socket)));
        }
        if (!socket.isEmpty()) {
            Console.say("NOTIFY_SOCKET=" + Trouble.oneLine(socket) + " is neither a path nor an abstract name");
        }
        return new Readiness(Optional.empty());
    }

    void ready(String status) {
        tell("READY=1\nSTATUS=" + Trouble.oneLine(status));
    }

    /** To be followed by {@link #ready}, whether the reload went well or not. */
    void reloading() {
        // The JVM's clock is CLOCK_MONOTONIC, which is what the service manager compares this with.
        tell("RELOADING=1\nMONOTONIC_USEC=" + System.nanoTime() / 1000 + "\nSTATUS=reloading");
    }

    void stopping(String status) {
        tell("STOPPING=1\nSTATUS=" + Trouble.oneLine(status));
    }

    private synchronized void tell(String message) {
        if (manager.isPresent()) {
            int result = send(manager.get(), message.getBytes(StandardCharsets.UTF_8));
            if (result < 0 && !complained) {
                complained = true;
                Console.say("the service manager can't be told: " + manager.get() + ": " + Errno.name(-result));
            }
        }
    }

    private static int send(Endpoint to, byte[] message) {
        int fd = Sockets.datagram(Sockets.AF_UNIX);
        if (fd < 0) {
            return fd;
        }
        try (Arena arena = Arena.ofConfined()) {
            Sockets.requireFits(to);
            int connected = Sockets.connect(fd, to);
            if (connected < 0) {
                return connected;
            }
            MemorySegment bytes = arena.allocateFrom(ValueLayout.JAVA_BYTE, message);
            long deadline = System.nanoTime() + PATIENCE_NANOS;
            long sent = Sockets.send(fd, bytes.address(), bytes.byteSize());
            while (Errno.wouldBlock(sent) && System.nanoTime() - deadline < 0) {
                LockSupport.parkNanos(PAUSE_NANOS);
                sent = Sockets.send(fd, bytes.address(), bytes.byteSize());
            }
            return (int) sent;
        } catch (IllegalArgumentException e) {
            return -Errno.EINVAL;
        } finally {
            Files.close(fd);
        }
    }
}
