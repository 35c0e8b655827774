package dev.sluice.cli;

import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/** Which known name was meant by one that is not known. */
final class Nearest {
    private static final int LONGEST = 100;

    private Nearest() {}

    /** The one with the fewest edits between them, if so few are a slip. */
    static Optional<String> to(String name, List<String> known) {
        if (name.length() > LONGEST) {
            return Optional.empty();
        }
        int slip = Math.max(1, name.length() / 3);
        return known.stream()
                .filter(each -> edits(name, each) <= slip)
                .min(Comparator.comparingInt(each -> edits(name, each)));
    }

    /** Levenshtein's distance, in which two neighbours that changed places are one edit. */
    private static int edits(String from, String to) {
        int[][] edits = new int[from.length() + 1][to.length() + 1];
        for (int i = 0; i <= from.length(); i++) {
            for (int j = 0; j <= to.length(); j++) {
                edits[i][j] = i == 0 || j == 0 ? i + j : least(edits, from, to, i, j);
            }
        }
        return edits[from.length()][to.length()];
    }

    private static int least(int[][] edits, String from, String to, int i, int j) {
        int replace = edits[i - 1][j - 1] + (from.charAt(i - 1) == to.charAt(j - 1) ? 0 : 1);
        int least = Math.min(replace, 1 + Math.min(edits[i - 1][j], edits[i][j - 1]));
        boolean swapped =
                i > 1 && j > 1 && from.charAt(i - 1) == to.charAt(j - 2) && from.charAt(i - 2) == to.charAt(j - 1);
        return swapped ? Math.min(least, 1 + edits[i - 2][j - 2]) : least;
    }
}
