package dev.sluice.cli;

import com.fasterxml.jackson.core.JsonGenerator;
import dev.sluice.io.MirrorResult;
import dev.sluice.relay.LiveSession;
import dev.sluice.relay.RelayStats;
import dev.sluice.relay.SessionRecord;
import dev.sluice.relay.SessionRecord.Direction;
import dev.sluice.relay.SessionRecord.End;
import java.io.FileDescriptor;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Collection;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Writes the relay's session records: as lines of JSON or text to stdout or to a file, or in words to stderr.
 *
 * <p>A thread of its own does it, since a write to a pipe that nobody reads blocks. Who adds a record to a full queue
 * parks: no record is dropped, and memory is bounded.
 */
final class RecordLog implements AutoCloseable {
    /** Which records are written, and how. */
    enum Format {
        /** Those of connections that failed, in words; of all with {@code --verbose}. */
        FAILURES,
        /** One line of {@code name=value} each. */
        TEXT,
        /** One JSON object in one line each. */
        JSON
    }

    /**
     * What is recorded, and where.
     *
     * @param file to append to; empty for stdout
     */
    record Choice(Format format, Optional<Path> file) {

        /** Opens what is written to, once more if it is open already. */
        LogSink open() throws IOException {
            return file.isPresent()
                    ? LogSink.append(file.get())
                    : LogSink.standard(format == Format.FAILURES ? FileDescriptor.err : FileDescriptor.out);
        }
    }

    private static final int CAPACITY = 1024;

    private sealed interface Item {
        record Line(String text) implements Item {}

        record Switch(LogSink to) implements Item {}

        record End() implements Item {}
    }

    private final BlockingQueue<Item> items = new ArrayBlockingQueue<>(CAPACITY);
    private final boolean verbose;
    private final Thread thread =
            Thread.ofPlatform().daemon().name("sluice-records").unstarted(this::run);

    private volatile Format format;
    private final AtMost failures =
            new AtMost(10, "connections failed", words -> put(new Item.Line("sluice: " + words)));
    private LogSink sink;

    private RecordLog(Format format, LogSink sink, boolean verbose) {
        this.format = format;
        this.sink = sink;
        this.verbose = verbose;
    }

    /** @param verbose whether words are said about every connection, not only about those that failed */
    static RecordLog start(Choice choice, boolean verbose) throws IOException {
        RecordLog log = new RecordLog(choice.format(), choice.open(), verbose);
        log.thread.start();
        return log;
    }

    /** Goes on elsewhere: what was added before still goes to where it went. */
    void moveTo(Format next, LogSink to) {
        put(new Item.Switch(to));
        format = next;
    }

    void add(SessionRecord record) {
        switch (format) {
            case JSON -> put(new Item.Line(toJson(record)));
            case TEXT -> put(new Item.Line(LogText.of(record)));
            case FAILURES -> {
                if (verbose) {
                    put(new Item.Line("sluice: " + toWords(record)));
                } else if (failed(record.toTarget().end())
                        || failed(record.toClient().end())) {
                    failures.say(() -> toWords(record));
                }
            }
        }
    }

    /** The relay's counters, as one more line of JSON. */
    void add(RelayStats stats, Collection<LiveSession> live) {
        if (format == Format.JSON) {
            put(new Item.Line(StatsJson.of(stats, live)));
        }
    }

    /** Ends of streams and resets by peers are everyday life. */
    private static boolean failed(End end) {
        return end == End.ERROR || end == End.TIMEOUT || end == End.REFUSED;
    }

    private void put(Item item) {
        boolean interrupted = false;
        while (true) {
            try {
                items.put(item);
                break;
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private void run() {
        try {
            while (true) {
                switch (items.take()) {
                    case Item.Line line -> sink.add(line.text());
                    case Item.Switch next -> {
                        sink.close();
                        sink = next.to();
                    }
                    case Item.End _ -> {
                        sink.close();
                        return;
                    }
                }
                if (items.isEmpty()) {
                    sink.flush();
                }
            }
        } catch (InterruptedException e) {
            // Nobody interrupts this thread.
        }
    }

    /** Returns when everything added so far is written. */
    @Override
    public void close() {
        failures.summarize();
        put(new Item.End());
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    static String toJson(SessionRecord record) {
        return Json.object(json -> {
            json.writeStringField("start", record.start().toString());
            Json.seconds(json, "seconds", Cpu.seconds(record.duration()));
            json.writeStringField("service", record.service());
            json.writeStringField("client", record.client().toString());
            if (!record.peer().equals(record.client())) {
                json.writeStringField("peer", record.peer().toString());
            }
            json.writeStringField("listener", record.listener().toString());
            json.writeStringField("target", record.target().toString());
            Json.seconds(json, "connectSeconds", Cpu.seconds(record.connectTime()));
            json.writeNumberField("tries", record.tries());
            json.writeArrayFieldStart("directions");
            write(json, "client", "target", record.toTarget());
            write(json, "target", "client", record.toClient());
            json.writeEndArray();
            if (!record.error().isEmpty()) {
                json.writeStringField("error", record.error());
            }
        });
    }

    private static void write(JsonGenerator json, String from, String to, Direction direction) throws IOException {
        json.writeStartObject();
        json.writeStringField("from", from);
        json.writeStringField("to", to);
        json.writeNumberField("bytesIn", direction.bytesIn());
        json.writeNumberField("bytes", direction.bytes());
        json.writeStringField("route", direction.route().name());
        Json.byRoute(json, direction.byRoute());
        json.writeStringField("reason", direction.reason());
        json.writeStringField("end", name(direction.end()));
        if (!direction.mirrors().isEmpty()) {
            json.writeArrayFieldStart("mirrors");
            for (MirrorResult mirror : direction.mirrors()) {
                write(json, mirror);
            }
            json.writeEndArray();
        }
        json.writeEndObject();
    }

    private static void write(JsonGenerator json, MirrorResult mirror) throws IOException {
        json.writeStartObject();
        json.writeStringField("name", mirror.name());
        json.writeNumberField("bytes", mirror.bytes());
        json.writeStringField("route", mirror.route().name());
        json.writeStringField("reason", mirror.reason());
        if (mirror.gaps() > 0) {
            json.writeNumberField("gaps", mirror.gaps());
            json.writeNumberField("missed", mirror.missed());
        }
        if (mirror.failure().isPresent()) {
            json.writeStringField("error", mirror.failure().get().getMessage());
        }
        json.writeEndObject();
    }

    private static String copies(SessionRecord record) {
        return Stream.of(record.toTarget(), record.toClient())
                .flatMap(direction -> direction.mirrors().stream())
                .map(mirror -> "; a copy of " + Units.bytes(mirror.bytes()) + " to " + mirror.name()
                        + mirror.failure().map(why -> ", not whole").orElse(""))
                .collect(Collectors.joining());
    }

    static String name(End end) {
        return end.name().toLowerCase(Locale.ROOT);
    }

    private static String toWords(SessionRecord record) {
        return String.format(
                        Locale.ROOT,
                        "%s%s to %s: %s there (%s, %s), %s back (%s, %s), %.3f s%s",
                        record.client(),
                        record.peer().equals(record.client()) ? "" : " through " + record.peer(),
                        record.target(),
                        Units.bytes(record.toTarget().bytes()),
                        record.toTarget().route(),
                        name(record.toTarget().end()),
                        Units.bytes(record.toClient().bytes()),
                        record.toClient().route(),
                        name(record.toClient().end()),
                        Cpu.seconds(record.duration()),
                        record.error().isEmpty() ? "" : ": " + record.error())
                + copies(record);
    }
}
