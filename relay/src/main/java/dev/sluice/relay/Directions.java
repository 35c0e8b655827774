package dev.sluice.relay;

import java.util.Locale;

/** Which of a connection's two streams are copied. */
public enum Directions {
    /** Each to a place of its own: nothing tells in a copy which of the two it is, but the name of a recording. */
    BOTH,
    /** What clients send. */
    TO_TARGET,
    /** What targets send. */
    TO_CLIENT;

    boolean have(Directions one) {
        return this == BOTH || this == one;
    }

    /** In names of files. */
    String word() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
}
