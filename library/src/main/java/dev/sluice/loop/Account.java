package dev.sluice.loop;

import dev.sluice.internal.fd.Descriptor;
import dev.sluice.internal.linux.Sockets;
import dev.sluice.io.MirrorResult;
import dev.sluice.io.Route;
import dev.sluice.io.TransferResult;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What became of a flow, drawn up once no step follows.
 *
 * @param route the route that the flow was on at the end, and why
 * @param directRoute the call that went without a pipe, if one did
 */
record Account(Route route, Route directRoute, String reason, Outlet sink, List<Mirror> mirrors) {
    private static final String SMALL = "small portions, which copying serves better";

    TransferResult result(Duration elapsed) {
        return new TransferResult(sink.accepted(), mainRoute(), mainReason(), byRoute(), elapsed, mirrorResults());
    }

    /** What the peer of a TCP sink has not acknowledged, or −1. */
    long unacknowledged() {
        Descriptor descriptor = sink.descriptor();
        boolean tcp = descriptor != null && descriptor.tcp();
        return tcp ? Math.max(-1, Sockets.unacknowledged(descriptor.fd())) : -1;
    }

    private Route mainRoute() {
        if (sink.accepted() == 0) {
            return route;
        }
        return sink.direct() * 2 > sink.accepted() ? directRoute : sink.route();
    }

    private String mainReason() {
        if (route != Route.SPLICE) {
            return reason;
        } else if (sink.refusal() != null) {
            return sink.refusal();
        }
        return sink.accepted() > 0 && sink.route() == Route.COPY ? SMALL : reason;
    }

    private Map<Route, Long> byRoute() {
        Map<Route, Long> bytes = new EnumMap<>(Route.class);
        if (sink.direct() > 0) {
            bytes.put(directRoute, sink.direct());
        }
        if (sink.spliced() > 0) {
            bytes.put(Route.SPLICE, sink.spliced());
        }
        if (sink.copied() > 0) {
            bytes.put(Route.COPY, sink.copied());
        }
        return bytes;
    }

    private List<MirrorResult> mirrorResults() {
        List<MirrorResult> results = new ArrayList<>(mirrors.size());
        for (Mirror mirror : mirrors) {
            String why = mirrorReason(mirror);
            results.add(new MirrorResult(
                    mirror.name(),
                    mirror.accepted(),
                    mirror.route(),
                    why,
                    mirror.gaps(),
                    mirror.missed(),
                    Optional.ofNullable(mirror.detachment())));
        }
        return results;
    }

    private String mirrorReason(Outlet mirror) {
        if (mirror.refusal() != null) {
            return mirror.refusal();
        } else if (route == Route.COPY) {
            return reason;
        }
        return mirror.route() == Route.COPY ? SMALL : "tee(2) and splice(2)";
    }
}
