package dev.sluice.relay;

/**
 * What the first bytes of a stream say, as far as they are there. The bytes stay where they are: a caller looks at them
 * with {@code MSG_PEEK} and takes away as many as belong to what was found. An answer depends on the bytes alone, not on
 * how they were cut into reads; once it is not {@link More}, more bytes do not change it.
 */
sealed interface Peeked<T> {

    /**
     * It isn't clear yet.
     *
     * @param bytes at least that many are missing, so a caller who can't peek may read up to that many and takes none too
     *     many; at least 1
     */
    record More<T>(int bytes) implements Peeked<T> {}

    /**
     * It is something else, or malformed.
     *
     * @param reason one line without anything that the sender could have chosen freely
     */
    record Rejected<T>(String reason) implements Peeked<T> {}

    /**
     * It is all there.
     *
     * @param length how many bytes it takes
     */
    record Found<T>(int length, T value) implements Peeked<T> {}
}
