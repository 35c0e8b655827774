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
import dev.sluice.relay.Service;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** Where the relay copies its connections to. */
final class MirrorOptions {
    private static final String DIRECTIONS = "to-target|to-client|both";

    @Option(
            names = "--mirror",
            paramLabel = "ADDRESS",
            description = "Copy connections to this target, too; what it answers is discarded. May be repeated.")
    private List<Endpoint> mirrors = List.of();

    @Option(
            names = "--mirror-direction",
            paramLabel = DIRECTIONS,
            defaultValue = "to-target",
            converter = Direction.class,
            description =
                    "Copy what clients send, what targets send, or each over a connection of its own (to-target).")
    private Directions mirrorDirections;

    @Option(
            names = "--mirror-on-slow",
            paramLabel = "block|detach",
            defaultValue = "detach",
            description = {
                "When a mirror holds a stream up for longer than --mirror-patience: wait for it all the same,",
                "or go on without it (detach)."
            })
    private SlowMirror mirrorOnSlow;

    @Option(
            names = "--mirror-on-failure",
            paramLabel = "fail|detach",
            defaultValue = "detach",
            description = "When a mirror fails: end the connection, or go on without it (detach).")
    private MirrorFailure mirrorOnFailure;

    @Option(
            names = "--mirror-patience",
            paramLabel = "TIME",
            defaultValue = "200ms",
            description = "How long a mirror may hold a stream up, its beginning included (200ms).")
    private Duration mirrorPatience;

    @Option(
            names = "--mirror-connect-timeout",
            paramLabel = "TIME",
            defaultValue = "1s",
            description = "How long to wait for a mirror at all (1s).")
    private Duration mirrorConnectTimeout;

    @Option(
            names = "--mirror-sample",
            paramLabel = "PART",
            defaultValue = "1",
            description = "Copy this part of the connections, chosen at random (1: all).")
    private double mirrorSample;

    @Option(
            names = "--record",
            paramLabel = "DIR",
            description = "Record connections into this directory, each direction in files of its own with an index.")
    private Path record;

    @Option(
            names = "--record-direction",
            paramLabel = DIRECTIONS,
            defaultValue = "both",
            converter = Direction.class,
            description = "Record what clients send, what targets send, or both (both).")
    private Directions recordDirections;

    @Option(
            names = "--record-name",
            paramLabel = "NAME",
            defaultValue = RecordingPlan.NAMING,
            description =
                    "How recordings are called (" + RecordingPlan.NAMING + "); {service} and {client} are known, too.")
    private String recordName;

    @Option(
            names = "--record-on-slow",
            paramLabel = "block|detach|drop",
            defaultValue = "drop",
            description = {
                "When the disk holds a stream up for longer than --record-patience: wait for it all the same,",
                "go on without it, or leave a gap and mark it in the index (drop)."
            })
    private SlowMirror recordOnSlow;

    @Option(
            names = "--record-on-failure",
            paramLabel = "fail|detach",
            defaultValue = "detach",
            description = "When a recording can't be written: end the connection, or go on without it (detach).")
    private MirrorFailure recordOnFailure;

    @Option(
            names = "--record-patience",
            paramLabel = "TIME",
            defaultValue = "200ms",
            description = "How long the disk may hold a stream up, its beginning included (200ms).")
    private Duration recordPatience;

    @Option(
            names = "--record-sample",
            paramLabel = "PART",
            defaultValue = "1",
            description = "Record this part of the connections, chosen at random (1: all).")
    private double recordSample;

    @Option(
            names = "--record-rotate-size",
            paramLabel = "SIZE",
            defaultValue = "0",
            converter = Units.Size.class,
            description = "Go on in the next file after so many bytes.")
    private long recordRotateSize;

    @Option(
            names = "--record-rotate-time",
            paramLabel = "TIME",
            defaultValue = "0s",
            description = "Go on in the next file after so much time, when bytes come.")
    private Duration recordRotateTime;

    @Spec(Spec.Target.MIXEE)
    private CommandSpec command;

    /** As enums are written in Java, but for the hyphen. */
    static final class Direction implements ITypeConverter<Directions> {
        @Override
        public Directions convert(String text) {
            try {
                return Directions.valueOf(text.toUpperCase(Locale.ROOT).replace('-', '_'));
            } catch (IllegalArgumentException e) {
                throw new TypeConversionException("'" + text + "' is none of " + DIRECTIONS);
            }
        }
    }

    /** The service with the copies that were asked for. */
    Service on(Service service) {
        try {
            List<Mirroring> all = new ArrayList<>();
            for (Endpoint mirror : mirrors) {
                all.add(MirrorTargets.of(mirror)
                        .directions(mirrorDirections)
                        .policy(new MirrorPolicy(mirrorOnFailure, mirrorOnSlow, mirrorPatience))
                        .connectTimeout(mirrorConnectTimeout)
                        .sample(mirrorSample));
            }
            if (record != null) {
                all.add(RecordingPlan.of(record)
                        .directions(recordDirections)
                        .naming(recordName)
                        .rotation(new Rotation(recordRotateSize, recordRotateTime))
                        .policy(new MirrorPolicy(recordOnFailure, recordOnSlow, recordPatience))
                        .sample(recordSample));
            }
            return service.mirrors(all.toArray(Mirroring[]::new));
        } catch (IllegalArgumentException e) {
            throw new ParameterException(command.commandLine(), e.getMessage());
        }
    }
}
