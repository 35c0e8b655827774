package dev.sluice;

import dev.sluice.internal.fd.Adoption;
import dev.sluice.internal.fd.RawPipe;
import dev.sluice.internal.linux.Errno;
import dev.sluice.internal.linux.Files;
import dev.sluice.internal.linux.Native;
import dev.sluice.internal.linux.Pipes;
import dev.sluice.internal.linux.Polling;
import dev.sluice.internal.linux.Rings;
import dev.sluice.internal.linux.Sockets;
import dev.sluice.io.Capabilities;
import dev.sluice.io.Capabilities.Finding;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.module.ModuleFinder;
import java.nio.channels.Pipe;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Finds out by trying, and says what would help. */
final class Probe {
    private static final int PREFERRED = 1 << 20;
    private static final int PAGE = 4096;

    /** A proxied connection holds two descriptors, and four more while a pipe is at work in either direction. */
    private static final long FEW_DESCRIPTORS = 4096;

    /** CAP_SYS_ADMIN and CAP_SYS_RESOURCE: whoever has one is exempt from the limits of pipes, pipe(7). */
    private static final long PIPE_CAPABILITIES = 1L << 21 | 1L << 24;

    /** Exempt from the limit of locked memory, which zero-copy sends count against. */
    private static final long CAP_IPC_LOCK = 1L << 14;

    private static final String SANDBOX = "allow the call in the seccomp profile of the container or sandbox";

    private final List<Finding> findings = new ArrayList<>();

    private Probe() {}

    static Capabilities run() {
        Probe probe = new Probe();
        if (probe.nativeCalls()) {
            probe.pipes();
            probe.files();
            probe.epoll();
            probe.adoption();
            probe.zeroCopy();
            probe.ring();
        }
        probe.flightRecorder();
        if (probe.linux()) {
            probe.descriptors();
            probe.pipeLimits();
        }
        probe.processors();
        return new Capabilities(probe.findings);
    }

    private boolean nativeCalls() {
        boolean works = Native.available();
        add("native", works, works ? "calls to libc work" : Native.unavailable(), Native.remedy());
        return works;
    }

    private void pipes() {
        RawPipe one = RawPipe.open();
        RawPipe two = one == null ? null : RawPipe.open();
        if (two == null) {
            add("pipe", false, "no pipe could be made", "raise the limit of open descriptors (ulimit -n)");
        } else {
            teeAndSplice(one, two);
            two.close();
        }
        if (one != null) {
            largePipes(one);
            one.close();
        }
    }

    private void teeAndSplice(RawPipe one, RawPipe two) {
        try (Arena arena = Arena.ofConfined()) {
            Files.write(one.writeEnd(), arena.allocate(1).address(), 1);
        }
        call("tee", Pipes.tee(one.readEnd(), two.writeEnd(), 1));
        call("splice", Pipes.splice(one.readEnd(), two.writeEnd(), 1));
    }

    private void largePipes(RawPipe pipe) {
        int capacity = pipe.resize(PREFERRED);
        boolean large = capacity >= PREFERRED;
        boolean sizeInTheWay = number("/proc/sys/fs/pipe-max-size") < PREFERRED;
        String remedy = sizeInTheWay
                ? "sysctl -w fs.pipe-max-size=" + PREFERRED
                : "sysctl -w fs.pipe-user-pages-soft="
                        + 4 * Math.max(16384, number("/proc/sys/fs/pipe-user-pages-soft"))
                        + ", or CAP_SYS_RESOURCE for the process";
        String detail = "a pipe of " + capacity / 1024 + " KiB was given";
        add("large pipes", large, large ? detail : detail + ", not " + PREFERRED / 1024, large ? "" : remedy);
    }

    private void files() {
        Path from = null;
        Path to = null;
        try {
            from = java.nio.file.Files.write(temporary(), new byte[] {1});
            to = temporary();
            int source = Files.open(from.toString(), Files.O_RDONLY, 0);
            int sink = Files.open(to.toString(), Files.O_WRONLY, 0);
            call("sendfile", Files.sendfile(sink, source, 1));
            Files.seek(source, 0, Files.SEEK_SET);
            // It may say no for reasons of the file system; transfers then go through a pipe.
            call("copy_file_range", Files.copyFileRange(source, sink, 1));
            Files.close(source);
            Files.close(sink);
        } catch (IOException e) {
            String why = "no temporary file to try it on: " + e;
            add("sendfile", false, why, "make java.io.tmpdir writable");
            add("copy_file_range", false, why, "make java.io.tmpdir writable");
        } finally {
            delete(from);
            delete(to);
        }
    }

    private static Path temporary() throws IOException {
        return java.nio.file.Files.createTempFile("sluice-probe", null);
    }

    private static void delete(Path file) {
        try {
            if (file != null) {
                java.nio.file.Files.delete(file);
            }
        } catch (IOException e) {
            // An empty file stays behind in the directory for such files.
        }
    }

    private void epoll() {
        int epoll = Polling.create();
        call("epoll", epoll);
        if (epoll >= 0) {
            Files.close(epoll);
        }
    }

    private void adoption() {
        String refusal = adoptionRefusal();
        boolean works = refusal.isEmpty();
        add(
                "adoption",
                works,
                works ? "SocketChannel and Pipe of the JDK take the kernel's route" : refusal,
                works ? "" : "mount /proc, and let the process read its own /proc/self/fdinfo");
    }

    private static String adoptionRefusal() {
        try {
            Pipe pipe = Pipe.open();
            try {
                Adoption.of(pipe.source(), Adoption.Way.READ).leave();
                return "";
            } catch (Adoption.Refusal e) {
                return "this is " + e.getMessage();
            } finally {
                pipe.source().close();
                pipe.sink().close();
            }
        } catch (IOException e) {
            return "no pipe of the JDK could be made: " + e.getMessage();
        }
    }

    private void zeroCopy() {
        int socket = Sockets.stream(Sockets.AF_INET);
        int set = socket < 0 ? socket : Sockets.setOption(socket, Sockets.SOL_SOCKET, Sockets.SO_ZEROCOPY, 1);
        if (socket >= 0) {
            Files.close(socket);
        }
        String limits = "net.core.optmem_max is " + number("/proc/sys/net/core/optmem_max")
                + ((capabilities() & CAP_IPC_LOCK) != 0 ? "" : ", and the limit of locked memory counts");
        add(
                "zero-copy send",
                set >= 0,
                set >= 0 ? "TCP sends from buffers; " + limits : "says " + Errno.name(-set) + "; sends copy",
                set >= 0 ? "" : "Linux 4.14 or later");
    }

    private void ring() {
        if (System.getProperty("sluice.ring", "auto").equalsIgnoreCase("off")) {
            add("ring", false, "the ring is switched off by -Dsluice.ring=off", "-Dsluice.ring=auto");
            return;
        }
        int ring = Rings.setup(1);
        if (ring >= 0) {
            Files.close(ring);
        }
        boolean disabled = number("/proc/sys/kernel/io_uring_disabled") > 0;
        String remedy = switch (-ring) {
            case Errno.EPERM, Errno.ENOSYS ->
                disabled ? "sysctl -w kernel.io_uring_disabled=0" : SANDBOX + ", or boot a kernel with io_uring";
            case Errno.ENOMEM -> "raise the limit of locked memory (ulimit -l)";
            default -> Errno.remedy(-ring);
        };
        String detail = ring >= 0
                ? "io_uring works"
                : "io_uring says " + Errno.name(-ring) + "; files and sockets of the ring work by ordinary calls";
        add("ring", ring >= 0, detail, ring >= 0 ? "" : remedy);
        add("locked memory", true, "ulimit -l is " + limit("Max locked memory") + ", for registered buffers", "");
    }

    private static String limit(String name) {
        return status("/proc/self/limits", name).split(" +")[0];
    }

    private void flightRecorder() {
        boolean present = ModuleLayer.boot().findModule("jdk.jfr").isPresent();
        boolean installed = ModuleFinder.ofSystem().find("jdk.jfr").isPresent();
        add(
                "flight recorder",
                present,
                present ? "dev.sluice.Transfer and dev.sluice.Fallback are recorded" : "the module jdk.jfr is missing",
                present ? "" : installed ? "--add-modules jdk.jfr" : "a Java runtime with the module jdk.jfr");
    }

    private boolean linux() {
        return System.getProperty("os.name").equals("Linux");
    }

    private void descriptors() {
        String limit = limit("Max open files");
        boolean few = limit.matches("\\d{1,18}") && Long.parseLong(limit) < FEW_DESCRIPTORS;
        add(
                "descriptors",
                !few,
                "ulimit -n is " + limit + (few ? ", which a few hundred connections use up" : ""),
                few ? "ulimit -n 65536, or LimitNOFILE=65536 in a systemd unit" : "");
    }

    private void pipeLimits() {
        long largest = number("/proc/sys/fs/pipe-max-size");
        add("pipe-max-size", largest >= PREFERRED, "fs.pipe-max-size is " + largest, "");
        long pages = number("/proc/sys/fs/pipe-user-pages-soft");
        boolean exempt = (capabilities() & PIPE_CAPABILITIES) != 0;
        long pipes = pages * PAGE / PREFERRED;
        String detail = pages == 0
                ? "fs.pipe-user-pages-soft is 0, no limit"
                : "fs.pipe-user-pages-soft is " + pages + ", which is " + pipes
                        + " pipes of 1 MiB for all processes of a user"
                        + (exempt ? "; this process is exempt" : "; what exceeds them is slower");
        add("pipe-user-pages-soft", true, detail, "");
    }

    private static long capabilities() {
        String effective = status("/proc/self/status", "CapEff:");
        return effective.matches("[0-9a-f]{16}") ? Long.parseUnsignedLong(effective, 16) : 0;
    }

    private void processors() {
        int processors = Runtime.getRuntime().availableProcessors();
        String carriers = System.getProperty("jdk.virtualThreadScheduler.parallelism", String.valueOf(processors));
        add(
                "processors",
                true,
                processors + ": up to " + Math.clamp(processors, 1, 8) + " event loops, " + carriers
                        + " carriers of virtual threads",
                "");
    }

    private void call(String name, long result) {
        boolean works = result >= 0;
        int errno = (int) -result;
        boolean forbidden = errno == Errno.EPERM || errno == Errno.ENOSYS;
        add(name, works, works ? "works" : "says " + Errno.name(errno), !works && forbidden ? SANDBOX : "");
    }

    private void add(String name, boolean available, String detail, String remedy) {
        findings.add(new Finding(name, available, detail, remedy));
    }

    /** What follows the key in its line. */
    private static String status(String path, String key) {
        for (String line : read(path).split("\n")) {
            if (line.startsWith(key)) {
                return line.substring(key.length()).strip();
            }
        }
        return "unknown";
    }

    /** −1 if it is not to be had. */
    private static long number(String path) {
        String text = read(path);
        return text.matches("\\d{1,18}") ? Long.parseLong(text) : -1;
    }

    private static String read(String path) {
        // In one read: files under /proc/sys say that they end after the first, however short.
        try (InputStream in = java.nio.file.Files.newInputStream(Path.of(path))) {
            byte[] bytes = new byte[8192];
            int length = Math.max(0, in.read(bytes));
            return new String(bytes, 0, length, StandardCharsets.US_ASCII).strip();
        } catch (IOException e) {
            return "unknown";
        }
    }
}
