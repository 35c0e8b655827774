package dev.sluice.cli;

import dev.sluice.io.Endpoint;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Reads addresses, durations such as {@code 30s} and sizes such as {@code 64KiB}; each error is one line. */
final class Units {
    private static final Pattern NUMBER = Pattern.compile("(\\d{1,18})([a-z]*)");

    private Units() {}

    static Endpoint endpoint(String text) {
        try {
            return Endpoint.parse(text);
        } catch (IllegalArgumentException e) {
            throw new TypeConversionException(e.getMessage());
        }
    }

    static long number(String text) {
        try {
            return Long.parseLong(text.strip());
        } catch (NumberFormatException e) {
            throw new TypeConversionException("'" + oneLine(text) + "' is not a whole number");
        }
    }

    static double part(String text) {
        try {
            return Double.parseDouble(text.strip());
        } catch (NumberFormatException e) {
            throw new TypeConversionException("'" + oneLine(text) + "' is not a number");
        }
    }

    static Duration duration(String text) {
        Matcher matcher = matcher(text, text.strip());
        ChronoUnit unit = switch (matcher.group(2)) {
            case "ms" -> ChronoUnit.MILLIS;
            case "s" -> ChronoUnit.SECONDS;
            case "m" -> ChronoUnit.MINUTES;
            case "h" -> ChronoUnit.HOURS;
            default -> throw bad("duration", text, "write 500ms, 30s, 2m or 1h");
        };
        try {
            Duration duration = Duration.of(Long.parseLong(matcher.group(1)), unit);
            // Every clock here counts nanoseconds in 64 bits.
            duration.toNanos();
            return duration;
        } catch (ArithmeticException e) {
            throw bad("duration", text, "it is too long");
        }
    }

    /** Powers of 1024, whichever way they are written: 64k, 64KiB and 64KB are the same. */
    static final class Size implements ITypeConverter<Long> {
        @Override
        public Long convert(String text) {
            Matcher matcher = matcher(text, text.strip().toLowerCase(Locale.ROOT));
            int shift = switch (matcher.group(2)) {
                case "", "b" -> 0;
                case "k", "kb", "kib" -> 10;
                case "m", "mb", "mib" -> 20;
                case "g", "gb", "gib" -> 30;
                default -> throw bad("size", text, "write 4096, 64k, 16m or 1g");
            };
            try {
                return Math.multiplyExact(Long.parseLong(matcher.group(1)), 1L << shift);
            } catch (ArithmeticException e) {
                throw bad("size", text, "it is too large");
            }
        }
    }

    private static Matcher matcher(String text, String stripped) {
        Matcher matcher = NUMBER.matcher(stripped);
        if (!matcher.matches()) {
            throw new TypeConversionException("'" + oneLine(text) + "' is not a number with a unit");
        }
        return matcher;
    }

    private static TypeConversionException bad(String what, String text, String why) {
        return new TypeConversionException("bad " + what + " '" + oneLine(text) + "': " + why);
    }

    private static String oneLine(String text) {
        return text.replaceAll("[\\p{Cntrl}\\x{80}-\\x{9f}\\x{2028}\\x{2029}]", "?");
    }

    /** A number of bytes for people. */
    static String bytes(long bytes) {
        if (bytes < 10_000) {
            return bytes + " bytes";
        }
        int shift = bytes < 1L << 20 ? 10 : bytes < 1L << 30 ? 20 : 30;
        String unit = shift == 10 ? "KiB" : shift == 20 ? "MiB" : "GiB";
        return String.format(Locale.ROOT, "%.1f %s", bytes / (double) (1L << shift), unit);
    }
}
