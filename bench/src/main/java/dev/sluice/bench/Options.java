package dev.sluice.bench;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * {@code [--rounds N] [--bytes N] [--plots DIRECTORY] [--build NAME=BUILD]... [--only KIND=WORD]...}; which of them a program
 * heeds is in docs/benchmarks.md.
 */
record Options(int rounds, long bytes, Path plots, List<String> builds, List<String> only) {
    static Options parse(String[] args, int rounds, long bytes) {
        Path plots = null;
        List<String> builds = new ArrayList<>();
        List<String> only = new ArrayList<>();
        for (int i = 0; i < args.length; i++) {
            if (i + 1 == args.length) {
                throw usage(args[i]);
            }
            switch (args[i]) {
                case "--rounds" -> rounds = Integer.parseInt(args[++i]);
                case "--bytes" -> bytes = Long.parseLong(args[++i]);
                case "--plots" -> plots = Path.of(args[++i]);
                case "--build" -> builds.add(args[++i]);
                case "--only" -> only.add(args[++i].toLowerCase(Locale.ROOT));
                default -> throw usage(args[i]);
            }
        }
        return new Options(rounds, bytes, plots, List.copyOf(builds), List.copyOf(only));
    }

    /** Whether a part of the program, one of the given kind, is to run: some {@code --only KIND=WORD}, if any, names it. */
    boolean wants(String kind, String name) {
        List<String> words = only.stream()
                .filter(word -> word.startsWith(kind + "="))
                .map(word -> word.substring(kind.length() + 1))
                .toList();
        return words.isEmpty() || words.stream().anyMatch(name.toLowerCase(Locale.ROOT)::contains);
    }

    private static IllegalArgumentException usage(String option) {
        return new IllegalArgumentException(
                option
                        + "? The options are --rounds N, --bytes N, --plots DIRECTORY, --build NAME=BUILD and --only KIND=WORD");
    }
}
