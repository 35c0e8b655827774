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

    /** Levenshtein's distance. */
    private static int edits(String from, String to) {
        int[] row = new int[to.length() + 1];
        for (int j = 0; j < row.length; j++) {
            row[j] = j;
        }
        for (int i = 1; i <= from.length(); i++) {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j < row.length; j++) {
                int replace = diagonal + (from.charAt(i - 1) == to.charAt(j - 1) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.min(replace, 1 + Math.min(row[j], row[j - 1]));
            }
        }
        return row[to.length()];
    }
}
