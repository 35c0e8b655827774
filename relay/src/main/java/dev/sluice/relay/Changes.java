package dev.sluice.relay;

import dev.sluice.io.Endpoint;
import java.util.ArrayList;
import java.util.List;

/**
 * What a new configuration changed; {@code toString} says it in one line.
 *
 * @param opened the addresses that are listened on from now on
 * @param closed those that are not any more
 * @param added the services that are new
 * @param changed those that treat new connections differently
 * @param removed those that are gone
 * @param cut how many connections were cut off with their targets, see {@link OnRemove#CLOSE}
 */
public record Changes(
        List<Endpoint> opened,
        List<Endpoint> closed,
        List<String> added,
        List<String> changed,
        List<String> removed,
        int cut) {
    public Changes {
        opened = List.copyOf(opened);
        closed = List.copyOf(closed);
        added = List.copyOf(added);
        changed = List.copyOf(changed);
        removed = List.copyOf(removed);
    }

    @Override
    public String toString() {
        List<String> parts = new ArrayList<>();
        say(parts, "services added", added);
        say(parts, "services changed", changed);
        say(parts, "services removed", removed);
        say(parts, "listening on", opened);
        say(parts, "no longer on", closed);
        if (cut > 0) {
            parts.add(cut + (cut == 1 ? " connection" : " connections") + " cut off");
        }
        return parts.isEmpty() ? "nothing changed" : String.join("; ", parts);
    }

    private static void say(List<String> parts, String what, List<?> items) {
        if (!items.isEmpty()) {
            parts.add(what + " "
                    + String.join(", ", items.stream().map(Object::toString).toList()));
        }
    }
}
