package dev.sluice.cli;

import dev.sluice.cli.demo.PeersProgram;
import java.io.IOException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;

/** What demo and bench run in their child JVM. */
@Command(name = DemoPeersCommand.NAME, hidden = true, description = "The camera and the viewer of demo and bench.")
final class DemoPeersCommand implements Callable<Integer> {
    static final String NAME = "demo-peers";

    @Override
    public Integer call() throws IOException {
        PeersProgram.run();
        return 0;
    }
}
