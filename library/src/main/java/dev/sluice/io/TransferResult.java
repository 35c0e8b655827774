package dev.sluice.io;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * What a transfer did.
 *
 * @param bytes how many bytes the sink accepted
 * @param route the way that most of them went
 * @param reason why that way, in words for a log
 * @param byRoute how many bytes went which way; routes that moved none are absent
 * @param duration from the start of the transfer to its end
 * @param mirrors one result per mirror, in the order they were added
 */
public record TransferResult(
        long bytes,
        Route route,
        String reason,
        Map<Route, Long> byRoute,
        Duration duration,
        List<MirrorResult> mirrors) {
    public TransferResult {
        Objects.requireNonNull(route, "route");
        Objects.requireNonNull(reason, "reason");
        Objects.requireNonNull(duration, "duration");
        byRoute = Map.copyOf(byRoute);
        mirrors = List.copyOf(mirrors);
    }
}
