package dev.sluice.cli;

import java.io.IOException;
import java.util.List;
import java.util.Map;

/** Reads JSON into maps and lists, strictly. */
public final class ParsedJson {
    private ParsedJson() {}

    @SuppressWarnings("unchecked")
    public static Map<String, Object> object(String line) {
        try {
            return (Map<String, Object>) Json.parse(line);
        } catch (IOException e) {
            throw new AssertionError("not JSON: " + line, e);
        }
    }

    @SuppressWarnings("unchecked")
    public static List<Map<String, Object>> list(Object value) {
        return (List<Map<String, Object>>) value;
    }
}
