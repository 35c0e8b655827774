package dev.sluice.io;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.Objects;

/**
 * Where a stream goes to or comes from: {@code host:port}, {@code :port}, {@code [v6]:port}, {@code tcp:host:port},
 * {@code unix:/path}, {@code unix:@abstract} or {@code fd:N}. {@code toString} gives the canonical form, which
 * {@link #parse} accepts.
 */
public sealed interface Endpoint {

    /**
     * A TCP endpoint.
     *
     * @param host a name or an IP address; empty means every address of this machine to a listener, and the loopback
     *     address to a connection
     * @param port 0 lets the kernel choose a free port for a listener
     */
    record Tcp(String host, int port) implements Endpoint {
        public Tcp {
            Objects.requireNonNull(host, "host");
            if (port < 0 || port > 65535) {
                throw new IllegalArgumentException("port " + port + " is not between 0 and 65535");
            }
        }

        @Override
        public String toString() {
            return "tcp:" + (host.indexOf(':') >= 0 ? "[" + host + "]" : host) + ":" + port;
        }
    }

    /**
     * A Unix stream socket with a place in the file system.
     *
     * @param path at most 107 bytes in UTF-8; empty for an unnamed peer
     */
    record Unix(String path) implements Endpoint {
        public Unix {
            Objects.requireNonNull(path, "path");
        }

        @Override
        public String toString() {
            return "unix:" + path;
        }
    }

    /**
     * A Unix stream socket in Linux's abstract name space, see unix(7).
     *
     * @param name without the leading zero byte, at most 107 bytes in UTF-8
     */
    record Abstract(String name) implements Endpoint {
        public Abstract {
            Objects.requireNonNull(name, "name");
        }

        @Override
        public String toString() {
            return "unix:@" + name;
        }
    }

    /**
     * A descriptor that this process inherited.
     *
     * @param number the descriptor's number
     */
    record Inherited(int number) implements Endpoint {
        public Inherited {
            if (number < 0) {
                throw new IllegalArgumentException("descriptor " + number + " is negative");
            }
        }

        @Override
        public String toString() {
            return "fd:" + number;
        }
    }

    /**
     * Reads an address in one of the forms above.
     *
     * @throws IllegalArgumentException in one line, if it is none of them
     */
    static Endpoint parse(String text) {
        if (text.codePoints().anyMatch(Character::isISOControl)) {
            throw malformed(text, "it has control characters");
        }
        if (text.startsWith("unix:@")) {
            return new Abstract(nonEmpty(text, text.substring("unix:@".length()), "name"));
        }
        if (text.startsWith("unix:")) {
            return new Unix(nonEmpty(text, text.substring("unix:".length()), "path"));
        }
        if (text.startsWith("fd:")) {
            return new Inherited(number(text, text.substring("fd:".length()), Integer.MAX_VALUE, "descriptor"));
        }
        return tcp(text, text.startsWith("tcp:") ? text.substring("tcp:".length()) : text);
    }

    /** The endpoint of a JDK address; a host name stays unresolved. */
    static Endpoint of(SocketAddress address) {
        return switch (address) {
            case InetSocketAddress inet
            when inet.getAddress() != null -> new Tcp(inet.getAddress().getHostAddress(), inet.getPort());
            case InetSocketAddress inet -> new Tcp(inet.getHostString(), inet.getPort());
            case UnixDomainSocketAddress unix -> new Unix(unix.getPath().toString());
            default -> throw new IllegalArgumentException("neither a TCP nor a Unix address: " + address);
        };
    }

    /** A TCP endpoint of an address and a port. */
    static Tcp of(InetAddress address, int port) {
        return new Tcp(address.getHostAddress(), port);
    }

    private static Tcp tcp(String text, String rest) {
        int colon = rest.lastIndexOf(':');
        if (colon < 0) {
            throw malformed(text, "no port; write host:port, unix:/path, unix:@name or fd:N");
        }
        String host = rest.substring(0, colon);
        if (host.startsWith("[")) {
            if (host.indexOf(']') < 0 && rest.endsWith("]")) {
                throw malformed(text, "no port; write [v6]:port");
            }
            if (!host.endsWith("]")) {
                throw malformed(text, "the bracket of the IPv6 address is not closed");
            }
            host = host.substring(1, host.length() - 1);
            if (host.indexOf(':') < 0) {
                throw malformed(text, "brackets are for IPv6 addresses");
            }
        } else if (host.indexOf(':') >= 0) {
            throw malformed(text, "write an IPv6 address in brackets, [" + host + "]:port");
        }
        if (host.indexOf('/') >= 0 || host.indexOf(' ') >= 0) {
            throw malformed(text, "'" + host + "' is not a host name");
        }
        return new Tcp(host, number(text, rest.substring(colon + 1), 65535, "port"));
    }

    private static String nonEmpty(String text, String part, String what) {
        if (part.isEmpty() || part.indexOf('\0') >= 0) {
            throw malformed(text, "the " + what + " is empty or has a zero byte");
        }
        if (part.getBytes(StandardCharsets.UTF_8).length > 107) {
            throw malformed(text, "the " + what + " of a Unix socket is at most 107 bytes long");
        }
        return part;
    }

    private static int number(String text, String digits, int max, String what) {
        if (!digits.isEmpty() && digits.length() <= 10 && digits.chars().allMatch(c -> c >= '0' && c <= '9')) {
            long value = Long.parseLong(digits);
            if (value <= max) {
                return (int) value;
            }
        }
        throw malformed(text, "the " + what + " '" + digits + "' is not a number from 0 to " + max);
    }

    private static IllegalArgumentException malformed(String text, String why) {
        return new IllegalArgumentException("bad address '" + oneLine(text) + "': " + oneLine(why));
    }

    private static String oneLine(String text) {
        return text.replaceAll("[\\p{Cntrl}\\x{80}-\\x{9f}\\x{2028}\\x{2029}]", "?");
    }
}
