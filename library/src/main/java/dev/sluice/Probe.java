package dev.sluice;

import dev.sluice.internal.fd.RawPipe;
import dev.sluice.internal.linux.Errno;
import dev.sluice.internal.linux.Files;
import dev.sluice.internal.linux.Native;
import dev.sluice.internal.linux.Pipes;
import dev.sluice.internal.linux.Polling;
import dev.sluice.io.Capabilities;
import dev.sluice.io.Capabilities.Finding;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Finds out by trying. */
final class Probe {
    private static final int MEBIBYTE = 1 << 20;

    private final List<Finding> findings = new ArrayList<>();

    private Probe() {}

    static Capabilities run() {
        Probe probe = new Probe();
        probe.all();
        return new Capabilities(probe.findings);
    }

    private void all() {
        String missing = Native.unavailable();
        add("native", missing == null, missing == null ? "calls to libc work" : missing, nativeRemedy(missing));
        if (missing != null) {
            return;
        }
        RawPipe one = RawPipe.open();
        RawPipe two = one == null ? null : RawPipe.open();
        if (two == null) {
            add("pipe", false, "no pipe could be made", "raise the limit of open descriptors (ulimit -n)");
        } else {
            pipes(one, two);
            two.close();
        }
        if (one != null) {
            one.close();
        }
        epoll();
        add("ring", false, "io_uring is not used by this version", "");
        number("descriptors", "ulimit -n", limit("Max open files"));
        number("pipe-max-size", "fs.pipe-max-size", read("/proc/sys/fs/pipe-max-size"));
        number("pipe-user-pages-soft", "fs.pipe-user-pages-soft", read("/proc/sys/fs/pipe-user-pages-soft"));
    }

    private static String nativeRemedy(String missing) {
        return missing != null && missing.contains("--enable-native-access")
                ? missing.replaceAll(".*(--enable)", "$1")
                : "";
    }

    private void pipes(RawPipe one, RawPipe two) {
        try (Arena arena = Arena.ofConfined()) {
            long byteAddress = arena.allocate(1).address();
            Files.write(one.writeEnd(), byteAddress, 1);
            call("tee", Pipes.tee(one.readEnd(), two.writeEnd(), 1));
            call("splice", Pipes.splice(one.readEnd(), two.writeEnd(), 1));
        }
        int capacity = one.resize(MEBIBYTE);
        add(
                "large pipes",
                capacity >= MEBIBYTE,
                "a pipe of " + capacity / 1024 + " KiB was given",
                capacity >= MEBIBYTE
                        ? ""
                        : "sysctl fs.pipe-max-size=1048576, and more fs.pipe-user-pages-soft for this user");
    }

    private void epoll() {
        int epoll = Polling.create();
        call("epoll", epoll);
        if (epoll >= 0) {
            Files.close(epoll);
        }
    }

    private void call(String name, long result) {
        add(name, result >= 0, result >= 0 ? "works" : "says " + Errno.name((int) -result), "");
    }

    private void number(String name, String what, String value) {
        add(name, true, what + " is " + value, "");
    }

    private void add(String name, boolean available, String detail, String remedy) {
        findings.add(new Finding(name, available, detail, remedy));
    }

    private static String limit(String row) {
        for (String line : read("/proc/self/limits").split("\n")) {
            if (line.startsWith(row)) {
                return line.substring(row.length()).trim().split(" +")[0];
            }
        }
        return "unknown";
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
