package dev.sluice.relay;

import dev.sluice.JoinResult;
import dev.sluice.internal.fd.Descriptor;
import dev.sluice.internal.linux.Errno;
import dev.sluice.internal.linux.Sockets;
import dev.sluice.io.Endpoint;
import dev.sluice.io.MirrorResult;
import dev.sluice.io.Route;
import dev.sluice.io.SluiceException;
import dev.sluice.loop.EventLoop;
import dev.sluice.loop.Rate;
import dev.sluice.loop.Watch;
import dev.sluice.relay.SessionRecord.Direction;
import dev.sluice.relay.SessionRecord.End;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;

/**
 * One connection, from its accept to its end: connecting, flowing, parting. Everything happens on the session's loop,
 * except where it says otherwise.
 */
final class Session implements Opening.Caller, Dial.Caller {
    /** How long a side may take to acknowledge what it was given, before it is reset (S36). */
    private static final long ACKNOWLEDGEMENT_NANOS = TimeUnit.SECONDS.toNanos(2);

    private static final long ACKNOWLEDGEMENT_POLL_NANOS = 5_000_000;

    /** A time-out is seen late by one part of so many, which keeps the bytes free of clocks. */
    private static final int TICKS = 4;

    private static final long MIN_TICK_NANOS = 5_000_000;

    private final Relay relay;
    private final Acceptor acceptor;
    private final EventLoop loop;
    private final Descriptor client;
    private final Endpoint peer;
    private final Opening opening;
    private final long began = System.nanoTime();

    private volatile Serving serving;
    private volatile Entrance entrance;
    private volatile Endpoint clientAddress;
    private Upstreams.Order order;
    private Waiting waiting;

    /** Whether it counts as one of the service's connections; the entrance's alone. */
    boolean placed;

    private volatile Upstream target;
    private int tries;
    private long connectNanos;
    private Dial dial;
    private Taps taps = Taps.NONE;
    private Descriptor server;
    private IOException lastError;
    private EventLoop.Timer timer;

    private volatile Leg toTarget;
    private volatile Leg toClient;
    private long seen;
    private int quietTicks;
    private End cut;
    private boolean parted;
    private boolean over;
    private long closedAt;

    Session(Relay relay, Acceptor acceptor, EventLoop loop, Descriptor client, Endpoint peer) {
        this.relay = relay;
        this.acceptor = acceptor;
        this.serving = acceptor.serving();
        this.entrance = serving.entrance();
        this.loop = loop;
        this.client = client;
        this.peer = peer;
        this.clientAddress = peer;
        this.opening = new Opening(acceptor, client, loop, peer, this);
    }

    EventLoop loop() {
        return loop;
    }

    String service() {
        return serving.service().name();
    }

    Acceptor acceptor() {
        return acceptor;
    }

    Entrance entrance() {
        return entrance;
    }

    Upstreams.Order order() {
        return order;
    }

    void start() {
        if (over) {
            return;
        }
        opening.start();
    }

    @Override
    public void opened(Serving now) {
        try {
            // Not what it was at the accept: a reload between the two must not miss this session.
            serving = now;
            entrance = serving.entrance();
            clientAddress = opening.client();
            Upstreams targets = opening.targets(now);
            if (!allows(serving.service().access())) {
                refuse("this client's address is not allowed");
            } else if (!entrance.admits(clientAddress)) {
                refuse("more than " + entrance.limits().clientRate() + " connections per second of this client");
            } else if (targets == null) {
                refuse("there is no target for " + opening.asked());
            } else {
                order = targets.order(clientAddress);
                nextTarget();
            }
        } catch (IOException | RuntimeException | Error e) {
            // Such as memory that ran out: the loop goes on, and so must the count of sessions.
            abandonDial();
            fail(new IOException(e));
        }
    }

    private boolean allows(AccessList access) {
        return access.equals(AccessList.OPEN) || access.allows(clientAddress) && !opening.hidden();
    }

    @Override
    public void notOpened(End end, String why) {
        if (end == End.REFUSED) {
            refuse(why);
        } else {
            fail(end, why);
        }
    }

    private void nextTarget() throws IOException {
        switch (entrance.ask(this)) {
            case ENTER -> dial();
            case FULL -> refuse("all places are taken, and the queue is full");
            case WAIT -> {
                long time = entrance.limits().queueTime().toNanos();
                waiting = new Waiting(client, loop, time, this::waitedTooLong, this::leftWhileWaiting);
                waiting.start();
            }
        }
    }

    private void stopWaiting() {
        if (waiting != null) {
            waiting.stop();
            waiting = null;
        }
    }

    /** While it waits: its service has another configuration. */
    void follow(Serving next) {
        Upstreams targets = opening.targets(next);
        if (tries == 0 && targets != null) {
            serving = next;
            order = targets.order(clientAddress);
        }
    }

    private void waitedTooLong() {
        if (entrance.giveUp(this)) {
            refuse("no place became free in " + entrance.limits().queueTime().toMillis() + " ms");
        }
    }

    private void leftWhileWaiting(End end) {
        if (entrance.giveUp(this)) {
            fail(end, "the client left while it waited for a place");
        }
    }

    /** It may go on, with its place and a target; from the entrance. */
    void admitted() {
        stopWaiting();
        if (over) {
            giveBackTarget();
        } else {
            dial();
        }
    }

    private void dial() {
        Upstream next = order.chosen();
        if (next == null) {
            fail(lastError);
            return;
        }
        target = next;
        if (tries++ == 0) {
            taps = Taps.begin(serving, loop, clientAddress, relay::placeFree);
        }
        dial = new Dial(target, loop, serving.timeouts(), this);
        dial.start();
    }

    @Override
    public void failed(IOException why) {
        lastError = why;
        dial = null;
        target.failed.increment();
        target.standing().failed(order.claim(), System.nanoTime());
        target.leave();
        relay.placeFree();
        try {
            nextTarget();
        } catch (IOException e) {
            fail(e);
        }
    }

    @Override
    public void reached(Descriptor connected) {
        try {
            opening.introduce(connected, order.proxyProtocol());
        } catch (IOException e) {
            connected.close();
            failed(e);
            return;
        }
        dial = null;
        order = null;
        server = connected;
        target.standing().reached();
        taps.settle(this::flow);
    }

    /** The copies are there, or will not be. */
    private void flow(IOException refusal) {
        if (refusal != null) {
            fail(refusal);
            return;
        }
        try {
            // Both on this loop, whichever way the target was reached.
            Watch.of(client, loop);
            Watch.of(server, loop);
            Route route = serving.service().route().orElse(null);
            Rate there = entrance.rateToTarget();
            Rate back = entrance.rateToClient();
            toClient = new Leg(server, client, taps.join(Directions.TO_CLIENT), route, back, this::legEnded);
            toTarget = new Leg(client, server, taps.join(Directions.TO_TARGET), route, there, this::legEnded);
            if (taps.optional()) {
                toClient.passOnEarly(toTarget);
                toTarget.passOnEarly(toClient);
            }
        } catch (IOException e) {
            // Only if it was closed, which nobody else does.
            fail(e);
            return;
        }
        connectNanos = System.nanoTime() - began;
        target.connected.increment();
        target.active.increment();
        toClient.start();
        toTarget.start();
        startTicking();
    }

    private void legEnded(Leg leg) {
        Leg other = leg == toTarget ? toClient : toTarget;
        Directions way = leg == toTarget ? Directions.TO_TARGET : Directions.TO_CLIENT;
        leg.carryOver(other);
        taps.ended(way, leg.direction(), leg.direction().failure().isEmpty() && !leg.falseEnd(other));
        if (other.ended()) {
            part();
        } else {
            startTicking();
        }
    }

    /** One timer sees to all times of a session that flows. */
    private void startTicking() {
        if (over) {
            return;
        }
        quietTicks = 0;
        seen = moved();
        stopTimer();
        scheduleTick();
    }

    private void scheduleTick() {
        long idle = idleNanos();
        long tick = idle == 0 ? Long.MAX_VALUE : Math.max(idle / TICKS, MIN_TICK_NANOS);
        long lifetime = serving.timeouts().lifetime().toNanos();
        if (lifetime > 0) {
            tick = Math.min(tick, Math.max(0, began + lifetime - System.nanoTime()));
        }
        timer = tick == Long.MAX_VALUE ? null : loop.schedule(tick, this::tick);
    }

    private long idleNanos() {
        boolean half = toTarget.ended() || toClient.ended();
        Timeouts times = serving.timeouts();
        Duration timeout = half && times.halfClose().isPositive() ? times.halfClose() : times.idle();
        return timeout.toNanos();
    }

    private long moved() {
        return toTarget.taken() + toTarget.accepted() + toClient.taken() + toClient.accepted();
    }

    private void tick() {
        long lifetime = serving.timeouts().lifetime().toNanos();
        boolean tooOld = lifetime > 0 && System.nanoTime() - began >= lifetime;
        long now = moved();
        quietTicks = now == seen ? quietTicks + 1 : 0;
        seen = now;
        long idle = idleNanos();
        boolean tooQuiet = idle > 0 && quietTicks * Math.max(idle / TICKS, MIN_TICK_NANOS) >= idle;
        if (tooOld || tooQuiet) {
            cut(End.TIMEOUT);
        } else {
            scheduleTick();
        }
    }

    private void stopTimer() {
        if (timer != null) {
            timer.cancel();
            timer = null;
        }
    }

    /** Ends the session for a reason of the relay's own. */
    void cut(End why) {
        if (over) {
            return;
        }
        if (cut == null) {
            cut = why;
        }
        if (toTarget == null) {
            abandonDial();
            fail(new IOException("cut off before a target was reached"));
        } else if (parted) {
            part(System.nanoTime());
        } else {
            toTarget.cancel();
            toClient.cancel();
        }
    }

    private void abandonDial() {
        if (dial != null) {
            dial.abandon();
            dial = null;
            giveBackTarget();
        }
    }

    /** It chose one, and comes to nothing before it knows whether it can be reached. */
    private void giveBackTarget() {
        Upstream chosen = order.chosen();
        if (chosen != null) {
            chosen.standing().unknown(order.claim());
            chosen.leave();
            relay.placeFree();
        }
    }

    /** For a look from another thread. */
    boolean isWithOtherThan(Set<Endpoint> targets) {
        Upstream with = target;
        return with != null && !targets.contains(with.name());
    }

    /** Its target has been taken out of the configuration. */
    void cutIfWithOtherThan(Set<Endpoint> targets) {
        if (isWithOtherThan(targets)) {
            cut(End.DRAIN);
        }
    }

    /** Both directions have ended. */
    private void part() {
        if (parted) {
            return;
        }
        parted = true;
        stopTimer();
        boolean complete = toTarget.direction().failure().isEmpty()
                && toClient.direction().failure().isEmpty();
        part(System.nanoTime() + (complete ? 0 : ACKNOWLEDGEMENT_NANOS));
    }

    /**
     * Closes both sides. Of a connection that broke, a close with input unread, like a reset, makes the kernel throw away
     * what the peer has not acknowledged yet; so that comes first, until the deadline.
     */
    private void part(long deadline) {
        if (over) {
            return;
        }
        Ending clientEnding = endingOfClient();
        Ending targetEnding = endingOfTarget();
        denyFalseEnds();
        boolean clientDone = close(client, clientEnding, deadline);
        boolean targetDone = close(server, targetEnding, deadline);
        if (clientDone && targetDone) {
            end(clientEnding, targetEnding);
        } else {
            timer = loop.schedule(ACKNOWLEDGEMENT_POLL_NANOS, () -> part(deadline));
        }
    }

    private void denyFalseEnds() {
        if (toClient.falseEnd(toTarget)) {
            taps.deny(Directions.TO_CLIENT);
        }
        if (toTarget.falseEnd(toClient)) {
            taps.deny(Directions.TO_TARGET);
        }
    }

    private Ending endingOfClient() {
        return Ending.of(toTarget.direction(), toClient.direction(), toClient.falseEnd(toTarget), cut);
    }

    private Ending endingOfTarget() {
        return Ending.of(toClient.direction(), toTarget.direction(), toTarget.falseEnd(toClient), cut);
    }

    /** True once the side is closed. */
    private boolean close(Descriptor side, Ending ending, long deadline) {
        if (!side.isOpen()) {
            return true;
        }
        boolean waiting = !ending.gone() && cut == null && System.nanoTime() - deadline < 0;
        if (waiting && Sockets.unacknowledged(side.fd()) > 0) {
            return false;
        }
        // Sockets of a relay are born to close with a reset, so that a relay which dies in the middle is not taken for
        // the end of a stream; an orderly close takes that back.
        if (!ending.reset()) {
            Sockets.lingerNormal(side.fd());
        }
        side.close();
        return true;
    }

    private void end(Ending clientEnding, Ending targetEnding) {
        if (closedAt != 0) {
            // Cut off while its copies part.
            taps.hurry();
            return;
        }
        closedAt = System.nanoTime();
        target.active.decrement();
        target.leave();
        // Copies that take their time to part must not keep anybody waiting.
        entrance.leave(this);
        relay.placeFree();
        taps.part(() -> {
            JoinResult joined = new JoinResult(toTarget.direction(), toClient.direction());
            over(
                    direction(joined.forward(), clientEnding.end(), taps.results(Directions.TO_TARGET)),
                    direction(joined.backward(), targetEnding.end(), taps.results(Directions.TO_CLIENT)),
                    Ending.error(joined));
        });
    }

    /** The relay does not let it in. */
    private void refuse(String why) {
        entrance.refused();
        fail(End.REFUSED, "service " + service() + ": " + why);
    }

    private void fail(IOException why) {
        boolean late = why instanceof SluiceException failure && failure.errno() == Errno.ETIMEDOUT;
        End end = cut != null ? cut : late ? End.TIMEOUT : End.ERROR;
        fail(end, why.getMessage() == null ? why.toString() : why.getMessage());
    }

    /** The connection comes to nothing. */
    private void fail(End end, String why) {
        opening.stop();
        stopWaiting();
        // By a reset, as it was born: the client would take a FIN for the end of an empty answer.
        client.close();
        if (server != null) {
            server.close();
            target.leave();
        }
        taps.abandon();
        Direction nothing = new Direction(
                0, 0, serving.service().route().orElse(Route.COPY), Map.of(), "nothing was moved", end, List.of());
        over(nothing, nothing, why);
    }

    private static Direction direction(JoinResult.Direction moved, End end, List<MirrorResult> mirrors) {
        long residue =
                moved.failure().map(failure -> failure.residue().remaining()).orElse(0);
        return new Direction(
                moved.result().bytes() + residue,
                moved.result().bytes(),
                moved.result().route(),
                moved.result().byRoute(),
                moved.result().reason(),
                end,
                mirrors);
    }

    private void over(Direction forward, Direction backward, String error) {
        over = true;
        stopTimer();
        taps.count();
        Upstream last = target;
        Duration duration = Duration.ofNanos((closedAt != 0 ? closedAt : System.nanoTime()) - began);
        relay.ended(
                this,
                new SessionRecord(
                        service(),
                        Instant.now().minus(duration),
                        duration,
                        clientAddress,
                        peer,
                        acceptor.endpoint(),
                        last == null ? serving.upstreams().any().name() : last.name(),
                        Duration.ofNanos(connectNanos),
                        tries,
                        forward,
                        backward,
                        error));
    }

    /** How it stands; any thread may ask. */
    LiveSession live() {
        Leg there = toTarget;
        Leg back = toClient;
        Upstream chosen = target;
        return new LiveSession(
                service(),
                clientAddress,
                acceptor.endpoint(),
                chosen == null ? serving.upstreams().any().name() : chosen.name(),
                Duration.ofNanos(System.nanoTime() - began),
                there != null,
                there == null ? 0 : there.accepted(),
                back == null ? 0 : back.accepted(),
                (there == null ? 0 : there.taken() - there.accepted())
                        + (back == null ? 0 : back.taken() - back.accepted()));
    }
}
