package dev.sluice.relay;

import dev.sluice.MirrorPolicy;
import dev.sluice.file.Recording.Rotation;
import java.nio.file.Path;
import java.util.Map;
import java.util.Objects;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;

/**
 * Records streams, each as a {@link dev.sluice.file.Recording} of its own: files and an index, from which the stream is
 * rebuilt and its gaps are seen. The index of one that is not of the whole stream ends with {@code cut}. Immutable: each
 * method gives a plan that differs in one choice.
 *
 * @param directory where the files are made; it has to exist
 * @param naming how recordings are called: {@code {session}}, which no other connection has at any time, and
 *     {@code {direction}} have to be in it; {@code {service}}, {@code {start}} and {@code {client}} may
 * @param rotation when to go on in the next file
 * @param directions which streams
 * @param policy with {@link dev.sluice.SlowMirror#DROP} a slow disk leaves gaps
 * @param sample which part of the connections is recorded
 */
public record RecordingPlan(
        Path directory, String naming, Rotation rotation, Directions directions, MirrorPolicy policy, double sample)
        implements Mirroring {
    /** Sorted by time. */
    public static final String NAMING = "{start}-{session}-{direction}";

    private static final int LONGEST = 150;
    private static final int LONGEST_WORD = 64;
    private static final Pattern WORD = Pattern.compile("\\{([a-z]*)}");
    private static final Map<String, String> SAMPLE =
            Map.of("session", "s", "direction", "d", "service", "s", "start", "t", "client", "c");

    public RecordingPlan {
        Objects.requireNonNull(directory, "directory");
        Objects.requireNonNull(rotation, "rotation");
        Objects.requireNonNull(directions, "directions");
        Objects.requireNonNull(policy, "policy");
        MirrorPoint.requirePart(sample);
        WORD.matcher(naming).results().map(match -> match.group(1)).forEach(word -> {
            if (!SAMPLE.containsKey(word)) {
                throw new IllegalArgumentException("naming '" + naming + "': there is no {" + word
                        + "}, only {session}, {direction}, {service}, {start} and {client}");
            }
        });
        if (!naming.contains("{session}") || !naming.contains("{direction}")) {
            throw new IllegalArgumentException("naming '" + naming
                    + "': without {session} and {direction} two recordings would have the same name");
        }
        if (naming.length() > LONGEST
                || !plain(WORD.matcher(naming).replaceAll(""))
                        .equals(WORD.matcher(naming).replaceAll(""))) {
            throw new IllegalArgumentException("naming '" + naming + "': besides the words in braces, up to " + LONGEST
                    + " letters, digits, '.', '_' and '-' make a name");
        }
    }

    /** Both directions of all connections, in one file each; a slow disk leaves gaps rather than hold a stream up for 200 ms. */
    public static RecordingPlan of(Path directory) {
        return new RecordingPlan(
                directory, NAMING, Rotation.NONE, Directions.BOTH, MirrorPolicy.gaps(MirrorTargets.PATIENCE), 1);
    }

    /** With another {@link #naming()}. */
    public RecordingPlan naming(String pattern) {
        return new RecordingPlan(directory, pattern, rotation, directions, policy, sample);
    }

    /** With another {@link #rotation()}. */
    public RecordingPlan rotation(Rotation when) {
        return new RecordingPlan(directory, naming, when, directions, policy, sample);
    }

    /** With other {@link #directions()}. */
    public RecordingPlan directions(Directions which) {
        return new RecordingPlan(directory, naming, rotation, which, policy, sample);
    }

    /** With another {@link #policy()}. */
    public RecordingPlan policy(MirrorPolicy other) {
        return new RecordingPlan(directory, naming, rotation, directions, other, sample);
    }

    /** With another {@link #sample()}. */
    public RecordingPlan sample(double part) {
        return new RecordingPlan(directory, naming, rotation, directions, policy, part);
    }

    @Override
    public String name() {
        return directory.toString();
    }

    /** The name of a recording, of these words. */
    String name(Map<String, String> words) {
        return WORD.matcher(naming).replaceAll((MatchResult match) -> {
            String word = plain(words.get(match.group(1)));
            return word.substring(0, Math.min(word.length(), LONGEST_WORD));
        });
    }

    /** What no file system and no shell takes amiss. */
    private static String plain(String text) {
        return text.replaceAll("[^A-Za-z0-9._-]", "_");
    }
}
