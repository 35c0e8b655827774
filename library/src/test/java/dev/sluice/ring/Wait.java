package dev.sluice.ring;

import dev.sluice.internal.linux.Errno;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;

/** Steps that every test of a ring takes. */
final class Wait {
    private static final long LONG_ENOUGH = 20_000_000_000L;

    private Wait() {}

    /** Skips the test where the kernel has no rings for us. */
    static Ring open(RingSetup setup) throws IOException {
        try {
            return setup.open();
        } catch (dev.sluice.io.SluiceException e) {
            boolean refused = e.errno() == Errno.EPERM || e.errno() == Errno.ENOSYS;
            Assumptions.assumeFalse(refused, e.getMessage());
            throw e;
        }
    }

    static Ring open(int entries) throws IOException {
        return open(new RingSetup().entries(entries));
    }

    static void assume(Ring ring, Operation operation) throws IOException {
        Assumptions.assumeTrue(ring.supports(operation), "the kernel has no " + operation);
    }

    /** Hands over what is queued and waits for one completion, which stays to be looked at until the next step. */
    static Completion completion(Ring ring) throws IOException {
        long deadline = System.nanoTime() + LONG_ENOUGH;
        Completion completion;
        ring.submit();
        while ((completion = ring.peek()) == null) {
            if (deadline - System.nanoTime() < 0) {
                throw new AssertionError("no completion, " + ring.inFlight() + " requests in flight");
            }
            ring.submitAndWait(1, deadline - System.nanoTime());
        }
        return completion;
    }

    /** The result of the one request that is under way. */
    static int result(Ring ring) throws IOException {
        int result = completion(ring).result();
        ring.advance();
        return result;
    }

    /** Opens a descriptor of a file. */
    static int file(Path path) {
        int flags = dev.sluice.internal.linux.Files.O_RDWR | dev.sluice.internal.linux.Files.O_CREAT;
        return dev.sluice.internal.linux.Files.open(path.toString(), flags, 0600);
    }
}
