package dev.sluice.cli;

import java.util.List;
import picocli.CommandLine.IModelTransformer;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.ISetter;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.TypeConversionException;

/** Gives {@code sluice relay} an option for each key that a file may have. */
final class RelayOptions implements IModelTransformer {
    @Override
    public CommandSpec transform(CommandSpec command) {
        RelayCommand relay = (RelayCommand) command.userObject();
        add(command, relay, ServiceDraft.DEFAULTS, relay.service);
        add(command, relay, RelayDraft.KEYS, relay.whole);
        return command;
    }

    private static <D> void add(CommandSpec command, RelayCommand relay, List<Key<D>> keys, D draft) {
        for (Key<D> key : keys) {
            if (key.option()) {
                String name = "--" + key.name();
                command.addOption(OptionSpec.builder(name)
                        .paramLabel(key.kind().label())
                        .description(key.meaning())
                        // Lists are joined, one for each time that the option is given.
                        .type(key.kind().many() ? List.class : Object.class)
                        .auxiliaryTypes(Object.class)
                        .converters(text -> read(key.kind(), text))
                        .setter(new ISetter() {
                            @Override
                            public <T> T set(T value) {
                                if (value != null) {
                                    relay.given(name, () -> key.put().accept(draft, value));
                                }
                                return null;
                            }
                        })
                        .build());
            }
        }
    }

    private static Object read(Kind<?> kind, String text) {
        try {
            return kind.ofText().apply(text);
        } catch (IllegalArgumentException e) {
            throw new TypeConversionException(e.getMessage());
        }
    }
}
