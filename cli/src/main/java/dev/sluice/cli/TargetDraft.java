package dev.sluice.cli;

import dev.sluice.io.Endpoint;
import dev.sluice.relay.Target;
import java.util.List;

/** A target while it is being read: an address alone, or a table. */
final class TargetDraft {
    static final List<Key<TargetDraft>> KEYS = List.of(
            Key.inFile("address", Kind.ADDRESS, (draft, address) -> draft.address = address),
            Key.inFile("weight", Kind.number(1, Target.MAX_WEIGHT), (draft, weight) -> draft.weight = weight),
            Key.inFile(
                    "max-connections",
                    Kind.number(0, Integer.MAX_VALUE),
                    (draft, number) -> draft.maxConnections = number));

    static final Kind<Target> KIND = Kind.table(
            Kind.text(
                    "ADDRESS",
                    "an address such as \"host:8080\", or a table such as { address = \"host:8080\", weight = 2 }",
                    text -> Target.of(Units.endpoint(text))),
            TargetDraft::new,
            KEYS,
            TargetDraft::build);

    private Endpoint address;
    private int weight = 1;
    private int maxConnections;

    private Target build() {
        if (address == null) {
            throw new IllegalArgumentException("address is missing");
        }
        return new Target(address, weight, maxConnections);
    }
}
