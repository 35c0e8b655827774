package dev.sluice.relay;

import dev.sluice.io.Endpoint;
import java.net.InetAddress;

/**
 * An IP address as a number of 128 bits. An IPv4 address is the same as its mapped form {@code ::ffff:a.b.c.d} (RFC 4291,
 * section 2.5.5.2), which is how the peer of a dual stack socket shows.
 *
 * @param high the first 64 bits in network order
 * @param low the last 64 bits
 */
record IpAddress(long high, long low) {
    private static final long MAPPED = 0xffffL << 32;

    /** {@code ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255} */
    private static final int MAX_TEXT = 45;

    private static final int GROUPS = 8;

    static IpAddress v4(int bits) {
        return new IpAddress(0, MAPPED | bits & 0xffff_ffffL);
    }

    /**
     * Reads an address as it is written in full: four decimal numbers without leading zeros, or the forms of RFC 4291,
     * section 2.2. The older shorthands of IPv4 ({@code 127.1}, {@code 0x7f000001}) and zones ({@code %eth0}) are none.
     *
     * @return null if the text is not an address
     */
    static IpAddress parse(String text) {
        if (text.length() > MAX_TEXT) {
            return null;
        }
        if (text.indexOf(':') >= 0) {
            return parseV6(text);
        }
        long bits = parseV4(text, 0);
        return bits < 0 ? null : v4((int) bits);
    }

    /** @return null for an endpoint without an IP address: a name, or a Unix socket */
    static IpAddress of(Endpoint endpoint) {
        if (!(endpoint instanceof Endpoint.Tcp tcp)) {
            return null;
        }
        int zone = tcp.host().indexOf('%');
        return parse(zone < 0 ? tcp.host() : tcp.host().substring(0, zone));
    }

    static IpAddress of(InetAddress address) {
        return of(address.getAddress());
    }

    /** Of 4 or 16 bytes. */
    static IpAddress of(byte[] raw) {
        return new IpAddress(high(raw), low(raw));
    }

    /** The first 64 bits of an address of 4 or 16 bytes. */
    static long high(byte[] raw) {
        return length(raw) == 4 ? 0 : number(raw, 0, 8);
    }

    /** The last 64 bits of an address of 4 or 16 bytes. */
    static long low(byte[] raw) {
        return length(raw) == 4 ? MAPPED | number(raw, 0, 4) : number(raw, 8, 8);
    }

    static boolean isV4(long high, long low) {
        return high == 0 && low >>> 32 == MAPPED >>> 32;
    }

    boolean isV4() {
        return isV4(high, low);
    }

    /** The same text that the JDK prints for the address. */
    @Override
    public String toString() {
        StringBuilder text = new StringBuilder();
        if (isV4()) {
            for (int shift = 24; shift >= 0; shift -= 8) {
                text.append(low >>> shift & 0xff).append(shift > 0 ? "." : "");
            }
            return text.toString();
        }
        return groups();
    }

    /** As eight hexadecimal numbers, an IPv4 address too. */
    String groups() {
        StringBuilder text = new StringBuilder();
        for (int group = 0; group < GROUPS; group++) {
            long half = group < 4 ? high : low;
            text.append(group > 0 ? ":" : "").append(Long.toHexString(half >>> 48 - 16 * (group & 3) & 0xffff));
        }
        return text.toString();
    }

    private static int length(byte[] raw) {
        if (raw.length != 4 && raw.length != 16) {
            throw new IllegalArgumentException("an IP address has 4 or 16 bytes, not " + raw.length);
        }
        return raw.length;
    }

    private static long number(byte[] raw, int from, int length) {
        long number = 0;
        for (int i = from; i < from + length; i++) {
            number = number << 8 | raw[i] & 0xff;
        }
        return number;
    }

    /** Four decimal numbers from there to the end; -1 if it is something else. */
    private static long parseV4(String text, int from) {
        long bits = 0;
        int at = from;
        for (int part = 0; part < 4; part++) {
            if (part > 0 && (at >= text.length() || text.charAt(at++) != '.')) {
                return -1;
            }
            int start = at;
            int value = 0;
            while (at < text.length() && at < start + 3 && digit(text.charAt(at), 10) >= 0) {
                value = value * 10 + digit(text.charAt(at++), 10);
            }
            if (at == start || value > 255 || at > start + 1 && text.charAt(start) == '0') {
                return -1;
            }
            bits = bits << 8 | value;
        }
        return at == text.length() ? bits : -1;
    }

    private static IpAddress parseV6(String text) {
        IpAddress front = null;
        int inFront = 0;
        long high = 0;
        long low = 0;
        int groups = 0;
        int at = 0;
        if (text.startsWith("::")) {
            front = new IpAddress(0, 0);
            at = 2;
        }
        while (at < text.length()) {
            int start = at;
            int value = 0;
            while (at < text.length() && at < start + 4 && digit(text.charAt(at), 16) >= 0) {
                value = value << 4 | digit(text.charAt(at++), 16);
            }
            boolean dotted = at < text.length() && text.charAt(at) == '.';
            long last = dotted ? parseV4(text, start) : value;
            if (at == start || last < 0) {
                return null;
            }
            int width = dotted ? 32 : 16;
            high = high << width | low >>> 64 - width;
            low = low << width | last;
            groups += width / 16;
            if (dotted || at == text.length()) {
                break;
            }
            if (text.charAt(at++) != ':' || at == text.length()) {
                return null;
            }
            if (text.charAt(at) == ':') {
                if (front != null) {
                    return null;
                }
                front = new IpAddress(high, low);
                inFront = groups;
                high = 0;
                low = 0;
                at++;
            }
        }
        if (front == null) {
            return groups == GROUPS ? new IpAddress(high, low) : null;
        }
        if (groups >= GROUPS) {
            return null;
        }
        IpAddress moved = front.shifted(16 * (GROUPS - inFront));
        return new IpAddress(moved.high | high, moved.low | low);
    }

    /** To the left. */
    private IpAddress shifted(int by) {
        if (by >= 64) {
            return new IpAddress(by >= 128 ? 0 : low << by - 64, 0);
        }
        return new IpAddress(high << by | low >>> 64 - by, low << by);
    }

    /** As {@link Character#digit}, of ASCII only. */
    private static int digit(char c, int radix) {
        return c < 128 ? Character.digit(c, radix) : -1;
    }
}
