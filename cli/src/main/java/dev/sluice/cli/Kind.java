package dev.sluice.cli;

import dev.sluice.io.Endpoint;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * How a setting is written: as the text behind an option, and as a value in a file. What can't be read is an
 * IllegalArgumentException or a TypeConversionException, in one line.
 *
 * @param label what stands for it in a usage message
 * @param many whether it is a list, so that its option may be repeated
 * @param ofText reads an option
 * @param ofToml reads a value in a file
 */
record Kind<T>(String label, boolean many, Function<String, T> ofText, Function<TomlValue, T> ofToml) {
    static final Kind<Duration> TIME = text("TIME", "a time such as \"30s\"", Units::duration);

    static final Kind<Path> FILE = text("FILE", "the name of a file", Path::of);

    static final Kind<Path> DIRECTORY = text("DIR", "the name of a directory", Path::of);

    /** More than 0, and 1 for all. */
    static final Kind<Double> PART =
            new Kind<>("PART", false, text -> part(Units.part(text)), toml -> part(toml.part("a part such as 0.1")));

    /** In a file alone. */
    static final Kind<Boolean> FLAG = new Kind<>("", false, null, toml -> toml.flag("true or false"));

    static final Kind<List<Listen>> LISTEN = listOf(text("LISTEN", "an address such as \":8080\"", Listen::parse));

    static final Kind<Endpoint> ADDRESS = text("ADDRESS", "an address such as \"host:8080\"", Units::endpoint);

    /** In a file a string such as {@code "64KiB"}, or the number of bytes. */
    static final Kind<Long> SIZE = size(new Units.Size()::convert);

    private static Kind<Long> size(Function<String, Long> parse) {
        return new Kind<>("SIZE", false, parse, toml -> parse.apply(toml.textOrNumber("a size such as \"64KiB\"")));
    }

    /** A string in a file. */
    static <T> Kind<T> text(String label, String expected, Function<String, T> parse) {
        return new Kind<>(label, false, parse, toml -> parse.apply(toml.text(expected)));
    }

    /** A whole number. */
    static Kind<Integer> number(int least, int most) {
        return new Kind<>("N", false, text -> (int) inRange(Units.number(text), least, most), toml ->
                (int) inRange(toml.number("a number"), least, most));
    }

    private static double part(double part) {
        if (!(part > 0 && part <= 1)) {
            throw new IllegalArgumentException("a sample of " + part + " is not more than 0 and at most 1");
        }
        return part;
    }

    private static long inRange(long number, long least, long most) {
        if (number < least || number > most) {
            throw new IllegalArgumentException(number
                    + (most == Integer.MAX_VALUE
                            ? " is less than " + least
                            : " is not between " + least + " and " + most));
        }
        return number;
    }

    /** One of the constants, written in lower case with hyphens. */
    static <E extends Enum<E>> Kind<E> choice(Class<E> type) {
        List<String> names =
                Arrays.stream(type.getEnumConstants()).map(Kind::nameOf).toList();
        return text(String.join("|", names), "one of " + String.join(", ", names), text -> {
            int at = names.indexOf(text.toLowerCase(Locale.ROOT));
            if (at < 0) {
                throw new IllegalArgumentException("'" + text + "' is not one of " + String.join(", ", names));
            }
            return type.getEnumConstants()[at];
        });
    }

    private static String nameOf(Enum<?> constant) {
        return constant.name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    /** In a file an array, or one alone; on the command line separated by commas. */
    static <T> Kind<List<T>> listOf(Kind<T> item) {
        return new Kind<>(
                item.label + "[," + item.label + "...]",
                true,
                text -> Arrays.stream(text.split(",", -1)).map(item.ofText).toList(),
                toml -> toml.items().stream().map(each -> each.read(item)).toList());
    }

    /** A table whose keys are anybody's choice; in a file alone. */
    static <T> Kind<Map<String, T>> mapOf(Kind<T> value) {
        return new Kind<>("", false, null, toml -> {
            Map<String, T> map = new LinkedHashMap<>();
            toml.entries().forEach((name, entry) -> map.put(name, entry.read(value)));
            return map;
        });
    }

    /** A table with keys of its own, or the text of a short form. */
    static <D, T> Kind<T> table(Kind<T> shortForm, Supplier<D> draft, List<Key<D>> keys, Function<D, T> build) {
        return new Kind<>(shortForm.label, false, shortForm.ofText, toml -> {
            if (!toml.isTable()) {
                return shortForm.ofToml.apply(toml);
            }
            D filling = draft.get();
            if (!toml.fill(filling, keys)) {
                throw new TomlValue.Told();
            }
            return build.apply(filling);
        });
    }
}
