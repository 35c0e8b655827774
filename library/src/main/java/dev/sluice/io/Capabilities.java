package dev.sluice.io;

import java.util.List;
import java.util.Objects;

/**
 * What this kernel, JVM and configuration can do. Probed, never concluded from a version number.
 *
 * @param findings one line per capability
 */
public record Capabilities(List<Finding> findings) {
    public Capabilities {
        findings = List.copyOf(findings);
    }

    /**
     * One capability.
     *
     * @param name a short name, such as {@code splice}
     * @param available whether it works here
     * @param detail what was found
     * @param remedy which flag or limit would bring it back, or empty
     */
    public record Finding(String name, boolean available, String detail, String remedy) {
        public Finding {
            Objects.requireNonNull(name, "name");
            Objects.requireNonNull(detail, "detail");
            Objects.requireNonNull(remedy, "remedy");
        }
    }

    /** Whether the capability of this name works here; false for an unknown name. */
    public boolean has(String name) {
        return findings.stream().anyMatch(f -> f.name().equals(name) && f.available());
    }
}
