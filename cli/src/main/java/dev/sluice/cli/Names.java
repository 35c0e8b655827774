package dev.sluice.cli;

import java.security.Security;

/** How long the JDK keeps what name servers have said. */
final class Names {
    private Names() {}

    /**
     * The relay knows how old an answer is, and how old it may be; what the JDK keeps beside it, half a minute, only makes
     * answers older. To be called before the first lookup; what somebody has set stays.
     */
    static void heedTheRelay() {
        unlessSet("networkaddress.cache.ttl", "sun.net.inetaddr.ttl", null, "0");
        unlessSet("networkaddress.cache.negative.ttl", "sun.net.inetaddr.negative.ttl", "10", "1");
    }

    private static void unlessSet(String security, String system, String usual, String ours) {
        String set = Security.getProperty(security);
        if ((set == null || set.equals(usual)) && System.getProperty(system) == null) {
            Security.setProperty(security, ours);
        }
    }
}
