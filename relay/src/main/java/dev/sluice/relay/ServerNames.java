package dev.sluice.relay;

import java.time.Duration;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;

/**
 * Where connections go to by the name of the server that a TLS client asks for (SNI). The relay only looks at what the
 * client says in the clear; it decrypts nothing, and the target gets every byte.
 *
 * <p>Who asks for another name, for none, or does not speak TLS, goes to the service's own targets, or is reset if {@link
 * #onlyThese()}. So is who does not say enough in time: a protocol in which the server speaks first does not fit here.
 *
 * @param groups by name, {@code www.example.com}, or by the end of it, {@code *.example.com}, which stands for all names
 *     below, but not for {@code example.com}. The whole name comes before its end, and the longer end before the shorter
 * @param onlyThese whether nobody goes to the service's own targets
 * @param timeout how long a client has to say which server it wants; positive
 */
public record ServerNames(Map<String, TargetGroup> groups, boolean onlyThese, Duration timeout) {
    private static final String ANY = "*.";

    private static final Duration TIMEOUT = Duration.ofSeconds(10);

    /** @throws IllegalArgumentException in one line, if there is no name, one twice, or one that no client asks for */
    public ServerNames {
        Map<String, TargetGroup> lower = new LinkedHashMap<>();
        groups.forEach((name, group) -> {
            String key = name.toLowerCase(Locale.ROOT);
            if (!ClientHello.isHostName(key.startsWith(ANY) ? key.substring(ANY.length()) : key)) {
                throw new IllegalArgumentException("bad server name '" + printable(name)
                        + "': write www.example.com or *.example.com; names of other scripts begin with xn--");
            }
            if (lower.put(key, Objects.requireNonNull(group, key)) != null) {
                throw new IllegalArgumentException("server name " + key + " is there twice");
            }
        });
        groups = Collections.unmodifiableMap(lower);
        if (groups.isEmpty()) {
            throw new IllegalArgumentException("there are no server names to go by");
        }
        Timeouts.requirePossible("timeout of the server name", timeout);
        if (!timeout.isPositive()) {
            throw new IllegalArgumentException("timeout of the server name " + timeout + " is not positive");
        }
    }

    private static String printable(String name) {
        return (name.length() > 64 ? name.substring(0, 64) + "..." : name).replaceAll("[^\\x20-\\x7e]", "?");
    }

    /** All others go to the service's own targets; ten seconds to say a name. */
    public static ServerNames of(Map<String, TargetGroup> groups) {
        return new ServerNames(groups, false, TIMEOUT);
    }

    /** With another {@link #onlyThese()}. */
    public ServerNames onlyThese(boolean only) {
        return new ServerNames(groups, only, timeout);
    }

    /** With another {@link #timeout()}. */
    public ServerNames timeout(Duration time) {
        return new ServerNames(groups, onlyThese, time);
    }

    /**
     * What belongs to the name, by the rules above; null if nothing does.
     *
     * @param by as {@link #groups()} has them
     * @param name in lower case; empty for none
     */
    static <T> T find(Map<String, T> by, String name) {
        T found = by.get(name);
        for (int dot = name.indexOf('.'); found == null && dot >= 0; dot = name.indexOf('.', dot + 1)) {
            found = by.get("*" + name.substring(dot));
        }
        return found;
    }
}
