package dev.sluice.cli;

import java.util.List;

/** What is wrong with a configuration, one line per problem. */
final class BadConfiguration extends Exception {
    private static final long serialVersionUID = 1L;

    private final transient List<String> problems;

    BadConfiguration(List<String> problems) {
        super(String.join("; ", problems));
        this.problems = List.copyOf(problems);
    }

    List<String> problems() {
        return problems;
    }
}
