package dev.sluice.cli;

import dev.sluice.file.KernelFile;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Files;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * What {@code -} stands for. The end of a pipe can be opened once more through /proc, as a descriptor of our own, and then
 * takes the kernel's route; anything else is left as the shell made it, with its position and flags, and is copied.
 */
final class StandardStreams {
    static final Path DASH = Path.of("-");

    private StandardStreams() {}

    static ReadableByteChannel input(Platform platform) throws IOException {
        KernelFile pipe = pipe(platform, 0, StandardOpenOption.READ);
        return pipe != null ? pipe : new FileInputStream(FileDescriptor.in).getChannel();
    }

    static WritableByteChannel output(Platform platform) throws IOException {
        KernelFile pipe = pipe(platform, 1, StandardOpenOption.WRITE);
        return pipe != null ? pipe : new FileOutputStream(FileDescriptor.out).getChannel();
    }

    /** Null if the descriptor is not an end of an unnamed pipe; opening a named one could wait for its other end. */
    private static KernelFile pipe(Platform platform, int number, OpenOption option) throws IOException {
        if (platform.shortfall().isPresent()) {
            return null;
        }
        Path link = Path.of("/proc/self/fd/" + number);
        boolean pipe = Files.readSymbolicLink(link).toString().startsWith("pipe:");
        return pipe ? KernelFile.open(link, option) : null;
    }
}
