package dev.sluice.contract;

import dev.sluice.JoinResult;
import dev.sluice.Pipeline;
import dev.sluice.Sluice;
import dev.sluice.io.Route;
import java.io.IOException;
import java.nio.channels.ByteChannel;
import java.nio.channels.ReadableByteChannel;

/** The route that a test asks for. */
enum Way {
    AUTO(null),
    SPLICE(Route.SPLICE),
    COPY(Route.COPY);

    private final Route route;

    Way(Route route) {
        this.route = route;
    }

    Pipeline from(ReadableByteChannel source) {
        Pipeline pipeline = Pipeline.from(source);
        return route == null ? pipeline : pipeline.route(route);
    }

    JoinResult join(ByteChannel a, ByteChannel b) throws IOException {
        return route == null ? Sluice.join(a, b) : Sluice.join(a, b, route);
    }
}
