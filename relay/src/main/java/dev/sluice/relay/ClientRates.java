package dev.sluice.relay;

import dev.sluice.io.Endpoint;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A bucket for each client address, of so many addresses as came last: who has not come for long has a full one anyway, and
 * who comes from everywhere must not fill the memory.
 */
final class ClientRates {
    static final int MOST = 65_536;

    private final int perSecond;
    private final Map<Long, ConnectionRate> rates = new LinkedHashMap<>(16, 0.75f, true) {
        @Override
        protected boolean removeEldestEntry(Map.Entry<Long, ConnectionRate> eldest) {
            return size() > MOST;
        }
    };

    ClientRates(int perSecond) {
        this.perSecond = perSecond;
    }

    /** False if too many connections came from this address. */
    synchronized boolean admits(Endpoint client, long now) {
        ConnectionRate rate = rates.computeIfAbsent(key(client), _ -> new ConnectionRate(perSecond, now));
        if (rate.nanosUntilNext(now) > 0) {
            return false;
        }
        rate.take();
        return true;
    }

    int known() {
        return rates.size();
    }

    /** All that has no IP address is one client: Unix sockets are local. */
    private static long key(Endpoint client) {
        IpAddress address = IpAddress.of(client);
        if (address == null) {
            return -1;
        }
        return address.isV4() ? address.low() : address.high();
    }
}
