package dev.sluice.cli;

/** The ways of moving footage that are shown and compared. */
enum Recipe {
    RELAY("socket to socket", true, true, false),
    RECORD("socket to socket and file", true, true, true),
    RECEIVE("socket to file", true, false, true),
    /** Sends the file that one of the others has written. */
    SEND("file to socket", false, true, false);

    private final String words;
    private final boolean filmed;
    private final boolean viewed;
    private final boolean recorded;

    Recipe(String words, boolean filmed, boolean viewed, boolean recorded) {
        this.words = words;
        this.filmed = filmed;
        this.viewed = viewed;
        this.recorded = recorded;
    }

    String words() {
        return words;
    }

    /** Whether the camera is the source; else the file is. */
    boolean filmed() {
        return filmed;
    }

    /** Whether the viewer is the sink; else the file is. */
    boolean viewed() {
        return viewed;
    }

    /** Whether the file is written. */
    boolean recorded() {
        return recorded;
    }
}
