package dev.sluice.cli;

import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.tomlj.TomlArray;
import org.tomlj.TomlPosition;
import org.tomlj.TomlTable;
import picocli.CommandLine.TypeConversionException;

/**
 * A value of a file, with the place where it is.
 *
 * @param value as the parser gives it
 * @param at where it begins
 * @param file the file that it is from
 */
record TomlValue(Object value, TomlPosition at, Source file) {
    static final Comparator<TomlPosition> IN_ORDER =
            Comparator.comparingInt(TomlPosition::line).thenComparingInt(TomlPosition::column);

    private static final Pattern VARIABLE = Pattern.compile("\\$\\{([A-Za-z_][A-Za-z0-9_]*)}");

    /** The file, as its values see it. */
    interface Source {
        /** What is wrong, and where; reading goes on. */
        void problem(TomlPosition at, String what);

        /** Where a key belongs to that is unknown where it was found. */
        Optional<String> elsewhere(String key);

        /** The value of an environment variable. */
        Optional<String> variable(String name);
    }

    /** Wrong at a place of its own, further in than whoever catches it. */
    static final class Misplaced extends IllegalArgumentException {
        private static final long serialVersionUID = 1L;

        private final transient TomlPosition at;

        private Misplaced(TomlPosition at, String message) {
            super(message);
            this.at = at;
        }
    }

    /** Something in it was wrong, which has been told to the file. */
    static final class Told extends IllegalArgumentException {
        private static final long serialVersionUID = 1L;
    }

    boolean isTable() {
        return value instanceof TomlTable;
    }

    /** The entries of a table, in the order of the file. */
    Map<String, TomlValue> entries() {
        TomlTable table = as(TomlTable.class, "a table");
        Map<String, TomlValue> entries = new LinkedHashMap<>();
        table.keySet().stream()
                .map(List::of)
                .sorted(Comparator.comparing(table::inputPositionOf, IN_ORDER))
                .forEach(path -> entries.put(
                        path.getFirst(), new TomlValue(table.get(path), table.inputPositionOf(path), file)));
        return entries;
    }

    /** The elements of an array; anything else is alone. */
    List<TomlValue> items() {
        if (!(value instanceof TomlArray array)) {
            return List.of(this);
        }
        return IntStream.range(0, array.size())
                .mapToObj(i -> new TomlValue(array.get(i), array.inputPositionOf(i), file))
                .toList();
    }

    /** With the variables of the environment in their places. */
    String text(String expected) {
        return VARIABLE.matcher(as(String.class, expected)).replaceAll(found -> {
            String name = found.group(1);
            return Matcher.quoteReplacement(file.variable(name)
                    .orElseThrow(() -> new IllegalArgumentException("the environment has no variable " + name)));
        });
    }

    String textOrNumber(String expected) {
        return value instanceof Long number ? number.toString() : text(expected);
    }

    long number(String expected) {
        return as(Long.class, expected);
    }

    double part(String expected) {
        return value instanceof Long whole ? whole : as(Double.class, expected);
    }

    boolean flag(String expected) {
        return as(Boolean.class, expected);
    }

    private <T> T as(Class<T> type, String expected) {
        if (!type.isInstance(value)) {
            throw new IllegalArgumentException("expected " + expected + ", not " + kind());
        }
        return type.cast(value);
    }

    private String kind() {
        return switch (value) {
            case String _ -> "a string";
            case Long number -> "the number " + number;
            case Double number -> "the number " + number;
            case Boolean flag -> flag.toString();
            case TomlArray _ -> "an array";
            case TomlTable _ -> "a table";
            default -> "a date";
        };
    }

    /** Reads it; what is wrong is wrong here. */
    <T> T read(Kind<T> kind) {
        try {
            return kind.ofToml().apply(this);
        } catch (Misplaced | Told e) {
            throw e;
        } catch (IllegalArgumentException | TypeConversionException e) {
            throw new Misplaced(at, e.getMessage());
        }
    }

    /** Puts what this table has into a draft. Each thing that is wrong is told to the file; false if there is one. */
    <D> boolean fill(D draft, List<Key<D>> keys) {
        boolean good = true;
        for (Map.Entry<String, TomlValue> entry : entries().entrySet()) {
            good &= entry.getValue().put(entry.getKey(), draft, keys);
        }
        return good;
    }

    private <D> boolean put(String name, D draft, List<Key<D>> keys) {
        Optional<Key<D>> key =
                keys.stream().filter(known -> known.name().equals(name)).findFirst();
        if (key.isEmpty()) {
            file.problem(at, unknown(name, Key.names(keys)));
            return false;
        }
        return attempt(name, () -> key.get().put().accept(draft, read(key.get().kind())));
    }

    /** Does something with this value; if it fails, the file is told. */
    boolean attempt(String name, Runnable what) {
        try {
            what.run();
            return true;
        } catch (Told e) {
            return false;
        } catch (IllegalArgumentException e) {
            file.problem(e instanceof Misplaced misplaced ? misplaced.at : at, name + ": " + e.getMessage());
            return false;
        }
    }

    private String unknown(String name, List<String> known) {
        String unknown = "unknown key '" + name + "'; ";
        return file.elsewhere(name)
                .or(() -> Nearest.to(name, known).map(near -> "did you mean " + near + "?"))
                .map(unknown::concat)
                .orElseGet(() -> unknown + "known are " + String.join(", ", known));
    }
}
