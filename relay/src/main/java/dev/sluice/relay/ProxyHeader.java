package dev.sluice.relay;

import dev.sluice.io.Endpoint;
import dev.sluice.relay.Peeked.Found;
import dev.sluice.relay.Peeked.More;
import dev.sluice.relay.Peeked.Rejected;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.zip.CRC32C;

/**
 * The addresses of a connection as a proxy in front of this one saw them, by HAProxy's <a
 * href="https://www.haproxy.org/download/2.6/doc/proxy-protocol.txt">PROXY protocol</a>, versions 1 and 2.
 *
 * <p>Whoever can send such a header chooses the address that it is taken for: believe it only from peers that are trusted,
 * and never guess whether there is one.
 *
 * <p>An IPv6 address that is a mapped IPv4 address reads as that IPv4 address.
 *
 * @param source the client; null in {@link #NONE}
 * @param destination what the client connected to; null in {@link #NONE}
 */
record ProxyHeader(Endpoint source, Endpoint destination) {

    /**
     * The header names no addresses: {@code UNKNOWN}, {@code LOCAL}, {@code UNSPEC}, or a datagram protocol. Those of the
     * connection itself hold.
     */
    static final ProxyHeader NONE = new ProxyHeader(null, null);

    /** The longest header that {@link #parse} takes, in bytes, and so the most that a caller has to hold. */
    static final int MAX_LENGTH = 4096;

    private static final int MAX_V1 = 107;
    private static final String V1 = "PROXY ";
    private static final String UNKNOWN = "UNKNOWN";
    private static final int MIN_V1 = (V1 + UNKNOWN + "\r\n").length();

    private static final byte[] V2 = {'\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q', 'U', 'I', 'T', '\n'};
    private static final int V2_FIXED = V2.length + 4;
    private static final int LOCAL = 0x20;
    private static final int PROXY = 0x21;
    private static final int INET = 1;
    private static final int INET6 = 2;
    private static final int UNIX = 3;
    private static final int STREAM = 1;
    private static final int DATAGRAM = 2;

    /** What sockaddr_un has room for, see unix(7). */
    private static final int UNIX_PATH = 108;

    private static final int TLV_CRC32C = 3;

    ProxyHeader {
        if ((source == null) != (destination == null)) {
            throw new NullPointerException("a header has both addresses or none");
        }
    }

    /** Whether the header names no addresses. */
    boolean isNone() {
        return source == null;
    }

    /**
     * Reads the header at the start of a stream, of either version. Takes time in proportion to its length.
     *
     * @param peeked from its position to its limit; it stays as it is
     */
    static Peeked<ProxyHeader> parse(ByteBuffer peeked) {
        ByteBuffer bytes = peeked.slice();
        if (!bytes.hasRemaining()) {
            return new More<>(MIN_V1);
        }
        return bytes.get(0) == V1.charAt(0) ? parseV1(bytes) : parseV2(bytes);
    }

    private static Peeked<ProxyHeader> parseV1(ByteBuffer bytes) {
        for (int i = 0; i < bytes.limit() && i < V1.length(); i++) {
            if (bytes.get(i) != V1.charAt(i)) {
                return notAHeader();
            }
        }
        for (int i = V1.length(); i < bytes.limit(); i++) {
            byte b = bytes.get(i);
            if (i == MAX_V1 - 1 && b != '\n' || i == MAX_V1 - 2 && b != '\r' && b != '\n') {
                return rejected("the line of version 1 does not end within " + MAX_V1 + " bytes");
            } else if (b == '\n' ? bytes.get(i - 1) != '\r' : bytes.get(i - 1) == '\r') {
                return rejected("the line of version 1 has a CR or LF that is not part of a CRLF");
            } else if (b == '\n') {
                byte[] line = new byte[i - 1];
                bytes.get(0, line);
                return parseLine(new String(line, StandardCharsets.US_ASCII), i + 1);
            } else if ((b < ' ' || b > '~') && b != '\r') {
                return rejected("the line of version 1 has a byte that is not printable ASCII");
            }
        }
        int end = bytes.get(bytes.limit() - 1) == '\r' ? 1 : 2;
        return new More<>(Math.max(end, MIN_V1 - bytes.limit()));
    }

    private static Peeked<ProxyHeader> parseLine(String line, int length) {
        String[] fields = line.split(" ", -1);
        if (fields[1].equals(UNKNOWN)) {
            return new Found<>(length, NONE);
        }
        boolean v4 = fields[1].equals("TCP4");
        if (!v4 && !fields[1].equals("TCP6")) {
            return rejected("the protocol of version 1 is not TCP4, TCP6 or UNKNOWN");
        }
        if (fields.length != 6) {
            return rejected("the line of version 1 does not have six fields with one space between them");
        }
        IpAddress source = parseAddress(fields[2], v4);
        IpAddress destination = parseAddress(fields[3], v4);
        if (source == null || destination == null) {
            return rejected("the " + (source == null ? "source" : "destination") + " is not an IPv" + (v4 ? 4 : 6)
                    + " address");
        }
        int sourcePort = parsePort(fields[4]);
        int destinationPort = parsePort(fields[5]);
        if (sourcePort < 0 || destinationPort < 0) {
            return rejected("the port of the " + (sourcePort < 0 ? "source" : "destination")
                    + " is not a number from 0 to 65535 without leading zeros");
        }
        return new Found<>(length, new ProxyHeader(tcp(source, sourcePort), tcp(destination, destinationPort)));
    }

    private static IpAddress parseAddress(String text, boolean v4) {
        return v4 == (text.indexOf(':') < 0) ? IpAddress.parse(text) : null;
    }

    private static int parsePort(String digits) {
        if (digits.isEmpty() || digits.length() > 5 || digits.length() > 1 && digits.charAt(0) == '0') {
            return -1;
        }
        int port = 0;
        for (int i = 0; i < digits.length(); i++) {
            int digit = digits.charAt(i) - '0';
            if (digit < 0 || digit > 9) {
                return -1;
            }
            port = port * 10 + digit;
        }
        return port <= 65535 ? port : -1;
    }

    private static Peeked<ProxyHeader> parseV2(ByteBuffer bytes) {
        int had = bytes.limit();
        int mismatch = bytes.mismatch(ByteBuffer.wrap(V2));
        if (mismatch >= 0 && mismatch < Math.min(had, V2.length)) {
            return notAHeader();
        }
        if (had > 12 && bytes.get(12) != LOCAL && bytes.get(12) != PROXY) {
            return rejected("version and command are not those of version 2, LOCAL or PROXY");
        }
        boolean local = had > 12 && bytes.get(12) == LOCAL;
        int family = had > 13 ? bytes.get(13) >> 4 & 0xf : 0;
        int protocol = had > 13 ? bytes.get(13) & 0xf : 0;
        if (!local && (family > UNIX || protocol > DATAGRAM)) {
            return rejected("version 2 does not know the address family or protocol");
        }
        if (had < V2_FIXED) {
            return new More<>(V2_FIXED - had);
        }
        int length = V2_FIXED + (bytes.getShort(14) & 0xffff);
        if (length > MAX_LENGTH) {
            return rejected("the header is " + length + " bytes long, more than " + MAX_LENGTH);
        }
        boolean skipped = local || family == 0 || protocol == 0;
        int addresses = V2_FIXED + (family == INET ? 12 : family == INET6 ? 36 : 2 * UNIX_PATH);
        if (!skipped && length < addresses) {
            return rejected("the header is shorter than the addresses of its family");
        }
        if (had < length) {
            return new More<>(length - had);
        }
        if (skipped) {
            return new Found<>(length, NONE);
        }
        String problem = checkTlvs(bytes.slice(0, length), addresses);
        if (problem != null) {
            return rejected(problem);
        }
        if (protocol != STREAM) {
            return new Found<>(length, NONE);
        }
        return family == UNIX
                ? parseUnix(bytes, length)
                : new Found<>(length, parseInet(bytes, family == INET ? 4 : 16));
    }

    private static ProxyHeader parseInet(ByteBuffer bytes, int width) {
        byte[] source = new byte[width];
        byte[] destination = new byte[width];
        bytes.get(V2_FIXED, source).get(V2_FIXED + width, destination);
        int ports = V2_FIXED + 2 * width;
        return new ProxyHeader(
                tcp(IpAddress.of(source), bytes.getShort(ports) & 0xffff),
                tcp(IpAddress.of(destination), bytes.getShort(ports + 2) & 0xffff));
    }

    private static Peeked<ProxyHeader> parseUnix(ByteBuffer bytes, int length) {
        Endpoint source = unix(bytes, V2_FIXED);
        Endpoint destination = unix(bytes, V2_FIXED + UNIX_PATH);
        if (source == null || destination == null) {
            return rejected("the name of the " + (source == null ? "source" : "destination")
                    + " is not one of a Unix socket: UTF-8 without control characters, at most 107 bytes");
        }
        return new Found<>(length, new ProxyHeader(source, destination));
    }

    /** A path ends at its first zero, and what a sender's buffer held behind it is no matter; a name at its last. */
    private static Endpoint unix(ByteBuffer bytes, int at) {
        byte[] raw = new byte[UNIX_PATH];
        bytes.get(at, raw);
        boolean isAbstract = raw[0] == 0;
        int start = isAbstract ? 1 : 0;
        int end = isAbstract ? UNIX_PATH : 0;
        while (isAbstract ? end > start && raw[end - 1] == 0 : end < UNIX_PATH && raw[end] != 0) {
            end += isAbstract ? -1 : 1;
        }
        String name;
        try {
            name = StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(raw, start, end - start))
                    .toString();
        } catch (CharacterCodingException e) {
            return null;
        }
        if (end - start == UNIX_PATH || name.chars().anyMatch(Character::isISOControl)) {
            return null;
        }
        return isAbstract && !name.isEmpty() ? new Endpoint.Abstract(name) : new Endpoint.Unix(name);
    }

    /** Walks over the vectors of type, length and value behind the addresses, whose only one of interest is a checksum. */
    private static String checkTlvs(ByteBuffer header, int from) {
        int checksum = -1;
        int at = from;
        while (at < header.limit()) {
            int left = header.limit() - at - 3;
            int length = left < 0 ? 0 : header.getShort(at + 1) & 0xffff;
            if (left < length) {
                return "a vector of type, length and value is longer than the header";
            }
            if (header.get(at) == TLV_CRC32C) {
                if (length != 4 || checksum >= 0) {
                    return "the checksum is not of 4 bytes, or there are two";
                }
                checksum = at + 3;
            }
            at += 3 + length;
        }
        if (checksum >= 0 && header.getInt(checksum) != crc32c(header, checksum)) {
            return "the checksum is wrong";
        }
        return null;
    }

    /** Of the whole header, with zeros in the checksum's own place. */
    private static int crc32c(ByteBuffer header, int checksum) {
        CRC32C crc = new CRC32C();
        crc.update(header.slice(0, checksum));
        crc.update(new byte[4]);
        crc.update(header.slice(checksum + 4, header.limit() - checksum - 4));
        return (int) crc.getValue();
    }

    /**
     * The header in version 1. Addresses of both IP versions are written as IPv6, zones are left out. {@code UNKNOWN} for
     * {@link #NONE}, for Unix sockets, and for names that are no addresses.
     */
    byte[] version1() {
        IpAddress from = address(source);
        IpAddress to = address(destination);
        String line = UNKNOWN;
        if (from != null && to != null) {
            boolean v4 = from.isV4() && to.isV4();
            line = String.join(
                    " ",
                    v4 ? "TCP4" : "TCP6",
                    v4 ? from.toString() : from.groups(),
                    v4 ? to.toString() : to.groups(),
                    Integer.toString(port(source)),
                    Integer.toString(port(destination)));
        }
        return (V1 + line + "\r\n").getBytes(StandardCharsets.US_ASCII);
    }

    /**
     * The header in version 2, without vectors of type, length and value. Addresses of both IP versions are written as
     * IPv6, zones are left out. {@code LOCAL} for {@link #NONE}, for a TCP and a Unix socket together, for names that are
     * no addresses, and for paths that are too long: receivers have to accept it, other than {@code UNSPEC}. Two Unix
     * sockets are written as such, which not every receiver takes: HAProxy 2.6 resets the connection.
     */
    byte[] version2() {
        IpAddress from = address(source);
        IpAddress to = address(destination);
        if (from != null && to != null) {
            boolean v4 = from.isV4() && to.isV4();
            ByteBuffer bytes = version2(PROXY, v4 ? INET : INET6, v4 ? 12 : 36);
            for (IpAddress address : new IpAddress[] {from, to}) {
                if (v4) {
                    bytes.putInt((int) address.low());
                } else {
                    bytes.putLong(address.high()).putLong(address.low());
                }
            }
            return bytes.putShort((short) port(source))
                    .putShort((short) port(destination))
                    .array();
        }
        byte[] fromPath = path(source);
        byte[] toPath = path(destination);
        if (fromPath != null && toPath != null) {
            return version2(PROXY, UNIX, 2 * UNIX_PATH)
                    .put(fromPath)
                    .put(toPath)
                    .array();
        }
        return version2(LOCAL, 0, 0).array();
    }

    private static ByteBuffer version2(int command, int family, int length) {
        return ByteBuffer.allocate(V2_FIXED + length)
                .put(V2)
                .put((byte) command)
                .put((byte) (family == 0 ? 0 : family << 4 | STREAM))
                .putShort((short) length);
    }

    private static Endpoint tcp(IpAddress address, int port) {
        return new Endpoint.Tcp(address.toString(), port);
    }

    private static IpAddress address(Endpoint endpoint) {
        return endpoint == null ? null : IpAddress.of(endpoint);
    }

    private static int port(Endpoint endpoint) {
        return ((Endpoint.Tcp) endpoint).port();
    }

    /** As it stands in sockaddr_un; null if it isn't one, or if there is no room. */
    private static byte[] path(Endpoint endpoint) {
        String text = switch (endpoint) {
            case Endpoint.Unix unix -> unix.path();
            case Endpoint.Abstract named -> "\0" + named.name();
            case null, default -> null;
        };
        if (text == null) {
            return null;
        }
        byte[] path = text.getBytes(StandardCharsets.UTF_8);
        int room = endpoint instanceof Endpoint.Unix ? UNIX_PATH - 1 : UNIX_PATH;
        return path.length <= room ? Arrays.copyOf(path, UNIX_PATH) : null;
    }

    private static Peeked<ProxyHeader> notAHeader() {
        return rejected("this is not a header of the PROXY protocol");
    }

    private static Peeked<ProxyHeader> rejected(String reason) {
        return new Rejected<>("bad PROXY header: " + reason);
    }
}
