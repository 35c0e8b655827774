package dev.sluice.cli;

import dev.sluice.io.Endpoint;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Looks at a relay that runs. */
@Command(
        name = "top",
        description = {
            "Watch a relay.",
            "Services, targets and the busiest connections with their rates, each second until interrupted; once where"
                    + " stdout is no terminal."
        })
final class TopCommand implements Callable<Integer> {
    private static final long INTERVAL_MILLIS = 1000;
    private static final String TO_A_CLEAR_SCREEN = "\033[H\033[2J\033[3J";

    @Parameters(index = "0", paramLabel = "ADMIN", description = "The relay's --admin, such as unix:/run/sluice.sock.")
    private Endpoint admin;

    @Option(names = "--once", description = "Print once, after a second.")
    private boolean once;

    @Option(names = "--json", description = "Print one JSON object each time.")
    private boolean json;

    @Option(
            names = "--sessions",
            paramLabel = "N",
            defaultValue = "10",
            description = "Of how many connections to tell, the busiest first (10).")
    private int sessions;

    @Override
    public Integer call() throws Exception {
        boolean terminal = Console.isTerminal();
        RelaySample before = Failure.reach(() -> RelaySample.take(admin));
        do {
            Thread.sleep(INTERVAL_MILLIS);
            RelaySample now = RelaySample.take(admin);
            RelayRates rates = RelayRates.between(before, now);
            List<String> lines = json ? List.of(rates.toJson(sessions)) : rates.toLines(sessions);
            Console.print((terminal && !once && !json ? TO_A_CLEAR_SCREEN : "") + String.join("\n", lines));
            before = now;
        } while (terminal && !once);
        return 0;
    }
}
