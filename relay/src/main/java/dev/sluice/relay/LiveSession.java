package dev.sluice.relay;

import dev.sluice.io.Endpoint;
import java.time.Duration;

/**
 * A connection that is alive.
 *
 * @param service the name of its service
 * @param client the address of the client, as the header of a trusted proxy names it if there is one
 * @param listener the address it came to
 * @param target the target that it is connected to, or that is being tried
 * @param age since it was accepted
 * @param connected whether its target has been reached
 * @param bytesToTarget how many bytes the target's socket has accepted so far
 * @param bytesToClient how many bytes the client's socket has accepted so far
 * @param bytesOnTheWay how many bytes wait in the relay, in a pipe or a buffer, for a socket to have room
 */
public record LiveSession(
        String service,
        Endpoint client,
        Endpoint listener,
        Endpoint target,
        Duration age,
        boolean connected,
        long bytesToTarget,
        long bytesToClient,
        long bytesOnTheWay) {}
