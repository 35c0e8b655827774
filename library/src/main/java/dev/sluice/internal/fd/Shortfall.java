package dev.sluice.internal.fd;

import java.lang.System.Logger.Level;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;

/**
 * What keeps the whole process off a fast route, and could be mended. Each is logged the first time it is met, on the
 * logger {@code dev.sluice}, in one line that names the flag or limit; after that, results and events tell.
 */
public enum Shortfall {
    /** Native calls are denied, so channels of the JDK are copied. */
    NATIVE_ACCESS,
    /** splice(2) or tee(2) is forbidden, rather than refused for what a descriptor is. */
    SPLICE,
    /** No pipe is to be had at all. */
    PIPES,
    /** Pipes are smaller than asked for. */
    LARGE_PIPES,
    /** The descriptors of JDK channels can't be found. */
    ADOPTION,
    /** The kernel has no memory for zero-copy sends. */
    ZERO_COPY_MEMORY;

    private final AtomicBoolean told = new AtomicBoolean();

    /** Logs the line, unless one about this has been. */
    public void tell(Supplier<String> line) {
        if (!told.get() && told.compareAndSet(false, true)) {
            System.getLogger("dev.sluice").log(Level.WARNING, line);
        }
    }
}
