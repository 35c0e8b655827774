package dev.sluice.send;

import dev.sluice.net.StreamSocket;
import dev.sluice.ring.SharedRing;

/** The same hostility, with a ring that makes the zero-copy calls. */
class RingHostileTest extends HostileTest {
    @Override
    ZeroCopySender.Builder over(StreamSocket socket) throws Exception {
        return ZeroCopySender.over(socket).by(SharedRing.shared().sends());
    }
}
