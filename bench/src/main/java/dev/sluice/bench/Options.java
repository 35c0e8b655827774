package dev.sluice.bench;

import java.util.ArrayList;
import java.util.List;

/** {@code [--rounds N] [--bytes N] [--build NAME=CLASSPATH]...} */
record Options(int rounds, long bytes, List<String> builds) {
    static Options parse(String[] args, int rounds, long bytes) {
        List<String> builds = new ArrayList<>();
        for (int i = 0; i < args.length; i++) {
            if (i + 1 == args.length) {
                throw usage(args[i]);
            }
            switch (args[i]) {
                case "--rounds" -> rounds = Integer.parseInt(args[++i]);
                case "--bytes" -> bytes = Long.parseLong(args[++i]);
                case "--build" -> builds.add(args[++i]);
                default -> throw usage(args[i]);
            }
        }
        return new Options(rounds, bytes, List.copyOf(builds));
    }

    private static IllegalArgumentException usage(String option) {
        return new IllegalArgumentException(
                option + "? The options are --rounds N, --bytes N and --build NAME=CLASSPATH");
    }
}
