package dev.sluice.cli;

import dev.sluice.io.Endpoint;

/** Where to listen, before it is known which sockets systemd has passed on. */
sealed interface Listen {

    /** An address, or a descriptor by its number. */
    record Address(Endpoint endpoint) implements Listen {}

    /** The sockets that were passed on under a name, {@code FileDescriptorName=}; all of them if the name is empty. */
    record Passed(String name) implements Listen {}

    /** {@code systemd}, {@code fd:NAME}, or an address. */
    static Listen parse(String text) {
        if (text.equals("systemd")) {
            return new Passed("");
        }
        if (text.startsWith("fd:") && text.length() > 3 && !Character.isDigit(text.charAt(3))) {
            return new Passed(text.substring("fd:".length()));
        }
        return new Address(Units.endpoint(text));
    }
}
