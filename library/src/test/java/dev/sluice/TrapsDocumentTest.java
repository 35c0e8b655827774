package dev.sluice;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** docs/traps.md names tests that exist, for every number. */
@Timeout(30)
class TrapsDocumentTest {
    private static final Path ROOT = Path.of("..").toAbsolutePath().normalize();
    private static final Pattern NAMED = Pattern.compile("`(\\w+Test)?(#(\\w+))?`");
    private static final Map<String, Integer> ROWS =
            Map.of("S", 37, "J", 11, "Z", 26, "G", 18, "M", 18, "T", 8, "O", 10, "R", 22, "U", 37);

    private static List<String> lines;

    /** The text of each test class; there are two of one name in different rooms. */
    private static Map<String, String> tests;

    @BeforeAll
    static void read() throws IOException {
        lines = Files.readAllLines(ROOT.resolve("docs/traps.md"));
        try (Stream<Path> files = Files.walk(ROOT, 12)) {
            tests = files.filter(path -> path.toString().contains("/src/test/java/"))
                    .filter(path -> path.toString().endsWith("Test.java"))
                    .collect(Collectors.toMap(
                            path -> path.getFileName().toString().replace(".java", ""),
                            TrapsDocumentTest::text,
                            String::concat));
        }
    }

    private static String text(Path path) {
        try {
            return Files.readString(path);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void everyNamedTestExists() {
        List<String> missing = new ArrayList<>();
        for (String line : lines) {
            String type = "";
            Matcher named = NAMED.matcher(line);
            while (named.find()) {
                type = named.group(1) == null ? type : named.group(1);
                String method = named.group(3) == null ? "" : " " + named.group(3) + "(";
                if (!tests.getOrDefault(type, "").contains(method) || !tests.containsKey(type)) {
                    missing.add(type + named.group());
                }
            }
        }
        assertThat(missing).isEmpty();
    }

    @Test
    void everyNumberHasARow() {
        ROWS.forEach((letter, count) -> assertThat(lines.stream()
                        .filter(line -> line.matches("\\| " + letter + "\\d+ \\|.*\\S.*\\|.*\\S.*\\|"))
                        .map(line -> line.split(" ")[1]))
                .containsExactlyElementsOf(IntStream.rangeClosed(1, count)
                        .mapToObj(number -> letter + number)
                        .toList()));
    }
}
