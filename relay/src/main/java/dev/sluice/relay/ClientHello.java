package dev.sluice.relay;

import dev.sluice.relay.Peeked.Found;
import dev.sluice.relay.Peeked.More;
import dev.sluice.relay.Peeked.Rejected;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * What a TLS client says in the clear before anything is encrypted (RFC 8446, section 4.1.2): which server it wants (RFC
 * 6066, section 3) and which protocols it speaks (RFC 7301). Nothing is decrypted, and the handshake is not judged beyond
 * what is needed to find these. With an encrypted ClientHello it is the public outer name that shows.
 *
 * @param name the server's name in lower case, a host name; empty if the client gave none
 * @param protocols as the client prefers them, their bytes as ISO 8859-1: they may be anything, so don't print them raw
 */
record ClientHello(String name, List<String> protocols) {

    /** The longest ClientHello that {@link #parse} takes, in bytes without the headers of its records: 16 KiB. */
    static final int MAX_MESSAGE = 16 << 10;

    /** Over how many records it may be spread. One is usual. */
    static final int MAX_RECORDS = 64;

    private static final int RECORD_HEADER = 5;
    private static final int MESSAGE_HEADER = 4;

    /** What a caller has to hold at most: 16 KiB and the headers of the records. */
    static final int MAX_LENGTH = MAX_MESSAGE + MAX_RECORDS * RECORD_HEADER;

    private static final int HANDSHAKE = 22;
    private static final int MAJOR_VERSION = 3;
    private static final int CLIENT_HELLO = 1;
    private static final int MAX_FRAGMENT = 16 << 10;

    private static final int VERSION_AND_RANDOM = 34;
    private static final int MAX_SESSION = 32;

    private static final int SERVER_NAME = 0;
    private static final int HOST_NAME = 0;
    private static final int ALPN = 16;

    private static final int MAX_NAME = 253;
    private static final int MAX_LABEL = 63;

    ClientHello {
        protocols = List.copyOf(protocols);
    }

    /**
     * Reads the ClientHello at the start of a stream, which may be spread over several records. Takes time in proportion
     * to its length, and copies it at most once, when it is all there.
     *
     * @param peeked from its position to its limit; it stays as it is
     */
    static Peeked<ClientHello> parse(ByteBuffer peeked) {
        ByteBuffer bytes = peeked.slice();
        int needed = MESSAGE_HEADER;
        int collected = 0;
        int at = 0;
        for (int records = 0; collected < needed; records++) {
            if (records == MAX_RECORDS) {
                return rejected("it is spread over more than " + MAX_RECORDS + " records");
            }
            String problem = checkRecord(bytes, at);
            if (problem != null) {
                return rejected(problem);
            }
            int had = bytes.limit() - at - RECORD_HEADER;
            if (had < 0) {
                return new More<>(needed - collected - had);
            }
            int length = bytes.getShort(at + 3);
            for (int i = 0; i < Math.min(had, length) && collected + i < MESSAGE_HEADER; i++) {
                int b = bytes.get(at + RECORD_HEADER + i) & 0xff;
                int index = collected + i;
                if (index == 0 && b != CLIENT_HELLO) {
                    return rejected("its first message is another one");
                }
                // The length is a number of three bytes, and no part of it makes it smaller.
                needed += index == 0 ? 0 : b << 8 * (MESSAGE_HEADER - 1 - index);
                if (needed > MAX_MESSAGE) {
                    return rejected("it is longer than " + MAX_MESSAGE + " bytes");
                }
            }
            int seen = collected + Math.min(had, length);
            if (seen >= MESSAGE_HEADER && collected + length > needed) {
                return rejected("something follows it in its record");
            }
            if (had < length) {
                return new More<>(Math.max(length - had, needed - seen));
            }
            collected = seen;
            at += RECORD_HEADER + length;
        }
        Contents contents = new Contents();
        String problem = contents.read(joined(bytes, needed));
        return problem != null
                ? rejected(problem)
                : new Found<>(at, new ClientHello(contents.name == null ? "" : contents.name, contents.protocols));
    }

    /** As far as its header is there. */
    private static String checkRecord(ByteBuffer bytes, int at) {
        int had = bytes.limit() - at;
        if (had > 0 && bytes.get(at) != HANDSHAKE || had > 1 && bytes.get(at + 1) != MAJOR_VERSION) {
            return "this is not a record of a TLS handshake";
        }
        int length = had >= RECORD_HEADER ? bytes.getShort(at + 3) & 0xffff : 1;
        return length < 1 || length > MAX_FRAGMENT ? "a record has a length that TLS does not allow" : null;
    }

    /** The message without the headers of its records. */
    private static ByteBuffer joined(ByteBuffer bytes, int length) {
        ByteBuffer message = ByteBuffer.allocate(length);
        for (int at = 0; message.hasRemaining(); ) {
            int fragment = bytes.getShort(at + 3);
            message.put(bytes.slice(at + RECORD_HEADER, fragment));
            at += RECORD_HEADER + fragment;
        }
        return message.flip();
    }

    /** Reads a whole message. Methods that return text return what is wrong, or null. */
    private static final class Contents {
        private String name;
        private List<String> protocols = List.of();
        private boolean hasProtocols;

        String read(ByteBuffer message) {
            message.position(MESSAGE_HEADER);
            if (message.remaining() < VERSION_AND_RANDOM || message.get(MESSAGE_HEADER) != MAJOR_VERSION) {
                return "it is too short, or of another version";
            }
            message.position(MESSAGE_HEADER + VERSION_AND_RANDOM);
            ByteBuffer session = vector(message, 1);
            ByteBuffer suites = vector(message, 2);
            ByteBuffer compressions = vector(message, 1);
            if (session == null || session.limit() > MAX_SESSION) {
                return "its session id is malformed";
            }
            if (suites == null || suites.limit() == 0 || suites.limit() % 2 != 0) {
                return "its cipher suites are malformed";
            }
            if (compressions == null || compressions.limit() == 0) {
                return "its compression methods are malformed";
            }
            // Before TLS 1.3 there may be none.
            return message.hasRemaining() ? readExtensions(message) : null;
        }

        private String readExtensions(ByteBuffer message) {
            ByteBuffer extensions = vector(message, 2);
            if (extensions == null || message.hasRemaining()) {
                return "its extensions are malformed";
            }
            while (extensions.hasRemaining()) {
                int type = extensions.remaining() < 2 ? -1 : extensions.getShort() & 0xffff;
                ByteBuffer data = vector(extensions, 2);
                if (data == null) {
                    return "its extensions are malformed";
                }
                String problem = switch (type) {
                    case SERVER_NAME -> readServerName(data);
                    case ALPN -> readProtocols(data);
                    default -> null;
                };
                if (problem != null) {
                    return problem;
                }
            }
            return null;
        }

        private String readServerName(ByteBuffer data) {
            ByteBuffer names = vector(data, 2);
            if (names == null || data.hasRemaining() || !names.hasRemaining()) {
                return "its server name is malformed";
            }
            while (names.hasRemaining()) {
                int type = names.get();
                ByteBuffer text = vector(names, 2);
                if (text == null) {
                    return "its server name is malformed";
                }
                if (type == HOST_NAME) {
                    if (name != null) {
                        return "it has two server names";
                    }
                    name = latin(text).toLowerCase(Locale.ROOT);
                    if (!isHostName(name)) {
                        return "its server name is not a host name";
                    }
                }
            }
            return null;
        }

        private String readProtocols(ByteBuffer data) {
            ByteBuffer list = vector(data, 2);
            if (list == null || data.hasRemaining() || !list.hasRemaining() || hasProtocols) {
                return "its list of protocols is malformed, or there are two";
            }
            hasProtocols = true;
            protocols = new ArrayList<>();
            while (list.hasRemaining()) {
                ByteBuffer protocol = vector(list, 1);
                if (protocol == null || protocol.limit() == 0) {
                    return "its list of protocols is malformed, or there are two";
                }
                protocols.add(latin(protocol));
            }
            return null;
        }

        /** What follows a length of so many bytes; null if it is not all there. */
        private static ByteBuffer vector(ByteBuffer from, int width) {
            if (from.remaining() < width) {
                return null;
            }
            int length = width == 1 ? from.get() & 0xff : from.getShort() & 0xffff;
            if (from.remaining() < length) {
                return null;
            }
            ByteBuffer vector = from.slice(from.position(), length);
            from.position(from.position() + length);
            return vector;
        }

        private static String latin(ByteBuffer text) {
            return new String(text.array(), text.arrayOffset(), text.limit(), StandardCharsets.ISO_8859_1);
        }
    }

    /** Letters, digits, hyphens, and underscores as they are in use; no final dot, and no IPv4 address (RFC 6066). */
    static boolean isHostName(String name) {
        if (name.isEmpty() || name.length() > MAX_NAME) {
            return false;
        }
        boolean number = true;
        int start = 0;
        for (int i = 0; i <= name.length(); i++) {
            char c = i < name.length() ? name.charAt(i) : '.';
            if (c != '.') {
                number = i == start ? isDigit(c) : number && isDigit(c);
                boolean hyphen = c == '-';
                if (!hyphen && c != '_' && !isDigit(c) && (c < 'a' || c > 'z') || hyphen && i == start) {
                    return false;
                }
            } else if (i == start || i - start > MAX_LABEL || name.charAt(i - 1) == '-') {
                return false;
            } else {
                start = i + 1;
            }
        }
        return !number;
    }

    private static boolean isDigit(char c) {
        return c >= '0' && c <= '9';
    }

    private static Peeked<ClientHello> rejected(String reason) {
        return new Rejected<>("bad TLS ClientHello: " + reason);
    }
}
