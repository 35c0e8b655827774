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
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;

/** A mirroring at work: what the connections of its service share. */
final class MirrorPoint {
    /** For how long a recording that is waited for is waited for. */
    private static final Duration OPENING = Duration.ofSeconds(10);

    private static final System.Logger LOG = System.getLogger(MirrorPoint.class.getName());

    /** As long a silence follows a complaint. */
    private static final long COMPLAINT_NANOS = TimeUnit.SECONDS.toNanos(10);

    private final Mirroring mirroring;
    private final Upstreams upstreams;

    /** How the directory of recordings stands: one that is too slow is left for a while, as a target is. */
    private final Standing directory = new Standing();

    private final AtomicLong silentUntil = new AtomicLong(System.nanoTime());

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
        List<MirrorPoint> points = new ArrayList<>();
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
            case MirrorTargets to -> new MirrorPoint(to, new Upstreams(to.targets(), known));
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

    Standing directory() {
        return directory;
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
    void missing(SluiceException why) {
        missing.increment();
        complain(why);
    }

    /** Whoever reads no records has to know, too. */
    private void complain(SluiceException why) {
        long now = System.nanoTime();
        long until = silentUntil.get();
        if (now - until >= 0 && silentUntil.compareAndSet(until, now + COMPLAINT_NANOS)) {
            LOG.log(
                    System.Logger.Level.WARNING,
                    "{0}; of the copies to {1}, {2} are missing and {3} are cut short",
                    why.getMessage(),
                    mirroring.name(),
                    String.valueOf(missing.sum()),
                    String.valueOf(detached.sum()));
        }
    }

    void ended(MirrorResult result) {
        active.decrement();
        bytes.add(result.bytes());
        missed.add(result.missed());
        result.failure().ifPresent(why -> {
            detached.increment();
            complain(why);
        });
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
