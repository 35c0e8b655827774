package dev.sluice.relay;

/**
 * Whether the relay tells its targets who its clients are, by a header of HAProxy's <a
 * href="https://www.haproxy.org/download/2.6/doc/proxy-protocol.txt">PROXY protocol</a> ahead of the stream. It names the
 * client and the address that the client connected to: those of a header that the relay itself was given ({@link
 * AcceptProxy}), otherwise those of the connection. If one of them is not an IP address, as with Unix sockets, the header
 * says that there is nothing to tell.
 *
 * <p>A target either expects the header of every connection or takes it for a part of the stream.
 */
public enum ProxyProtocol {
    /** No header. */
    NONE,
    /** A line of text. */
    V1,
    /** A few bytes; every receiver of today takes them. */
    V2
}
