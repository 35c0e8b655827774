package dev.sluice.cli;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import dev.sluice.io.Route;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.util.Map;

/** One JSON object in one line. */
final class Json {
    private static final JsonFactory FACTORY = new JsonFactory();

    private Json() {}

    interface Fields {
        void write(JsonGenerator json) throws IOException;
    }

    static String object(Fields fields) {
        StringWriter text = new StringWriter();
        try (JsonGenerator json = FACTORY.createGenerator(text)) {
            json.writeStartObject();
            fields.write(json);
            json.writeEndObject();
        } catch (IOException e) {
            throw new UncheckedIOException("a string takes everything", e);
        }
        return text.toString();
    }

    /** Seconds to the microsecond: more digits are noise. */
    static void seconds(JsonGenerator json, String name, double seconds) throws IOException {
        json.writeNumberField(name, Math.round(seconds * 1e6) / 1e6);
    }

    static void byRoute(JsonGenerator json, Map<Route, Long> bytes) throws IOException {
        json.writeObjectFieldStart("byRoute");
        for (Map.Entry<Route, Long> moved : bytes.entrySet()) {
            json.writeNumberField(moved.getKey().name(), moved.getValue());
        }
        json.writeEndObject();
    }

    /** Left out if it is not a number: something was too small to be measured. */
    static void ratio(JsonGenerator json, String name, double ratio) throws IOException {
        if (Double.isFinite(ratio)) {
            json.writeNumberField(name, Math.round(ratio * 1e3) / 1e3);
        }
    }
}
