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
 * @param targets at least one, and none twice
 * @param balance who is the first to be tried
 * @param onRemove what becomes of a target's connections when it is taken out of the group
 */
public record TargetGroup(List<Target> targets, Balance balance, OnRemove onRemove) {
    public TargetGroup {
        targets = List.copyOf(targets);
        Objects.requireNonNull(balance, "balance");
        Objects.requireNonNull(onRemove, "onRemove");
        if (targets.isEmpty()) {
            throw new IllegalArgumentException("a relay needs at least one target");
        }
        Set<Endpoint> known = new HashSet<>();
        for (Target target : targets) {
            if (!known.add(target.endpoint())) {
                throw new IllegalArgumentException(target.endpoint() + " is a target twice; give it a weight instead");
            }
        }
    }

    /** Takes turns, and lets connections of removed targets drain. */
    public static TargetGroup of(List<Target> targets) {
        return new TargetGroup(targets, Balance.ROUND_ROBIN, OnRemove.DRAIN);
    }

    /** The same with targets of equal weight. */
    public static TargetGroup of(Endpoint... targets) {
        return of(Stream.of(targets).map(Target::of).toList());
    }

    /** With another {@link #balance()}. */
    public TargetGroup balance(Balance way) {
        return new TargetGroup(targets, way, onRemove);
    }

    /** With another {@link #onRemove()}. */
    public TargetGroup onRemove(OnRemove what) {
        return new TargetGroup(targets, balance, what);
    }
}
