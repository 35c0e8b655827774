package dev.sluice.relay;

import dev.sluice.MirrorFailure;
import dev.sluice.SlowMirror;
import dev.sluice.internal.linux.Errno;
import dev.sluice.io.Endpoint;
import dev.sluice.io.MirrorResult;
import dev.sluice.io.SluiceException;
import dev.sluice.loop.Mirror;
import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.LongAdder;

/** A mirroring at work: what the connections of its service share. */
final class MirrorPoint {
    /** For how long a recording that is waited for is waited for. */
    private static final Duration OPENING = Duration.ofSeconds(10);

    private final Mirroring mirroring;
    private final Upstreams upstreams;

    private final LongAdder begun = new LongAdder();
    private final LongAdder active = new LongAdder();
    private final LongAdder missing = new LongAdder();
    private final LongAdder detached = new LongAdder();
    private final LongAdder bytes = new LongAdder();
    private final LongAdder missed = new LongAdder();

    private MirrorPoint(Mirroring mirroring, Upstreams upstreams) {
        this.mirroring = mirroring;
        this.upstreams = upstreams;
    }

    /**
     * Those of a service; who has not changed goes on as it is.
     *
     * @throws SluiceException if recordings are to be made where there is no directory
     */
    static List<MirrorPoint> of(Service service, List<MirrorPoint> before, Map<Endpoint, Upstream> known)
            throws IOException {
        List<MirrorPoint> points = new java.util.ArrayList<>();
        for (Mirroring mirroring : service.mirrors()) {
            MirrorPoint same = before.stream()
                    .filter(point -> point.mirroring.equals(mirroring) && !points.contains(point))
                    .findFirst()
                    .orElse(null);
            points.add(same != null ? same : begin(mirroring, known));
        }
        return List.copyOf(points);
    }

    private static MirrorPoint begin(Mirroring mirroring, Map<Endpoint, Upstream> known) throws IOException {
        return switch (mirroring) {
            case MirrorTargets to ->
                new MirrorPoint(
                        to,
                        new Upstreams(
                                to.targets(),
                                to.targets().targets().stream()
                                        .map(target -> known.get(target.endpoint()))
                                        .toList()));
            case RecordingPlan plan -> {
                if (!Files.isDirectory(plan.directory())) {
                    throw new SluiceException(
                            plan.directory() + ": recordings go to a directory that exists; create it",
                            "",
                            Errno.ENOENT);
                }
                yield new MirrorPoint(plan, null);
            }
        };
    }

    Mirroring mirroring() {
        return mirroring;
    }

    /** Null for recordings. */
    Upstreams upstreams() {
        return upstreams;
    }

    /** Throws unless it is a part of something. */
    static void requirePart(double sample) {
        if (!(sample > 0 && sample <= 1)) {
            throw new IllegalArgumentException("a sample of " + sample + " is not more than 0 and at most 1");
        }
    }

    /** How many descriptors a connection needs for it; a recording has an index beside its file. */
    static int descriptors(Mirroring mirroring) {
        int each = mirroring instanceof RecordingPlan ? 2 : 1;
        return each * (mirroring.directions() == Directions.BOTH ? 2 : 1);
    }

    /** Whether a connection fails without its copy. */
    boolean mustBe() {
        return mirroring.policy().onFailure() == MirrorFailure.FAIL;
    }

    /** Whether a connection waits for its copy, rather than to go on without it. */
    boolean awaited() {
        return mustBe() || mirroring.policy().onSlow() == SlowMirror.BLOCK;
    }

    /** How long a connection that has reached its target waits for its copy. */
    Duration patience() {
        if (!awaited()) {
            return mirroring.policy().patience();
        }
        return mirroring instanceof MirrorTargets to ? to.connectTimeout() : OPENING;
    }

    /** Whether the next connection is one of the sample. */
    boolean sampled() {
        return mirroring.sample() >= 1 || ThreadLocalRandom.current().nextDouble() < mirroring.sample();
    }

    Mirror.Terms terms() {
        return new Mirror.Terms(
                !mustBe(),
                Mirror.Slow.valueOf(mirroring.policy().onSlow().name()),
                mirroring.policy().patience().toNanos());
    }

    void begun() {
        begun.increment();
        active.increment();
    }

    /** A stream went on without its copy. */
    void missing() {
        missing.increment();
    }

    void ended(MirrorResult result) {
        active.decrement();
        bytes.add(result.bytes());
        missed.add(result.missed());
        if (result.failure().isPresent()) {
            detached.increment();
        }
    }

    RelayStats.OfMirror stats(String service) {
        return new RelayStats.OfMirror(
                service,
                mirroring.name(),
                begun.sum(),
                active.sum(),
                missing.sum(),
                detached.sum(),
                bytes.sum(),
                missed.sum());
    }
}
