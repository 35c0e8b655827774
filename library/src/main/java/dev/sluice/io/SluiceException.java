package dev.sluice.io;

import java.io.IOException;

/** A call to the kernel failed. The message is one line: what failed, on which address or file, why, what to do. */
public class SluiceException extends IOException {
    private static final long serialVersionUID = 1L;

    private final String call;
    private final int errno;

    /**
     * @param message one line
     * @param call the name of the system call, or an empty string when none failed
     * @param errno its errno, or 0
     */
    public SluiceException(String message, String call, int errno) {
        super(message);
        this.call = call;
        this.errno = errno;
    }

    /** The system call that failed, such as {@code connect}, or an empty string. */
    public final String call() {
        return call;
    }

    /** The errno of the call, or 0 when no call failed. */
    public final int errno() {
        return errno;
    }
}
