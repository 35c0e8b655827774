package dev.sluice.cli;

import java.io.IOException;

/** A command failed: the message is the one line that its user gets. */
final class Failure extends Exception {
    private static final long serialVersionUID = 1L;

    static final int FAILED = 1;
    static final int USAGE = 2;
    /** EX_UNAVAILABLE of sysexits.h. */
    static final int UNAVAILABLE = 69;
    /** EX_CONFIG of sysexits.h. */
    static final int CONFIGURATION = 78;
    /** What a shell reports for a command that died of signal n, less n. */
    static final int SIGNALLED = 128;

    private final int exitCode;

    Failure(int exitCode, String message, Throwable cause) {
        super(message, cause);
        this.exitCode = exitCode;
    }

    Failure(int exitCode, Throwable cause) {
        this(exitCode, Trouble.describe(cause), cause);
    }

    int exitCode() {
        return exitCode;
    }

    interface Step<T> {
        T take() throws Exception;
    }

    /** Makes the first contact with an address: if that fails, nothing has been done yet, and the exit code is 69. */
    static <T> T reach(Step<T> step) throws Exception {
        try {
            return step.take();
        } catch (IOException e) {
            throw new Failure(UNAVAILABLE, e);
        }
    }
}
