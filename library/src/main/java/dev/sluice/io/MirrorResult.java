package dev.sluice.io;

import java.util.Objects;
import java.util.Optional;

/**
 * What became of one mirror.
 *
 * @param name the address or path of the mirror
 * @param bytes how many bytes it accepted
 * @param route the way they went from the pipe into the mirror
 * @param reason why that way
 * @param gaps how many gaps a recording has that was told to leave them rather than to hold the stream up
 * @param missed how many bytes are missing in these
 * @param failure what detached the mirror before the end of the stream, if anything did
 */
public record MirrorResult(
        String name,
        long bytes,
        Route route,
        String reason,
        long gaps,
        long missed,
        Optional<SluiceException> failure) {
    public MirrorResult {
        Objects.requireNonNull(name, "name");
        Objects.requireNonNull(route, "route");
        Objects.requireNonNull(reason, "reason");
        Objects.requireNonNull(failure, "failure");
    }
}
