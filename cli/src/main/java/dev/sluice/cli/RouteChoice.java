package dev.sluice.cli;

import dev.sluice.Pipeline;
import dev.sluice.io.Route;
import java.util.Optional;

/** {@code --route}. */
enum RouteChoice {
    AUTO,
    SPLICE,
    COPY;

    Optional<Route> forced() {
        return switch (this) {
            case AUTO -> Optional.empty();
            case SPLICE -> Optional.of(Route.SPLICE);
            case COPY -> Optional.of(Route.COPY);
        };
    }

    Pipeline on(Pipeline pipeline) {
        return forced().map(pipeline::route).orElse(pipeline);
    }
}
