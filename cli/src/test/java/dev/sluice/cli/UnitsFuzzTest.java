package dev.sluice.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.util.List;
import java.util.function.Function;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine.TypeConversionException;

/**
 * Durations and sizes as people mistype them: a value, or a complaint in one line. {@code -Dsluice.test.seed=S} repeats
 * the texts of a seed, {@code -Dsluice.test.fuzz=N} makes N times as many.
 */
@Timeout(60)
class UnitsFuzzTest {
    private static final long SEED = Long.getLong("sluice.test.seed", System.nanoTime());
    private static final int ROUNDS = 50_000 * Integer.getInteger("sluice.test.fuzz", 1);

    private static final List<String> CORPUS = List.of(
            "500ms",
            "30s",
            "2m",
            "1h",
            "0s",
            "999999999999999999h",
            "9223372036854775807ms",
            "4096",
            "64k",
            "64KiB",
            "16mb",
            "1g",
            "999999999999999999g",
            "0b",
            " 7s ",
            "7 s");

    private static final String[] PIECES = {
        "",
        "0",
        "9",
        "99999999999",
        "-",
        "+",
        ".",
        "e3",
        "ms",
        "s",
        "KiB",
        "K",
        "İ",
        "K",
        "٣",
        " ",
        "\u2003",
        "\n",
        "\0",
        "\u0085",
        "\u009b2J",
        "\u2028",
        "\u001b[2J",
        "\ud800"
    };

    private final RandomGenerator random =
            RandomGeneratorFactory.of("L64X128MixRandom").create(SEED);

    @Test
    @DisplayName("Mutated durations and sizes are a value that is not negative, or a complaint in one line")
    void fuzzed() {
        System.out.println("fuzzing durations and sizes, -Dsluice.test.seed=" + SEED);
        Units.Size size = new Units.Size();
        int read = 0;
        for (int i = 0; i < ROUNDS; i++) {
            String text = next();
            for (Function<String, Boolean> parser : List.<Function<String, Boolean>>of(
                    t -> !Units.duration(t).isNegative(), t -> size.convert(t) >= 0)) {
                boolean fine;
                try {
                    fine = parser.apply(text);
                    read++;
                } catch (TypeConversionException e) {
                    fine = e.getMessage().chars().noneMatch(c -> Character.isISOControl(c) || c == '\u2028');
                }
                assertThat(fine)
                        .as("not negative, or a complaint without control characters: seed %s, round %s", SEED, i)
                        .isTrue();
            }
        }
        assertThat(read).isGreaterThan(ROUNDS / 10);
    }

    private String next() {
        StringBuilder text = new StringBuilder(CORPUS.get(random.nextInt(CORPUS.size())));
        for (int left = random.nextInt(4); left > 0; left--) {
            int at = random.nextInt(text.length() + 1);
            int to = Math.min(text.length(), at + random.nextInt(3));
            text.replace(at, to, PIECES[random.nextInt(PIECES.length)]);
        }
        return text.toString();
    }

    @ParameterizedTest
    @ValueSource(strings = {"999999999999999999h", "999999999999999999m"})
    @DisplayName("A duration that no clock can count is too long")
    void tooLong(String text) {
        assertThatExceptionOfType(TypeConversionException.class)
                .isThrownBy(() -> Units.duration(text))
                .withMessageContaining("too long");
    }

    @ParameterizedTest
    @ValueSource(strings = {"999999999999999999g", "9007199254740993k"})
    @DisplayName("A size beyond 64 bits is too large")
    void tooLarge(String text) {
        assertThatExceptionOfType(TypeConversionException.class)
                .isThrownBy(() -> new Units.Size().convert(text))
                .withMessageContaining("too large");
    }
}
