package dev.sluice.relay;

import dev.sluice.internal.fd.Descriptor;
import dev.sluice.io.MirrorResult;
import dev.sluice.io.Route;
import dev.sluice.io.SluiceException;
import dev.sluice.loop.EventLoop;
import dev.sluice.loop.Mirror;
import java.io.IOException;
import java.nio.channels.ClosedChannelException;
import java.util.Optional;

/**
 * The copy of one direction of one connection: it is opened, flows as a mirror of the direction's pump, and ends with it or
 * before. On the connection's loop.
 */
abstract sealed class Tap permits ConnectionTap, RecordingTap {
    enum State {
        NEW,
        OPENING,
        /** There, and waiting for the stream to begin. */
        OPEN,
        FLOWING,
        /** The stream has ended, and what is left is to be closed. */
        PARTING,
        /** Nothing of it is left. */
        GONE
    }

    final MirrorPoint point;
    final Directions direction;
    final EventLoop loop;
    private final Runnable onChange;

    private State state = State.NEW;
    private Mirror mirror;
    private SluiceException failure;
    private MirrorResult result;

    /** @param onChange run when it has opened, failed to, or is gone */
    Tap(MirrorPoint point, Directions direction, EventLoop loop, Runnable onChange) {
        this.point = point;
        this.direction = direction;
        this.loop = loop;
        this.onChange = onChange;
    }

    /** Begins to open; {@link #opened} or {@link #absent} follows, perhaps before this returns. */
    abstract void open();

    /** No longer wanted while opening: neither follows. */
    abstract void giveUp(boolean tooSlow);

    abstract Descriptor descriptor();

    /** The mirror has begun. */
    abstract void flowing();

    /** Closes what is open, as the copy of a whole stream or as a part of one; {@link #gone} follows. */
    abstract void close(boolean whole);

    /** The connection is closed: what its directions were is known now. */
    abstract void part();

    /** Who waits for {@link #gone} has waited long enough. */
    abstract void hurry();

    final State state() {
        return state;
    }

    final Mirror mirror() {
        return mirror;
    }

    final SluiceException failure() {
        return failure;
    }

    final void begin() {
        state = State.OPENING;
        open();
    }

    final void opened() {
        state = State.OPEN;
        onChange.run();
    }

    final void absent(IOException why) {
        failure = why instanceof SluiceException known
                ? known
                : new SluiceException(why.getMessage() == null ? why.toString() : why.getMessage(), "", 0);
        state = State.GONE;
        onChange.run();
    }

    /** The stream goes on without it. */
    final void tooSlow(SluiceException why) {
        if (state == State.OPENING) {
            giveUp(true);
            absent(why);
        }
    }

    /** Becomes a mirror; null if it is not there, or is gone already. */
    final Mirror join() {
        if (state == State.OPEN) {
            try {
                mirror = Mirror.of(descriptor(), point.terms(), () -> loop.execute(this::detached));
                state = State.FLOWING;
                point.begun();
                flowing();
                return mirror;
            } catch (ClosedChannelException e) {
                absent(e);
            }
        }
        point.missing(failure);
        return null;
    }

    private void detached() {
        if (state == State.FLOWING) {
            failure = mirror.detachment();
            state = State.PARTING;
            close(false);
        }
    }

    /** It has found out by itself that it is broken. */
    final void broken(String call, int errno) {
        failure = Descriptor.failure(call, descriptor().name(), -errno);
        if (state == State.FLOWING) {
            mirror.broken(call, errno);
        } else if (state == State.PARTING) {
            close(false);
        }
    }

    /** The stream has ended. */
    final void ended(MirrorResult what, boolean whole) {
        result = what;
        if (state == State.FLOWING) {
            failure = what.failure().orElse(failure);
            state = State.PARTING;
            close(whole && what.failure().isEmpty());
        }
    }

    /** There is no stream, or what seemed to be its end is not. */
    final void abandon() {
        switch (state) {
            case OPENING -> {
                giveUp(false);
                state = State.GONE;
            }
            case OPEN, PARTING -> {
                state = State.PARTING;
                close(false);
            }
            case NEW -> state = State.GONE;
            case FLOWING, GONE -> {
                // The pump has its end first; or there is nothing left to do.
            }
        }
    }

    /** Something went wrong while closing, which the account of the pump can't know. */
    final void spoilt(SluiceException why) {
        failure = why;
    }

    final void gone() {
        if (state != State.GONE) {
            state = State.GONE;
            onChange.run();
        }
    }

    /** At the end: for the connection's record. */
    final MirrorResult result() {
        if (result == null) {
            String name = point.mirroring().name();
            return new MirrorResult(name, 0, Route.COPY, "it was not there", 0, 0, Optional.ofNullable(failure));
        }
        return failure == null
                ? result
                : new MirrorResult(
                        result.name(),
                        result.bytes(),
                        result.route(),
                        result.reason(),
                        result.gaps(),
                        result.missed(),
                        Optional.of(result.failure().orElse(failure)));
    }

    /** Whether it ever was a mirror. */
    final boolean flowed() {
        return mirror != null;
    }
}
