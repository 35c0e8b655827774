package dev.sluice.relay;

import dev.sluice.file.Recording;
import dev.sluice.internal.fd.Descriptor;
import dev.sluice.internal.fd.Descriptors;
import dev.sluice.internal.linux.Errno;
import dev.sluice.io.SluiceException;
import dev.sluice.loop.BlockingPool;
import dev.sluice.loop.EventLoop;
import java.io.IOException;
import java.util.concurrent.RejectedExecutionException;

/** A copy that goes to files. They are opened and closed aside, since a disk may take its time. */
final class RecordingTap extends Tap {
    private static final System.Logger LOG = System.getLogger(RecordingTap.class.getName());

    private static final String TOO_LATE = "the stream had gone on when this was opened";

    private final RecordingPlan plan;
    private final String name;
    private Standing.Claim claim;
    private Recording recording;
    private boolean parting;
    private boolean closing;

    /** What comes of opening is to be closed when it comes. */
    private volatile boolean unwanted;

    RecordingTap(MirrorPoint point, Directions direction, EventLoop loop, Runnable onChange, String name) {
        super(point, direction, loop, onChange);
        this.plan = (RecordingPlan) point.mirroring();
        this.name = name;
    }

    @Override
    void open() {
        claim = point.directory().claim(System.nanoTime());
        if (claim == Standing.Claim.NONE && !point.awaited()) {
            absent(new SluiceException(plan.directory() + ": left for a while, since the disk was too slow", "", 0));
            return;
        }
        BlockingPool.shared().execute(() -> {
            try {
                Recording made = Recording.open(plan.directory(), name, plan.rotation());
                if (unwanted || !tell(() -> made(made))) {
                    close(made, TOO_LATE);
                }
            } catch (IOException | RuntimeException e) {
                IOException why = e instanceof IOException io ? io : new IOException(e);
                tell(() -> {
                    if (state() == State.OPENING) {
                        // It was quick to say so.
                        point.directory().unknown(claim);
                        absent(describe("open", why));
                    }
                });
            }
        });
    }

    private void made(Recording made) {
        recording = made;
        if (state() == State.OPENING) {
            point.directory().reached();
            opened();
        } else {
            // Too late: the stream has gone on.
            close(false);
        }
    }

    @Override
    void giveUp(boolean tooSlow) {
        unwanted = true;
        if (tooSlow) {
            point.directory().failed(claim, System.nanoTime());
        } else {
            point.directory().unknown(claim);
        }
    }

    @Override
    Descriptor descriptor() {
        return Descriptors.sink(recording);
    }

    @Override
    void flowing() {
        // Nothing ever comes from a file.
    }

    /** A recording that seems to be whole stays open until its connection parts: the end of the stream may prove false. */
    @Override
    void close(boolean whole) {
        if (closing || whole && !parting) {
            return;
        }
        closing = true;
        String why = whole ? null : failure() != null ? failure().getMessage() : "this is not the whole stream";
        BlockingPool.shared().execute(() -> {
            SluiceException spoilt = close(recording, why);
            tell(() -> closed(spoilt));
        });
    }

    private SluiceException close(Recording what, String why) {
        try {
            if (why == null) {
                what.close();
            } else {
                what.cut(why);
            }
            return null;
        } catch (IOException e) {
            return describe("write", e);
        }
    }

    /** False if the relay is closed. */
    private boolean tell(Runnable news) {
        try {
            loop.execute(news);
            return true;
        } catch (RejectedExecutionException e) {
            return false;
        }
    }

    @Override
    void part() {
        parting = true;
        if (state() == State.PARTING) {
            close(true);
        }
    }

    private void closed(SluiceException spoilt) {
        if (spoilt != null) {
            if (state() == State.PARTING) {
                spoilt(spoilt);
            } else {
                LOG.log(System.Logger.Level.WARNING, "{0}", spoilt.getMessage());
            }
        }
        gone();
    }

    @Override
    void hurry() {
        if (state() == State.PARTING) {
            spoilt(new SluiceException(
                    plan.directory().resolve(name) + ": not closed yet, the disk is slow", "", Errno.EAGAIN));
            gone();
        }
    }

    private SluiceException describe(String call, IOException why) {
        if (why instanceof SluiceException known) {
            return known;
        }
        String what = why.getMessage() == null ? why.toString() : why.getMessage();
        return new SluiceException(plan.directory().resolve(name) + ": " + call + ": " + what, call, 0);
    }
}
