package dev.sluice.io;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.LeakCheck;
import java.util.List;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * Addresses as people mistype them, and as others mean harm. {@code -Dsluice.test.seed=S} repeats the texts of a seed,
 * {@code -Dsluice.test.fuzz=N} makes N times as many.
 */
@ExtendWith(LeakCheck.class)
@Timeout(60)
class EndpointFuzzTest {
    private static final long SEED = Long.getLong("sluice.test.seed", System.nanoTime());
    private static final int ROUNDS = 50_000 * Integer.getInteger("sluice.test.fuzz", 1);

    private static final List<String> CORPUS = List.of(
            "localhost:80",
            ":0",
            "127.0.0.1:443",
            "[::1]:8080",
            "[fe80::1%eth0]:1",
            "tcp:example.org:65535",
            "tcp::80",
            "unix:/run/x.sock",
            "unix:relative/x",
            "unix:@name",
            "unix:/" + "x".repeat(106),
            "unix:@" + "ü".repeat(53),
            "fd:3",
            "fd:2147483647");

    private static final String[] PIECES = {
        "",
        "0",
        "9",
        "999999999999",
        ":",
        "::",
        "[",
        "]",
        "@",
        "/",
        "%",
        "-",
        "+",
        " ",
        "tcp:",
        "unix:",
        "fd:",
        "٣",
        "ü",
        "\n",
        "\r",
        "\0",
        "\u0085",
        "\u009b2J",
        "\u2028",
        "\u001b[2J",
        "\ud800",
        "x".repeat(200)
    };

    private final RandomGenerator random = Bytes.generator(SEED);

    @Test
    void aMutatedAddressIsReadAndPrintsWhatReadsTheSameOrIsRefusedInOneLine() {
        System.out.println("fuzzing addresses, -Dsluice.test.seed=" + SEED);
        int read = 0;
        for (int i = 0; i < ROUNDS; i++) {
            String text = next();
            String problem;
            try {
                Endpoint endpoint = Endpoint.parse(text);
                read++;
                problem = !Endpoint.parse(endpoint.toString()).equals(endpoint)
                        ? "prints what reads differently"
                        : isOneLine(endpoint.toString()) ? null : "prints control characters";
            } catch (IllegalArgumentException e) {
                boolean clear = e.getMessage().startsWith("bad address '") && isOneLine(e.getMessage());
                problem = clear ? null : "is refused with more than one clear line";
            }
            assertThat(problem).as("seed %s, round %s", SEED, i).isNull();
        }
        assertThat(read).isGreaterThan(ROUNDS / 10);
    }

    private static boolean isOneLine(String text) {
        return text.chars().noneMatch(Character::isISOControl);
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
}
