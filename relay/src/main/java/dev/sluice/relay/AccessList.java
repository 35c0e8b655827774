package dev.sluice.relay;

import dev.sluice.io.Endpoint;
import java.net.InetAddress;
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
final class AccessList {

    /** Without rules. */
    static final AccessList OPEN = new AccessList(List.of());

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

    AccessList(List<Rule> rules) {
        this.rules = rules.toArray(Rule[]::new);
        this.otherwise = rules.stream().noneMatch(Rule::allow);
    }

    /** The rules in their order. */
    List<Rule> rules() {
        return List.of(rules);
    }

    boolean allows(Endpoint endpoint) {
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
}
