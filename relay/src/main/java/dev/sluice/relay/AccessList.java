package dev.sluice.relay;

import dev.sluice.io.Endpoint;
import java.net.InetAddress;
import java.util.Arrays;
import java.util.List;

/**
 * Who may connect: rules in order, the first one whose range has the address decides. An address in no range is allowed if
 * all rules deny, as what is not wanted was named, and denied if there is one that allows, as what is wanted was named.
 * Without rules everybody is allowed.
 *
 * <p>A peer without an IP address, of a Unix socket, is in no range.
 *
 * <p>A check takes time in proportion to the number of rules; one of raw bytes allocates nothing. May be used by several
 * threads.
 */
public final class AccessList {

    /** Without rules. */
    public static final AccessList OPEN = new AccessList(List.of());

    private final Rule[] rules;
    private final boolean otherwise;

    /** @param allow or deny */
    record Rule(boolean allow, AddressRange range) {
        /**
         * Reads {@code allow RANGE} or {@code deny RANGE}.
         *
         * @throws IllegalArgumentException in one line, if it is something else
         */
        static Rule parse(String text) {
            if (text.startsWith("allow ")) {
                return new Rule(true, AddressRange.parse(text.substring("allow ".length())));
            }
            if (text.startsWith("deny ")) {
                return new Rule(false, AddressRange.parse(text.substring("deny ".length())));
            }
            throw new IllegalArgumentException("bad access rule: write 'allow RANGE' or 'deny RANGE'");
        }

        @Override
        public String toString() {
            return (allow ? "allow " : "deny ") + range;
        }
    }

    /**
     * Reads rules, {@code allow 10.0.0.0/8} or {@code deny 2001:db8::1}, in their order.
     *
     * @throws IllegalArgumentException in one line, if one of them is something else
     */
    public static AccessList of(List<String> rules) {
        return new AccessList(rules.stream().map(Rule::parse).toList());
    }

    /** {@link #of(List)}. */
    public static AccessList of(String... rules) {
        return of(List.of(rules));
    }

    AccessList(List<Rule> rules) {
        this.rules = rules.toArray(Rule[]::new);
        this.otherwise = rules.stream().noneMatch(Rule::allow);
    }

    /** The rules in their order. */
    List<Rule> rules() {
        return List.of(rules);
    }

    /** Whether a peer with this address may connect. */
    public boolean allows(Endpoint endpoint) {
        IpAddress address = IpAddress.of(endpoint);
        return address == null ? otherwise : allows(address);
    }

    boolean allows(InetAddress address) {
        return allows(IpAddress.of(address));
    }

    boolean allows(IpAddress address) {
        return allows(address.high(), address.low());
    }

    /** @param address 4 or 16 bytes in network order */
    boolean allows(byte[] address) {
        return allows(IpAddress.high(address), IpAddress.low(address));
    }

    private boolean allows(long high, long low) {
        for (Rule rule : rules) {
            if (rule.range().contains(high, low)) {
                return rule.allow();
            }
        }
        return otherwise;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof AccessList list && Arrays.equals(rules, list.rules);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(rules);
    }

    /** The rules, in a form that {@link #of} takes one by one. */
    @Override
    public String toString() {
        return rules().toString();
    }
}
