package dev.sluice.cli.blackbox;

import dev.sluice.cli.ParsedJson;
import java.util.List;
import java.util.Map;

/** What the relay says of a session that has ended: a line of {@code --json}. */
record Ended(Direction fromClient, Direction fromTarget, String error) {

    /** @param end how the side that the bytes came from ended */
    record Direction(long bytes, String route, String end) {
        private static Direction of(Map<String, Object> json) {
            return new Direction((Long) json.get("bytes"), (String) json.get("route"), (String) json.get("end"));
        }
    }

    static Ended of(String line) {
        Map<String, Object> json = ParsedJson.object(line);
        List<Map<String, Object>> directions = ParsedJson.list(json.get("directions"));
        return new Ended(Direction.of(directions.getFirst()), Direction.of(directions.getLast()), (String)
                json.getOrDefault("error", ""));
    }
}
