package dev.sluice.traps;

import dev.sluice.testkit.Child;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Assumptions;

/**
 * How often calls of a child are shortened, fail or come late, in 1000. faults.c does it, and says what it may touch.
 *
 * @param calls which ones, separated by commas, or "all"
 * @param shorten chance of a shorter length; the call is made
 * @param soft chance of an error that a transfer has to survive
 * @param hard chance of one that may end it
 * @param late chance that the thread is held up for some milliseconds before or after the call
 */
record Faults(String calls, int shorten, int soft, int hard, int late) {

    /** Compiles the tracer into the directory. */
    static Path tracer(Path directory) throws Exception {
        Assumptions.assumeTrue(System.getProperty("os.arch").equals("amd64"), "the tracer of faults is for x86-64");
        Assumptions.assumeTrue(Child.has("gcc", "--version"), "gcc is missing: the tracer of faults can't be compiled");
        Path program = directory.resolve("faults");
        Path source = directory.resolve("faults.c");
        try (InputStream resource = Faults.class.getResourceAsStream("faults.c")) {
            Files.copy(resource, source);
        }
        Child compiler = Child.run(List.of("gcc", "-O1", "-Wall", "-o", program.toString(), source.toString()));
        Assumptions.assumeTrue(compiler.exit() == 0, "gcc can't compile the tracer of faults: " + compiler.err());
        Path log = directory.resolve("faults.log");
        Assumptions.assumeTrue(
                Child.has(program.toString(), "1", "/", log.toString(), "all", "0", "0", "0", "0", "true"),
                "the tracer of faults may not trace");
        return program;
    }

    /** A prefix for the command line of a child whose files are under the directory. */
    List<String> prefix(Path tracer, long seed, Path directory, Path log) {
        return List.of(
                tracer.toString(),
                Long.toString(seed),
                directory.toString(),
                log.toString(),
                calls,
                Integer.toString(shorten),
                Integer.toString(soft),
                Integer.toString(hard),
                Integer.toString(late));
    }

    /** How many faults each kind of call had, by what was on its sides: s(ocket), p(ipe), f(ifo) or d(isk file). */
    static Map<String, Integer> summary(Path log) throws IOException {
        Map<String, Integer> counts = new TreeMap<>();
        for (String line : Files.readAllLines(log, StandardCharsets.ISO_8859_1)) {
            String[] words = line.split(" ");
            counts.merge(words[1] + (words[2].matches("[a-z]{1,2}") ? " " + words[2] : ""), 1, Integer::sum);
        }
        return counts;
    }

    /** Calls on a descriptor that was closed already; another time the number may have been somebody else's. */
    static List<String> onClosed(Path log) throws IOException {
        return Files.readAllLines(log, StandardCharsets.ISO_8859_1).stream()
                .filter(line -> line.contains("found descriptor"))
                .toList();
    }
}
