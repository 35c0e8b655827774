package dev.sluice.relay;

import dev.sluice.io.Endpoint;
import java.util.Objects;

/**
 * Where connections may go to.
 *
 * @param endpoint its address; a name is looked up when it is needed, and again from time to time
 * @param weight how many connections it gets, compared to the others of its group; from 1 to {@value #MAX_WEIGHT}
 */
public record Target(Endpoint endpoint, int weight) {
    public static final int MAX_WEIGHT = 1000;

    public Target {
        Objects.requireNonNull(endpoint, "endpoint");
        if (endpoint instanceof Endpoint.Inherited) {
            throw new IllegalArgumentException(endpoint + " can't be a target: it is one connection, not an address");
        }
        if (endpoint instanceof Endpoint.Tcp tcp && tcp.port() == 0) {
            throw new IllegalArgumentException(endpoint + " can't be a target: it has no port");
        }
        if (weight < 1 || weight > MAX_WEIGHT) {
            throw new IllegalArgumentException(endpoint + ": weight " + weight + " is not between 1 and " + MAX_WEIGHT);
        }
    }

    /** With a weight of 1. */
    public static Target of(Endpoint endpoint) {
        return new Target(endpoint, 1);
    }
}
