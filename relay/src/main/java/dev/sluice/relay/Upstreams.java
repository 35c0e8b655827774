package dev.sluice.relay;

import dev.sluice.io.Endpoint;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.function.IntPredicate;

/** The targets of a group at work. */
final class Upstreams {
    private final TargetGroup group;
    private final List<Upstream> upstreams;
    private final Balancer balancer;

    /** @param known the targets of all groups, by their address */
    Upstreams(TargetGroup group, Map<Endpoint, Upstream> known) {
        this.group = group;
        this.upstreams = group.targets().stream()
                .map(target -> known.get(target.endpoint()))
                .toList();
        this.balancer = Balancer.of(
                group.balance(), group.targets(), i -> upstreams.get(i).load());
    }

    /** For a connection that has not come to try one. */
    Upstream any() {
        return upstreams.getFirst();
    }

    /** Whether one of them may be tried. */
    boolean available() {
        long now = System.nanoTime();
        return upstreams.stream().anyMatch(upstream -> upstream.standing().available(now));
    }

    /** For a new connection. */
    Order order(Endpoint client) {
        return new Order(SourceHash.hash(client));
    }

    private boolean hasRoom(int i) {
        int most = group.targets().get(i).maxConnections();
        return most == 0 || upstreams.get(i).load() < most;
    }

    /** The targets that one connection tries, each chosen when it comes to that. Of one thread at a time. */
    final class Order {
        private final long client;
        private final BitSet tried = new BitSet();
        private Upstream chosen;
        private Standing.Claim claim = Standing.Claim.NONE;

        private Order(long client) {
            this.client = client;
        }

        Upstreams group() {
            return Upstreams.this;
        }

        ProxyProtocol proxyProtocol() {
            return group.proxyProtocol();
        }

        /** The target that the connection has entered; null if no other is to be tried. */
        Upstream chosen() {
            return chosen;
        }

        /** As what the connection has entered it; {@code NONE} if nobody was to, but no other target was left. */
        Standing.Claim claim() {
            return claim;
        }

        /** Chooses the next one and enters it; false if that has to wait until one has room. */
        boolean next() {
            chosen = null;
            long now = System.nanoTime();
            while (tried.cardinality() < Math.min(group.tries(), upstreams.size())) {
                boolean choice = anyLeft(i -> upstreams.get(i).standing().available(now));
                // If none is available, whoever is left is tried all the same.
                int next = balancer.choose(
                        client,
                        i -> !tried.get(i)
                                && hasRoom(i)
                                && (!choice || upstreams.get(i).standing().available(now)));
                if (next < 0) {
                    return false;
                }
                Upstream upstream = upstreams.get(next);
                // Somebody else may be quicker to take the last place, or to be the one on trial.
                if (upstream.enter(group.targets().get(next).maxConnections())) {
                    claim = upstream.standing().claim(now);
                    if (claim != Standing.Claim.NONE || !choice) {
                        tried.set(next);
                        chosen = upstream;
                        return true;
                    }
                    upstream.leave();
                }
            }
            return true;
        }

        private boolean anyLeft(IntPredicate which) {
            for (int i = tried.nextClearBit(0); i < upstreams.size(); i = tried.nextClearBit(i + 1)) {
                if (which.test(i)) {
                    return true;
                }
            }
            return false;
        }
    }
}
