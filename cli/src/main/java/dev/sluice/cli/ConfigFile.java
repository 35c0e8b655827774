package dev.sluice.cli;

import dev.sluice.relay.RelayConfig;
import dev.sluice.relay.Service;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.tomlj.Toml;
import org.tomlj.TomlParseResult;
import org.tomlj.TomlPosition;

/** Reads a relay's settings from a TOML file, and says everything that is wrong with it, each with its line. */
final class ConfigFile implements TomlValue.Source {
    private static final long LARGEST = 16 << 20;
    private static final int MOST_PROBLEMS = 20;
    private static final TomlPosition START = TomlPosition.positionAt(1, 1);

    private static final Kind<TomlValue> TABLE = new Kind<>("", false, null, table -> table);

    private static final List<Key<Tables>> TABLES = List.of(
            Key.inFile("defaults", TABLE, (tables, table) -> tables.defaults = Optional.of(table)),
            Key.inFile("service", TABLE, (tables, table) -> tables.services.putAll(table.entries())));

    /** All keys of the top, tables among them. */
    static final List<Key<Tables>> TOP = Stream.concat(
                    RelayDraft.KEYS.stream().map(key -> key.within((Tables tables) -> tables.relay)), TABLES.stream())
            .toList();

    /** What the top of the file has, while it is being read. */
    static final class Tables {
        private final RelayDraft relay = new RelayDraft();
        private final SequencedMap<String, TomlValue> services = new LinkedHashMap<>();
        private Optional<TomlValue> defaults = Optional.empty();
    }

    private record Problem(TomlPosition at, String what) {
        private static final Comparator<Problem> IN_ORDER =
                Comparator.comparing(Problem::at, TomlValue.IN_ORDER).thenComparing(Problem::what);
    }

    private final Path file;
    private final Map<String, String> environment;
    private final PassedSockets passed;

    /** Without duplicates: the defaults are read once for each service. */
    private final TreeSet<Problem> problems = new TreeSet<>(Problem.IN_ORDER);

    private ConfigFile(Path file, Map<String, String> environment, PassedSockets passed) {
        this.file = file;
        this.environment = environment;
        this.passed = passed;
    }

    /**
     * Reads the whole file.
     *
     * @param environment for {@code ${NAME}} in strings
     */
    static Settings read(Path file, Map<String, String> environment, PassedSockets passed) throws BadConfiguration {
        ConfigFile reading = new ConfigFile(file, environment, passed);
        TomlParseResult parsed = reading.parse();
        Tables tables = reading.tables(parsed);
        SequencedMap<Service, TomlPosition> services = reading.services(tables);
        reading.throwProblems();
        return reading.settings(parsed, tables.relay, services);
    }

    private TomlParseResult parse() throws BadConfiguration {
        try {
            if (Files.size(file) > LARGEST) {
                throw new BadConfiguration(List.of(file + ": larger than " + Units.bytes(LARGEST)));
            }
            TomlParseResult parsed = Toml.parse(Files.readString(file));
            parsed.errors().forEach(error -> problem(error.position(), error.getMessage()));
            throwProblems();
            return parsed;
        } catch (CharacterCodingException e) {
            throw new BadConfiguration(List.of(file + ": not UTF-8"));
        } catch (IOException e) {
            throw new BadConfiguration(List.of(Trouble.describe(e)));
        } catch (StackOverflowError e) {
            throw new BadConfiguration(List.of(file + ": nested too deeply"));
        }
    }

    private Tables tables(TomlParseResult parsed) {
        Tables tables = new Tables();
        new TomlValue(parsed, START, this).fill(tables, TOP);
        if (!parsed.contains("service")) {
            problem(START, "no [service.NAME] table: there is nothing to forward");
        }
        return tables;
    }

    private SequencedMap<Service, TomlPosition> services(Tables tables) {
        SequencedMap<Service, TomlPosition> services = new LinkedHashMap<>();
        tables.services.forEach((name, table) -> table.attempt("service " + name, () -> {
            ServiceDraft draft = new ServiceDraft();
            boolean good = tables.defaults
                    .map(values -> values.fill(draft, ServiceDraft.DEFAULTS))
                    .orElse(true);
            if (table.fill(draft, ServiceDraft.KEYS) && good) {
                // Else what could not be read would be missed once more.
                services.put(draft.build(name, passed), table.at());
            }
        }));
        return services;
    }

    private Settings settings(TomlParseResult parsed, RelayDraft relay, SequencedMap<Service, TomlPosition> services)
            throws BadConfiguration {
        try {
            return relay.build(List.copyOf(services.sequencedKeySet()));
        } catch (IllegalArgumentException e) {
            // What does not go with another key says so first.
            TomlPosition key = parsed.inputPositionOf(List.of(e.getMessage().split(" ", 2)[0]));
            problem(key != null ? key : firstMisfit(services), e.getMessage());
            throwProblems();
            throw e;
        }
    }

    /** The first service that does not go together with those before it. */
    private static TomlPosition firstMisfit(SequencedMap<Service, TomlPosition> services) {
        List<Service> fitting = new ArrayList<>();
        for (Map.Entry<Service, TomlPosition> service : services.entrySet()) {
            fitting.add(service.getKey());
            try {
                RelayConfig.of(fitting.toArray(Service[]::new));
            } catch (IllegalArgumentException e) {
                return service.getValue();
            }
        }
        return START;
    }

    @Override
    public void problem(TomlPosition at, String what) {
        problems.add(new Problem(at, what));
    }

    @Override
    public Optional<String> elsewhere(String key) {
        if (Key.names(RelayDraft.KEYS).contains(key)) {
            return Optional.of("it belongs to the top of the file, before the first table");
        }
        if (Key.names(ServiceDraft.KEYS).contains(key)) {
            return Optional.of("it belongs into a table [service.NAME]");
        }
        return Optional.empty();
    }

    @Override
    public Optional<String> variable(String name) {
        return Optional.ofNullable(environment.get(name));
    }

    private void throwProblems() throws BadConfiguration {
        if (problems.isEmpty()) {
            return;
        }
        List<String> lines = new ArrayList<>();
        for (Problem problem : problems) {
            if (lines.size() == MOST_PROBLEMS) {
                lines.add(file + ": and " + (problems.size() - MOST_PROBLEMS) + " more");
                break;
            }
            lines.add(file + ":" + problem.at().line() + ":" + problem.at().column() + ": " + oneLine(problem.what()));
        }
        throw new BadConfiguration(lines);
    }

    private static String oneLine(String text) {
        return Trouble.oneLine(text).replaceAll("\\p{Cntrl}", "?");
    }
}
