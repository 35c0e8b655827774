package dev.sluice.relay;

import dev.sluice.internal.linux.Sockets;

/** The options of TCP sockets: small messages leave at once, and a peer that is gone is noticed. */
final class Tuning {
    private static final int LONGEST_KEEPALIVE = 32767;

    private Tuning() {}

    /** A socket that nobody has changed yet. */
    static void connection(int fd, Timeouts times) {
        // Nobody who dies in the middle is to be taken for the end of a stream: what nobody closes is reset.
        Sockets.lingerZero(fd);
        Sockets.setOption(fd, Sockets.IPPROTO_TCP, Sockets.TCP_NODELAY, 1);
        int seconds = keepAliveSeconds(times);
        if (seconds > 0) {
            Sockets.setOption(fd, Sockets.SOL_SOCKET, Sockets.SO_KEEPALIVE, 1);
            Sockets.setOption(fd, Sockets.IPPROTO_TCP, Sockets.TCP_KEEPIDLE, seconds);
            Sockets.setOption(fd, Sockets.IPPROTO_TCP, Sockets.TCP_KEEPINTVL, Math.max(1, seconds / 4));
        }
        if (times.user().isPositive()) {
            Sockets.setOption(fd, Sockets.IPPROTO_TCP, Sockets.TCP_USER_TIMEOUT, userMillis(times));
        }
    }

    /** A listener, of whose sockets others may have been accepted before, with other times. */
    static void listener(int fd, Timeouts times) {
        if (keepAliveSeconds(times) == 0) {
            Sockets.setOption(fd, Sockets.SOL_SOCKET, Sockets.SO_KEEPALIVE, 0);
        }
        if (times.user().isZero()) {
            Sockets.setOption(fd, Sockets.IPPROTO_TCP, Sockets.TCP_USER_TIMEOUT, 0);
        }
        connection(fd, times);
    }

    private static int keepAliveSeconds(Timeouts times) {
        return (int) Math.min(LONGEST_KEEPALIVE, Math.ceilDiv(times.keepAlive().toMillis(), 1000));
    }

    private static int userMillis(Timeouts times) {
        return Math.clamp(times.user().toMillis(), 1, Integer.MAX_VALUE);
    }
}
