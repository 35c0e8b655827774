package dev.sluice.cli;

import dev.sluice.io.Endpoint;
import dev.sluice.io.Endpoint.Inherited;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The sockets that systemd has opened for this process, see sd_listen_fds(3). The variables that tell of them stay in the
 * environment, since a JVM can't change its own; they name this process, so no child takes them for its own.
 */
final class PassedSockets {
    private static final int FIRST = 3;
    private static final int MOST = 10_000;

    private final Map<String, List<Endpoint>> byName;
    private final boolean checking;

    private PassedSockets(Map<String, List<Endpoint>> byName, boolean checking) {
        this.byName = byName;
        this.checking = checking;
    }

    /** For a check in another process than the one that will have the sockets: any name may be one. */
    static PassedSockets unknown() {
        return new PassedSockets(Map.of(), true);
    }

    /** @param self the number of this process; what was meant for another is not taken */
    static PassedSockets of(Map<String, String> environment, long self) {
        Map<String, List<Endpoint>> byName = new TreeMap<>();
        if (environment.getOrDefault("LISTEN_PID", "").equals(Long.toString(self))) {
            String[] names = environment.getOrDefault("LISTEN_FDNAMES", "").split(":");
            int count = count(environment.getOrDefault("LISTEN_FDS", "0"));
            for (int i = 0; i < count; i++) {
                String name = i < names.length && !names[i].isEmpty() ? names[i] : "unknown";
                byName.computeIfAbsent(name, _ -> new ArrayList<>()).add(new Inherited(FIRST + i));
            }
        }
        return new PassedSockets(byName, false);
    }

    private static int count(String text) {
        return text.matches("\\d{1,5}") ? Math.min(MOST, Integer.parseInt(text)) : 0;
    }

    /** @throws IllegalArgumentException in one line, if there is none of that name */
    List<Endpoint> find(Listen listen) {
        return switch (listen) {
            case Listen.Address address -> List.of(address.endpoint());
            case Listen.Passed passed when checking -> List.of(new Inherited(standIn(passed.name())));
            case Listen.Passed passed
            when byName.isEmpty() ->
                throw new IllegalArgumentException(describe(passed)
                        + ": systemd has passed no socket on; is there a socket unit, and did it start this?");
            case Listen.Passed passed
            when passed.name().isEmpty() ->
                byName.values().stream().flatMap(List::stream).toList();
            case Listen.Passed passed when byName.containsKey(passed.name()) -> byName.get(passed.name());
            case Listen.Passed passed ->
                throw new IllegalArgumentException(describe(passed)
                        + ": systemd has passed no socket of that name on, but " + String.join(", ", byName.keySet()));
        };
    }

    private static String describe(Listen.Passed passed) {
        return passed.name().isEmpty() ? "systemd" : "fd:" + passed.name();
    }

    /** No process has so many descriptors. */
    private static int standIn(String name) {
        return Integer.MAX_VALUE - Math.floorMod(name.hashCode(), 1 << 30);
    }
}
