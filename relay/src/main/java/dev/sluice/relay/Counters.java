package dev.sluice.relay;

import dev.sluice.internal.fd.PipePool;
import dev.sluice.io.Route;
import dev.sluice.relay.SessionRecord.Direction;
import dev.sluice.relay.SessionRecord.End;
import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.atomic.LongAdder;

/** Adds up what ended sessions were; always on, as it costs nothing while bytes move. */
final class Counters {
    private final LongAdder accepted = new LongAdder();
    private final LongAdder toTargets = new LongAdder();
    private final LongAdder toClients = new LongAdder();
    private final Map<Route, LongAdder> byRoute = adders(Route.class);
    private final Map<End, LongAdder> clientEnds = adders(End.class);
    private final Map<End, LongAdder> targetEnds = adders(End.class);

    private static <K extends Enum<K>> Map<K, LongAdder> adders(Class<K> keys) {
        Map<K, LongAdder> adders = new EnumMap<>(keys);
        for (K key : keys.getEnumConstants()) {
            adders.put(key, new LongAdder());
        }
        return adders;
    }

    void accepted() {
        accepted.increment();
    }

    void ended(SessionRecord record) {
        toTargets.add(record.toTarget().bytes());
        toClients.add(record.toClient().bytes());
        count(record.toTarget());
        count(record.toClient());
        clientEnds.get(record.toTarget().end()).increment();
        targetEnds.get(record.toClient().end()).increment();
    }

    private void count(Direction direction) {
        direction.byRoute().forEach((route, bytes) -> byRoute.get(route).add(bytes));
    }

    RelayStats stats(int active, Setup setup) {
        return new RelayStats(
                accepted.sum(),
                active,
                toTargets.sum(),
                toClients.sum(),
                sums(byRoute),
                sums(clientEnds),
                sums(targetEnds),
                setup.services().values().stream().map(Serving::stats).toList(),
                setup.acceptors().stream().map(Acceptor::stats).toList(),
                setup.targets().values().stream().map(Upstream::stats).toList(),
                setup.services().values().stream()
                        .flatMap(serving -> serving.mirrors().stream()
                                .map(mirror -> mirror.stats(serving.service().name())))
                        .toList(),
                PipePool.shared().lent(),
                PipePool.shared().small());
    }

    private static <K extends Enum<K>> Map<K, Long> sums(Map<K, LongAdder> adders) {
        Map<K, Long> sums = new java.util.HashMap<>();
        adders.forEach((key, adder) -> sums.put(key, adder.sum()));
        return sums;
    }
}
