package dev.sluice.internal.fd;

import dev.sluice.internal.linux.Files;
import dev.sluice.internal.linux.Sockets;
import java.io.IOException;
import java.net.SocketOption;
import java.net.StandardSocketOptions;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.util.Collections;
import java.util.Map;
import java.util.WeakHashMap;
import java.util.function.IntUnaryOperator;

/**
 * Finds the descriptor of a JDK socket by a mark: an option that matters little is changed through the channel, and the
 * numbers are asked for it. The one that follows a second change, too, is the channel's, whatever its names, its network
 * namespace or its peer; so no number has to be asked twice, and not all of them.
 *
 * <p>Options take none of the channel's locks that a reader or writer holds, and its mode stays what it is: the user's
 * threads notice nothing.
 */
final class MarkedSocket {
    /** So many numbers are asked: among more, the selector is the cheaper way. */
    private static final int TRIES = 256;

    private static final int FIRST = 113;
    private static final int SECOND = 87;

    /** Where a channel was found: asked first the next time, and believed no more than others. */
    private static final Map<SocketChannel, Integer> NUMBERS = Collections.synchronizedMap(new WeakHashMap<>());

    private final SocketChannel channel;
    private final SocketOption<Integer> option;

    /** What a descriptor says of the option, or anything else if it has none. */
    private final IntUnaryOperator asked;

    private MarkedSocket(SocketChannel channel, SocketOption<Integer> option, IntUnaryOperator asked) {
        this.channel = channel;
        this.option = option;
        this.asked = asked;
    }

    /** A duplicate, close-on-exec, or −1 if the channel was not found by this way. */
    static int duplicate(SocketChannel channel) throws IOException {
        MarkedSocket socket = of(channel);
        return socket == null ? -1 : socket.find();
    }

    /** Remembers a number that was found in another way. */
    static void remember(SocketChannel channel, int fd) {
        NUMBERS.put(channel, fd);
    }

    private static MarkedSocket of(SocketChannel channel) throws IOException {
        if (channel.getRemoteAddress() instanceof UnixDomainSocketAddress) {
            // The close of a Unix socket waits for nothing, whatever it is told.
            return new MarkedSocket(channel, StandardSocketOptions.SO_LINGER, Sockets::linger);
        }
        // How many keepalive probes go unanswered: it would have to be the moment of the last one. From module jdk.net.
        for (SocketOption<?> option : channel.supportedOptions()) {
            if (option.name().equals("TCP_KEEPCOUNT")) {
                @SuppressWarnings("unchecked")
                SocketOption<Integer> count = (SocketOption<Integer>) option;
                return new MarkedSocket(
                        channel, count, fd -> Sockets.option(fd, Sockets.IPPROTO_TCP, Sockets.TCP_KEEPCNT));
            }
        }
        return null;
    }

    private int find() throws IOException {
        // One at a time, so that marks are not taken for each other.
        synchronized (MarkedSocket.class) {
            int before = channel.getOption(option);
            int first = before == FIRST ? FIRST + 1 : FIRST;
            int second = before == SECOND ? SECOND + 1 : SECOND;
            try {
                return search(first, second);
            } finally {
                restore(before, first, second);
            }
        }
    }

    private void restore(int before, int first, int second) {
        try {
            int now = channel.getOption(option);
            // Anything else is what the user has set meanwhile.
            if (now == first || now == second) {
                channel.setOption(option, before);
            }
        } catch (IOException e) {
            // Closed.
        }
    }

    private int search(int first, int second) throws IOException {
        channel.setOption(option, first);
        Integer known = NUMBERS.get(channel);
        int start = known == null ? lowestFree() : known + 1;
        for (int i = 0; i < TRIES; i++) {
            // Numbers are given lowest first, so a new channel's is below the lowest free one, and often the next.
            int fd = i < start ? start - 1 - i : i;
            if (asked.applyAsInt(fd) == first) {
                int duplicate = proven(fd, second);
                if (duplicate >= 0) {
                    NUMBERS.put(channel, fd);
                    return duplicate;
                }
                channel.setOption(option, first);
            }
        }
        return -1;
    }

    private int proven(int fd, int second) throws IOException {
        int duplicate = Files.duplicate(fd);
        if (duplicate >= 0) {
            boolean follows = false;
            try {
                channel.setOption(option, second);
                follows = asked.applyAsInt(duplicate) == second;
            } finally {
                if (!follows) {
                    Files.close(duplicate);
                }
            }
            return follows ? duplicate : -1;
        }
        return -1;
    }

    private static int lowestFree() {
        int free = Files.duplicate(0);
        if (free < 0) {
            return 0;
        }
        Files.close(free);
        return free;
    }
}
