package dev.sluice.cli;

import dev.sluice.relay.Target;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** Forwards connections until a signal comes. */
@Command(
        name = "relay",
        modelTransformer = RelayOptions.class,
        description = {
            "Forward connections.",
            "Each connection goes to one of the targets; if that can't be reached, to another.",
            "With --config, a file says what to do instead, for any number of services; its keys have the names of the"
                    + " options. SIGHUP reads it again."
        },
        footerHeading = "%n",
        footer = {
            "LISTEN may also be 'systemd' for all the sockets that systemd passes on, or fd:NAME for those of a name.",
            ""
        })
final class RelayCommand implements Callable<Integer> {
    final ServiceDraft service = new ServiceDraft();
    final RelayDraft whole = new RelayDraft();

    @Parameters(
            index = "0",
            arity = "0..1",
            paramLabel = "LISTEN[,LISTEN...]",
            description = "Where connections come in.")
    private String listen;

    @Parameters(index = "1..*", arity = "0..*", paramLabel = "TARGET", description = "Where they go to.")
    private List<String> targets = List.of();

    @Option(names = "--config", paramLabel = "FILE", description = "Do what this file says (TOML).")
    private Path config;

    @Option(
            names = "--check",
            description = "Only say whether the configuration is good: exit code 0, or 78 and what is wrong.")
    private boolean check;

    @Option(names = "--print-address", description = "Print 'listening ADDRESS' on stdout once ready.")
    private boolean printAddress;

    @Option(names = "--json", description = "The same as --log json.")
    private boolean json;

    @Spec
    private CommandSpec spec;

    @ParentCommand
    private Main main;

    /** What the options put into the drafts, by their names. */
    private final Map<String, Runnable> given = new LinkedHashMap<>();

    /** An option was given. It takes effect once the whole command line is known. */
    void given(String option, Runnable effect) {
        given.put(option, effect);
    }

    @Override
    public Integer call() throws Exception {
        PassedSockets passed = check ? PassedSockets.unknown() : RelayProgram.passed();
        Settings settings = config != null ? fromFile(passed) : fromCommandLine(passed);
        if (check) {
            Console.say((config != null ? config : "command line") + " is good: " + settings);
            return 0;
        }
        new RelayProgram(settings, Optional.ofNullable(config), printAddress, main.verbose()).run();
        return 0;
    }

    private Settings fromFile(PassedSockets passed) throws BadConfiguration {
        if (listen != null) {
            throw usage("with --config, the file says where to listen: write 'listen' and 'targets' there");
        }
        if (json) {
            throw usage("with --config, write log = \"json\" into the file instead of --json");
        }
        if (!given.isEmpty()) {
            String option = given.keySet().iterator().next();
            throw usage("with --config, write '" + option.substring(2) + "' into the file instead of " + option);
        }
        return ConfigFile.read(config, System.getenv(), passed);
    }

    private Settings fromCommandLine(PassedSockets passed) {
        if (targets.isEmpty()) {
            throw usage("missing: " + (listen == null ? "LISTEN and " : "") + "TARGET, or --config");
        }
        if (json) {
            whole.log(RecordLog.Format.JSON);
        }
        argument("LISTEN", () -> service.listen = Kind.LISTEN.ofText().apply(listen));
        argument(
                "TARGET",
                () -> service.targets = targets.stream()
                        .map(target -> Target.of(Units.endpoint(target)))
                        .toList());
        given.forEach(this::argument);
        try {
            return whole.build(List.of(service.build("relay", passed)));
        } catch (IllegalArgumentException e) {
            throw usage(e.getMessage());
        }
    }

    /** A value that can be read, but not be. */
    private void argument(String name, Runnable effect) {
        try {
            effect.run();
        } catch (IllegalArgumentException | TypeConversionException e) {
            throw usage(name + ": " + e.getMessage());
        }
    }

    private ParameterException usage(String message) {
        return new ParameterException(spec.commandLine(), message);
    }
}
