package dev.sluice.relay;

import dev.sluice.io.Endpoint;
import java.util.Objects;

/**
 * Where connections may go to.
 *
 * @param endpoint its address; a name is looked up when it is needed, and again from time to time
 * @param weight how many connections it gets, compared to the others of its group; from 1 to {@value #MAX_WEIGHT}
 * @param maxConnections how many connections it gets at most, of all services together; more wait, see
 *     {@link Limits#queueLength()}; 0 for no limit
 */
public record Target(Endpoint endpoint, int weight, int maxConnections) {
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
        if (maxConnections < 0) {
            throw new IllegalArgumentException(endpoint + ": " + maxConnections + " connections are less than none");
        }
    }

    /** With a weight of 1 and no limit. */
    public static Target of(Endpoint endpoint) {
        return new Target(endpoint, 1, 0);
    }

    /** With another {@link #weight()}. */
    public Target weight(int share) {
        return new Target(endpoint, share, maxConnections);
    }

    /** With another {@link #maxConnections()}. */
    public Target maxConnections(int number) {
        return new Target(endpoint, weight, number);
    }
}
