package dev.sluice.traps;

import dev.sluice.MirrorFailure;
import dev.sluice.Pipeline;
import dev.sluice.Sluice;
import dev.sluice.file.KernelFile;
import dev.sluice.io.Endpoint;
import dev.sluice.io.Route;
import dev.sluice.io.TransferException;
import dev.sluice.io.TransferResult;
import dev.sluice.net.StreamSocket;
import java.io.IOException;
import java.nio.channels.ByteChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;

/**
 * The main class of a child JVM that makes one transfer between endpoints of the test's own process, so that a trace of
 * it shows the mover's system calls and nothing else. Prints what became of it: exit code 0, or 3 for a named failure.
 */
final class Mover {
    static final int FAILED = 3;

    private Mover() {}

    /** Arguments: {@code source=X sink=X mirror=X ... route=R policy=P} or {@code join=X join=X}; X an address or path. */
    public static void main(String[] arguments) throws Exception {
        List<ByteChannel> join = new ArrayList<>();
        List<ByteChannel> mirrors = new ArrayList<>();
        ByteChannel source = null;
        ByteChannel sink = null;
        Route route = null;
        MirrorFailure policy = MirrorFailure.FAIL;
        for (String argument : arguments) {
            String value = argument.substring(argument.indexOf('=') + 1);
            switch (argument.substring(0, argument.indexOf('='))) {
                case "join" -> join.add(open(value, false));
                case "source" -> source = open(value, true);
                case "sink" -> sink = open(value, false);
                case "mirror" -> mirrors.add(open(value, false));
                case "route" -> route = Route.valueOf(value);
                case "policy" -> policy = MirrorFailure.valueOf(value);
                default -> throw new IllegalArgumentException(argument);
            }
        }
        if (!join.isEmpty()) {
            System.out.println(
                    route == null
                            ? Sluice.join(join.get(0), join.get(1))
                            : Sluice.join(join.get(0), join.get(1), route));
            return;
        }
        Pipeline pipeline = Pipeline.from(source);
        for (ByteChannel mirror : mirrors) {
            pipeline.mirror(mirror, policy);
        }
        try {
            TransferResult result = (route == null ? pipeline : pipeline.route(route)).to(sink);
            System.out.println("moved " + result);
        } catch (TransferException e) {
            System.out.println("failed " + e.side() + " " + e.call() + " accepted=" + e.accepted() + " residue="
                    + e.residue().remaining() + " " + e.getMessage());
            System.exit(FAILED);
        }
    }

    private static ByteChannel open(String where, boolean read) throws IOException {
        if (where.startsWith("tcp:") || where.startsWith("unix:")) {
            return StreamSocket.connect(Endpoint.parse(where));
        }
        return read
                ? KernelFile.open(Path.of(where))
                : KernelFile.open(Path.of(where), StandardOpenOption.WRITE, StandardOpenOption.CREATE);
    }
}
