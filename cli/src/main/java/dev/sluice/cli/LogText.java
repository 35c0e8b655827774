package dev.sluice.cli;

import dev.sluice.relay.SessionRecord;
import dev.sluice.relay.SessionRecord.Direction;
import java.time.Duration;
import java.util.Locale;

/** A session record as one line of {@code name=value}, as logfmt has it. */
final class LogText {
    private final StringBuilder line = new StringBuilder();

    private LogText() {}

    static String of(SessionRecord record) {
        LogText text = new LogText();
        text.add("start", record.start().toString());
        text.add("seconds", record.duration());
        text.add("service", record.service());
        text.add("client", record.client().toString());
        if (!record.peer().equals(record.client())) {
            text.add("peer", record.peer().toString());
        }
        text.add("listener", record.listener().toString());
        text.add("target", record.target().toString());
        text.add("connectSeconds", record.connectTime());
        text.add("tries", Integer.toString(record.tries()));
        text.add("client", record.toTarget());
        text.add("target", record.toClient());
        if (!record.error().isEmpty()) {
            text.add("error", record.error());
        }
        return text.line.toString();
    }

    /** @param from the side that the bytes came from */
    private void add(String from, Direction direction) {
        add(from + "Bytes", Long.toString(direction.bytes()));
        add(from + "Route", direction.route().name());
        add(from + "End", RecordLog.name(direction.end()));
        if (direction.bytesIn() != direction.bytes()) {
            add(from + "Undelivered", Long.toString(direction.bytesIn() - direction.bytes()));
        }
    }

    private void add(String name, Duration duration) {
        add(name, String.format(Locale.ROOT, "%.6f", Cpu.seconds(duration)));
    }

    private void add(String name, String value) {
        if (!line.isEmpty()) {
            line.append(' ');
        }
        line.append(name).append('=');
        boolean plain = !value.isEmpty() && value.chars().allMatch(LogText::isPlain);
        if (plain) {
            line.append(value);
        } else {
            quote(value);
        }
    }

    private static boolean isPlain(int c) {
        return c > ' ' && c != '"' && c != '=' && c != '\\' && !isLineEnd(c);
    }

    private static boolean isLineEnd(int c) {
        return Character.isISOControl(c) || c == 0x2028 || c == 0x2029;
    }

    /** A line stays one line, whatever a peer calls itself. */
    private void quote(String value) {
        line.append('"');
        value.chars().forEach(c -> {
            if (c == '"' || c == '\\') {
                line.append('\\').append((char) c);
            } else if (isLineEnd(c)) {
                line.append(String.format(Locale.ROOT, "\\u%04x", c));
            } else {
                line.append((char) c);
            }
        });
        line.append('"');
    }
}
