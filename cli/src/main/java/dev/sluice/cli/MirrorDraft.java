package dev.sluice.cli;

import dev.sluice.MirrorFailure;
import dev.sluice.MirrorPolicy;
import dev.sluice.SlowMirror;
import dev.sluice.file.Recording.Rotation;
import dev.sluice.io.Endpoint;
import dev.sluice.relay.Directions;
import dev.sluice.relay.MirrorTargets;
import dev.sluice.relay.Mirroring;
import dev.sluice.relay.RecordingPlan;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Where a service's connections are copied to, while it is being read. */
final class MirrorDraft {
    private static final Duration PATIENCE = Duration.ofMillis(200);

    static final List<Key<MirrorDraft>> KEYS = List.of(
            Key.of(
                    "mirror",
                    Kind.listOf(Kind.ADDRESS),
                    "Copy connections to this target, too; what it answers is discarded. May be repeated.",
                    (draft, addresses) -> draft.mirrors = addresses),
            Key.of(
                    "mirror-direction",
                    Kind.choice(Directions.class),
                    "Copy what clients send, what targets send, or each over a connection of its own (to-target).",
                    (draft, directions) -> draft.mirrorDirections = directions),
            Key.of(
                    "mirror-on-slow",
                    Kind.choice(SlowMirror.class),
                    "When a mirror holds a stream up for longer than mirror-patience: wait for it all the same, or go on"
                            + " without it (detach).",
                    (draft, slow) -> draft.mirrorOnSlow = slow),
            Key.of(
                    "mirror-on-failure",
                    Kind.choice(MirrorFailure.class),
                    "When a mirror fails: end the connection, or go on without it (detach).",
                    (draft, failure) -> draft.mirrorOnFailure = failure),
            Key.of(
                    "mirror-patience",
                    Kind.TIME,
                    "How long a mirror may hold a stream up, its beginning included (200ms).",
                    (draft, time) -> draft.mirrorPatience = time),
            Key.of(
                    "mirror-connect-timeout",
                    Kind.TIME,
                    "How long to wait for a mirror at all (1s).",
                    (draft, time) -> draft.mirrorConnectTimeout = time),
            Key.of(
                    "mirror-sample",
                    Kind.PART,
                    "Copy this part of the connections, chosen at random (1: all).",
                    (draft, part) -> draft.mirrorSample = part),
            Key.of(
                    "record",
                    Kind.DIRECTORY,
                    "Record connections into this directory, each direction in files of its own with an index.",
                    (draft, directory) -> draft.record = Optional.of(RecordingPlan.of(directory))),
            Key.of(
                    "record-direction",
                    Kind.choice(Directions.class),
                    "Record what clients send, what targets send, or both (both).",
                    (draft, directions) -> draft.recordDirections = directions),
            Key.of(
                    "record-name",
                    Kind.text("NAME", "a name", MirrorDraft::naming),
                    "How recordings are called (" + RecordingPlan.NAMING + "); {service} and {client} are known, too.",
                    (draft, name) -> draft.recordName = name),
            Key.of(
                    "record-on-slow",
                    Kind.choice(SlowMirror.class),
                    "When the disk holds a stream up for longer than record-patience: wait for it all the same, go on"
                            + " without it, or leave a gap and mark it in the index (drop).",
                    (draft, slow) -> draft.recordOnSlow = slow),
            Key.of(
                    "record-on-failure",
                    Kind.choice(MirrorFailure.class),
                    "When a recording can't be written: end the connection, or go on without it (detach).",
                    (draft, failure) -> draft.recordOnFailure = failure),
            Key.of(
                    "record-patience",
                    Kind.TIME,
                    "How long the disk may hold a stream up, its beginning included (200ms).",
                    (draft, time) -> draft.recordPatience = time),
            Key.of(
                    "record-sample",
                    Kind.PART,
                    "Record this part of the connections, chosen at random (1: all).",
                    (draft, part) -> draft.recordSample = part),
            Key.of(
                    "record-rotate-size",
                    Kind.SIZE,
                    "Go on in the next file after so many bytes (0: never).",
                    (draft, size) -> draft.recordRotateSize = size),
            Key.of(
                    "record-rotate-time",
                    Kind.TIME,
                    "Go on in the next file after so much time, when bytes come (0s: never).",
                    (draft, time) -> draft.recordRotateTime = time));

    private List<Endpoint> mirrors = List.of();
    private Directions mirrorDirections = Directions.TO_TARGET;
    private SlowMirror mirrorOnSlow = SlowMirror.DETACH;
    private MirrorFailure mirrorOnFailure = MirrorFailure.DETACH;
    private Duration mirrorPatience = PATIENCE;
    private Duration mirrorConnectTimeout = Duration.ofSeconds(1);
    private double mirrorSample = 1;
    private Optional<RecordingPlan> record = Optional.empty();
    private Directions recordDirections = Directions.BOTH;
    private String recordName = RecordingPlan.NAMING;
    private SlowMirror recordOnSlow = SlowMirror.DROP;
    private MirrorFailure recordOnFailure = MirrorFailure.DETACH;
    private Duration recordPatience = PATIENCE;
    private double recordSample = 1;
    private long recordRotateSize;
    private Duration recordRotateTime = Duration.ZERO;

    /** @throws IllegalArgumentException in one line, if something does not fit */
    Mirroring[] build() {
        List<Mirroring> all = new ArrayList<>();
        for (Endpoint mirror : mirrors) {
            all.add(MirrorTargets.of(mirror)
                    .directions(mirrorDirections)
                    .policy(new MirrorPolicy(mirrorOnFailure, mirrorOnSlow, mirrorPatience))
                    .connectTimeout(mirrorConnectTimeout)
                    .sample(mirrorSample));
        }
        record.ifPresent(plan -> all.add(plan.directions(recordDirections)
                .naming(recordName)
                .rotation(new Rotation(recordRotateSize, recordRotateTime))
                .policy(new MirrorPolicy(recordOnFailure, recordOnSlow, recordPatience))
                .sample(recordSample)));
        return all.toArray(Mirroring[]::new);
    }

    private static String naming(String name) {
        return RecordingPlan.of(Path.of("")).naming(name).naming();
    }
}
