package dev.sluice.cli;

import dev.sluice.io.Endpoint;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IExecutionExceptionHandler;
import picocli.CommandLine.IParameterExceptionHandler;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/** The {@code sluice} command: parses, runs one of the commands, and turns every failure into one line and a code. */
@Command(
        name = "sluice",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        scope = ScopeType.INHERIT,
        description = "Moves bytes between sockets and files inside the kernel.",
        synopsisSubcommandLabel = "COMMAND",
        footer = {
            "",
            "Addresses: host:port, :port, [v6]:port, tcp:host:port, unix:/path, unix:@name, fd:N. Port 0 takes a free port.",
            "Exit codes: 0 done or drained, 1 failed at run time, 2 usage, 69 cannot bind or reach the target,"
                    + " 78 bad configuration, 128+n stopped at once by a second signal n."
        })
public final class Main implements Runnable {
    private static final Map<String, Class<?>> COMMANDS = new LinkedHashMap<>();

    static {
        COMMANDS.put("relay", RelayCommand.class);
        COMMANDS.put("top", TopCommand.class);
        COMMANDS.put("record", RecordCommand.class);
        COMMANDS.put("send", SendCommand.class);
        COMMANDS.put("receive", ReceiveCommand.class);
        COMMANDS.put("bench", BenchCommand.class);
        COMMANDS.put("doctor", DoctorCommand.class);
        COMMANDS.put("demo", DemoCommand.class);
        COMMANDS.put(DemoPeersCommand.NAME, DemoPeersCommand.class);
        COMMANDS.put(TrainCommand.NAME, TrainCommand.class);
    }

    @Spec
    private CommandSpec spec;

    @Option(
            names = "--verbose",
            scope = ScopeType.INHERIT,
            description = "Say more, and show the stack trace of an error.")
    private boolean verbose;

    private Main() {}

    boolean verbose() {
        return verbose;
    }

    @Override
    public void run() {
        throw new ParameterException(
                spec.commandLine(), "which command? relay, top, record, send, receive, bench, doctor or demo");
    }

    /** Runs the command and exits the JVM with its code. */
    public static void main(String[] arguments) {
        System.exit(run(arguments));
    }

    static int run(String... arguments) {
        Main main = new Main();
        CommandLine line = new CommandLine(main);
        Class<?> named = arguments.length == 0 ? null : COMMANDS.get(arguments[0]);
        if (named != null) {
            // To read what is annotated at all the others would be a third of the time to start.
            line.addSubcommand(new CommandLine(named));
        } else {
            COMMANDS.values().forEach(command -> line.addSubcommand(new CommandLine(command)));
        }
        return line.registerConverter(Endpoint.class, Units::endpoint)
                .registerConverter(Duration.class, Units::duration)
                .setCaseInsensitiveEnumValuesAllowed(true)
                .setParameterExceptionHandler(usage())
                .setExecutionExceptionHandler(failure(main))
                .execute(arguments);
    }

    private static IParameterExceptionHandler usage() {
        return (e, arguments) -> {
            CommandLine command = e.getCommandLine();
            String name = command.getCommandSpec().qualifiedName();
            Console.say(Trouble.oneLine(e.getMessage()) + "; see '" + name + " --help'");
            // Whoever only checks wants to know whether it is good, and nothing else.
            return List.of(arguments).contains("--check") ? Failure.CONFIGURATION : Failure.USAGE;
        };
    }

    private static IExecutionExceptionHandler failure(Main main) {
        return (e, _, _) -> {
            Trouble.lines(e).forEach(Console::say);
            if (main.verbose) {
                e.printStackTrace();
            }
            return Trouble.exitCode(e);
        };
    }
}
