package dev.sluice.send;

import dev.sluice.ring.SharedRing;
import java.nio.channels.Channel;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;

/** The same leases, receipts and ends, with a ring that makes the zero-copy calls. */
class RingSenderTest extends ZeroCopySenderTest {
    @BeforeEach
    void ring() throws Exception {
        String reason = SharedRing.shared().sends().unavailable();
        Assumptions.assumeTrue(reason == null, () -> "no zero-copy sends by a ring: " + reason);
    }

    @Override
    ZeroCopySender.Builder over(Channel channel) throws Exception {
        return ZeroCopySender.over(channel).by(SharedRing.shared().sends());
    }
}
