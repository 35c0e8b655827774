package dev.sluice.relay;

import dev.sluice.io.Endpoint;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Stream;

/**
 * Targets of which each connection goes to one. If that can't be reached, the next is tried. Immutable: each method gives a
 * group that differs in one choice.
 *
 * @param targets at least one, at most {@value #MAX_TARGETS}, and none twice
 * @param balance who is the first to be tried
 * @param tries how many targets a connection tries before it is given up; from 1 to {@value #MAX_TRIES}
 * @param health when a target is left, and when it is tried again
 * @param onRemove what becomes of a target's connections when it is taken out of the group
 * @param proxyProtocol whether targets are told who the client is
 */
public record TargetGroup(
        List<Target> targets,
        Balance balance,
        int tries,
        Health health,
        OnRemove onRemove,
        ProxyProtocol proxyProtocol) {
    public static final int MAX_TARGETS = 10_000;

    public static final int MAX_TRIES = 100;

    private static final int DEFAULT_TRIES = 3;

    public TargetGroup {
        targets = List.copyOf(targets);
        Objects.requireNonNull(balance, "balance");
        Objects.requireNonNull(onRemove, "onRemove");
        Objects.requireNonNull(proxyProtocol, "proxyProtocol");
        if (targets.isEmpty()) {
            throw new IllegalArgumentException("a relay needs at least one target");
        }
        if (targets.size() > MAX_TARGETS) {
            throw new IllegalArgumentException(targets.size() + " targets are more than " + MAX_TARGETS);
        }
        if (tries < 1 || tries > MAX_TRIES) {
            throw new IllegalArgumentException(tries + " tries are not between 1 and " + MAX_TRIES);
        }
        Objects.requireNonNull(health, "health");
        Set<Endpoint> known = new HashSet<>();
        for (Target target : targets) {
            if (!known.add(target.endpoint())) {
                throw new IllegalArgumentException(target.endpoint() + " is a target twice; give it a weight instead");
            }
        }
    }

    /** Takes turns, three tries, {@link Health#DEFAULT}, connections of removed targets drain, and no PROXY headers. */
    public static TargetGroup of(List<Target> targets) {
        return new TargetGroup(
                targets, Balance.ROUND_ROBIN, DEFAULT_TRIES, Health.DEFAULT, OnRemove.DRAIN, ProxyProtocol.NONE);
    }

    /** The same with targets of equal weight. */
    public static TargetGroup of(Endpoint... targets) {
        return of(Stream.of(targets).map(Target::of).toList());
    }

    /** With another {@link #balance()}. */
    public TargetGroup balance(Balance way) {
        return new TargetGroup(targets, way, tries, health, onRemove, proxyProtocol);
    }

    /** With another number of {@link #tries()}. */
    public TargetGroup tries(int number) {
        return new TargetGroup(targets, balance, number, health, onRemove, proxyProtocol);
    }

    /** With another {@link #health()}. */
    public TargetGroup health(Health other) {
        return new TargetGroup(targets, balance, tries, other, onRemove, proxyProtocol);
    }

    /** With another {@link #onRemove()}. */
    public TargetGroup onRemove(OnRemove what) {
        return new TargetGroup(targets, balance, tries, health, what, proxyProtocol);
    }

    /** With another {@link #proxyProtocol()}. */
    public TargetGroup proxyProtocol(ProxyProtocol version) {
        return new TargetGroup(targets, balance, tries, health, onRemove, version);
    }
}
