package dev.sluice.relay;

import dev.sluice.MirrorPolicy;
import dev.sluice.SlowMirror;
import dev.sluice.io.Endpoint;
import java.time.Duration;
import java.util.Objects;

/**
 * Copies streams to another target, each over a connection of its own; what that one answers is discarded. A copy ends with
 * FIN if the stream did, and is reset if it is not the whole stream (TCP; a Unix socket knows no reset). Immutable: each
 * method gives a choice that differs in one.
 *
 * @param targets one of them gets the copy; if none can be reached, there is none. {@link TargetGroup#onRemove} is of no
 *     account: a connection keeps its copy
 * @param directions {@link Directions#BOTH} makes two connections, which the target can't tell apart: give each direction a
 *     mirroring of its own for that
 * @param policy not with {@link SlowMirror#DROP}: only a recording can tell where bytes are missing
 * @param sample which part of the connections is copied
 * @param connectTimeout for how long connecting is tried at all, if the policy does not end it before
 */
public record MirrorTargets(
        TargetGroup targets, Directions directions, MirrorPolicy policy, double sample, Duration connectTimeout)
        implements Mirroring {
    /** For how long a mirror may hold a stream up by default, and so a connection's beginning. */
    static final Duration PATIENCE = Duration.ofMillis(200);

    private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(1);

    public MirrorTargets {
        Objects.requireNonNull(targets, "targets");
        Objects.requireNonNull(directions, "directions");
        if (targets.proxyProtocol() != ProxyProtocol.NONE) {
            throw new IllegalArgumentException("a copy is a copy: no PROXY header goes ahead of it");
        }
        if (policy.onSlow() == SlowMirror.DROP) {
            throw new IllegalArgumentException("a mirror that is slow can't be left with gaps, only a recording can");
        }
        MirrorPoint.requirePart(sample);
        if (!connectTimeout.isPositive()) {
            throw new IllegalArgumentException("connect timeout " + connectTimeout + " is not positive");
        }
        Timeouts.requirePossible("connect timeout", connectTimeout);
    }

    /** What all clients send; the stream comes first, and is held up for at most 200 ms. A second to connect. */
    public static MirrorTargets of(TargetGroup targets) {
        return new MirrorTargets(targets, Directions.TO_TARGET, MirrorPolicy.optional(PATIENCE), 1, CONNECT_TIMEOUT);
    }

    /** The same to one address. */
    public static MirrorTargets of(Endpoint target) {
        return of(TargetGroup.of(target));
    }

    /** With other {@link #directions()}. */
    public MirrorTargets directions(Directions which) {
        return new MirrorTargets(targets, which, policy, sample, connectTimeout);
    }

    /** With another {@link #policy()}. */
    public MirrorTargets policy(MirrorPolicy other) {
        return new MirrorTargets(targets, directions, other, sample, connectTimeout);
    }

    /** With another {@link #sample()}. */
    public MirrorTargets sample(double part) {
        return new MirrorTargets(targets, directions, policy, part, connectTimeout);
    }

    /** With another {@link #connectTimeout()}. */
    public MirrorTargets connectTimeout(Duration time) {
        return new MirrorTargets(targets, directions, policy, sample, time);
    }

    @Override
    public String name() {
        String first = targets.targets().getFirst().endpoint().toString();
        int others = targets.targets().size() - 1;
        return others == 0 ? first : first + " and " + others + " more";
    }
}
