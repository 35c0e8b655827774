package dev.sluice.relay;

import dev.sluice.io.Endpoint;
import java.net.InetAddress;

/**
 * A block of IP addresses (CIDR, RFC 4632). A mapped IPv4 address, {@code ::ffff:a.b.c.d}, is that IPv4 address: it is in
 * ranges of IPv4, and in none of IPv6, not even in {@code ::/0}.
 *
 * @param network the first address; none of its bits is set behind the prefix
 * @param prefix how many bits all addresses share: 0 to 32 for IPv4, 0 to 128 for IPv6
 */
record AddressRange(IpAddress network, int prefix) {
    private static final int MAPPED_PREFIX = 96;

    /** @throws IllegalArgumentException in one line, if there are such bits or the prefix has another size */
    AddressRange {
        int max = network.isV4() ? 32 : 128;
        if (prefix < 0 || prefix > max) {
            throw new IllegalArgumentException("the prefix " + prefix + " is not a number from 0 to " + max);
        }
        IpAddress first = first(network, prefix);
        if (!first.equals(network)) {
            throw new IllegalArgumentException("there are bits behind the prefix, write " + first + "/" + prefix);
        }
    }

    /**
     * Reads {@code 10.0.0.0/8}, {@code 2001:db8::/32}, or a single address.
     *
     * @throws IllegalArgumentException in one line, if it is neither, or has bits behind the prefix
     */
    static AddressRange parse(String text) {
        int slash = text.indexOf('/');
        IpAddress network = IpAddress.parse(slash < 0 ? text : text.substring(0, slash));
        if (network == null) {
            throw malformed(text, "write 10.0.0.0/8, 2001:db8::/32 or a single address");
        }
        // ::ffff:10.0.0.0/104 is 10.0.0.0/8
        boolean mapped = network.isV4() && text.indexOf(':') >= 0;
        int max = network.isV4() && !mapped ? 32 : 128;
        String digits = slash < 0 ? Integer.toString(max) : text.substring(slash + 1);
        boolean number = digits.length() <= 3 && digits.matches("0|[1-9][0-9]*");
        int prefix = number ? Integer.parseInt(digits) : -1;
        if (prefix < (mapped ? MAPPED_PREFIX : 0) || prefix > max) {
            throw malformed(text, "the prefix is not a number from " + (mapped ? MAPPED_PREFIX : 0) + " to " + max);
        }
        try {
            return new AddressRange(network, mapped ? prefix - MAPPED_PREFIX : prefix);
        } catch (IllegalArgumentException e) {
            throw malformed(text, e.getMessage());
        }
    }

    boolean contains(InetAddress address) {
        return contains(IpAddress.of(address));
    }

    /** An endpoint without an IP address is in no range. */
    boolean contains(Endpoint endpoint) {
        IpAddress address = IpAddress.of(endpoint);
        return address != null && contains(address);
    }

    boolean contains(IpAddress address) {
        return contains(address.high(), address.low());
    }

    /** @see IpAddress#high(byte[]) */
    boolean contains(long high, long low) {
        boolean v4 = network.isV4();
        int bits = v4 ? MAPPED_PREFIX + prefix : prefix;
        return v4 == IpAddress.isV4(high, low)
                && ((high ^ network.high()) & mask(bits)) == 0
                && ((low ^ network.low()) & mask(bits - 64)) == 0;
    }

    private static IpAddress first(IpAddress address, int prefix) {
        int bits = address.isV4() ? MAPPED_PREFIX + prefix : prefix;
        return new IpAddress(address.high() & mask(bits), address.low() & mask(bits - 64));
    }

    /** That many bits from the left, of 64. */
    private static long mask(int bits) {
        return bits <= 0 ? 0 : bits >= 64 ? -1 : -1L << 64 - bits;
    }

    /** In the form that {@link #parse} takes. */
    @Override
    public String toString() {
        return network + "/" + prefix;
    }

    private static IllegalArgumentException malformed(String text, String why) {
        String shown = text.length() > 64 ? text.substring(0, 64) + "..." : text;
        return new IllegalArgumentException(
                "bad address range '" + shown.replaceAll("[^\\x20-\\x7e]", "?") + "': " + why);
    }
}
