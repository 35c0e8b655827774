package dev.sluice.cli;

import dev.sluice.io.Endpoint;

/** What goes where: asked-for output to stdout, everything else, one line at a time, to stderr. */
final class Console {
    private Console() {}

    /** Tells the user. */
    static void say(String line) {
        System.err.println("sluice: " + line);
    }

    /** One line of asked-for output. */
    static void print(String line) {
        System.out.println(line);
        System.out.flush();
    }

    /** The line that scripts wait for and take the port from. */
    static void announce(Endpoint listening) {
        print("listening " + listening);
    }

    /** Whether somebody looks on, for whom a progress bar is worth while. */
    static boolean isTerminal() {
        return System.console() != null && System.console().isTerminal();
    }
}
