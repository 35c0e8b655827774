package dev.sluice.relay;

import dev.sluice.io.Endpoint;
import java.util.BitSet;
import java.util.List;

/** The targets of a group at work. */
final class Upstreams {
    private final TargetGroup group;
    private final List<Upstream> upstreams;
    private final Balancer balancer;

    /** @param upstreams the targets of the group, in its order */
    Upstreams(TargetGroup group, List<Upstream> upstreams) {
        this.group = group;
        this.upstreams = upstreams;
        this.balancer = Balancer.of(
                group.balance(), group.targets(), i -> upstreams.get(i).load());
    }

    /** For a connection that has not come to try one. */
    Upstream any() {
        return upstreams.getFirst();
    }

    /** For a new connection. */
    Order order(Endpoint client) {
        return new Order(SourceHash.hash(client));
    }

    /** The targets that one connection tries, each chosen when it comes to that. */
    final class Order {
        private final long client;
        private final BitSet tried = new BitSet();

        private Order(long client) {
            this.client = client;
        }

        /** The next one, which has been entered; null if no other is to be tried. */
        Upstream next() {
            long now = System.nanoTime();
            while (tried.cardinality() < group.tries()) {
                int next = balancer.choose(
                        client,
                        i -> !tried.get(i) && upstreams.get(i).standing().available(now));
                boolean all = next < 0;
                if (all) {
                    // Whoever is left is left no more if nobody else remains.
                    next = balancer.choose(client, i -> !tried.get(i));
                }
                if (next < 0) {
                    return null;
                }
                Upstream upstream = upstreams.get(next);
                if (upstream.standing().claim(now) || all) {
                    tried.set(next);
                    upstream.enter();
                    return upstream;
                }
                // Somebody else was quicker to be the one on trial.
            }
            return null;
        }
    }
}
