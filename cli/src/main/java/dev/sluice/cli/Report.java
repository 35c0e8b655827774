package dev.sluice.cli;

import com.fasterxml.jackson.core.JsonGenerator;
import dev.sluice.io.MirrorResult;
import dev.sluice.io.SluiceException;
import dev.sluice.io.TransferException;
import dev.sluice.io.TransferResult;
import java.io.IOException;
import java.util.Locale;

/**
 * What a stream's command says at its end.
 *
 * @param result what was moved
 * @param offset where in the file the stream began, or null if nobody asked for that
 * @param cpuSeconds processor time of this process meanwhile
 * @param sha256 of the file, or null if it was not asked for
 * @param failure why the stream did not come to its end, or null if it did
 */
record Report(TransferResult result, Long offset, double cpuSeconds, String sha256, IOException failure) {

    Report failed(IOException because) {
        return new Report(result, offset, cpuSeconds, sha256, because);
    }

    Report from(long begin) {
        return new Report(result, begin, cpuSeconds, sha256, failure);
    }

    Report withSha256(String digest) {
        return new Report(result, offset, cpuSeconds, digest, failure);
    }

    boolean cutShort() {
        return failure instanceof TransferException transfer
                && transfer.reason() == TransferException.Reason.INTERRUPTED;
    }

    String toJson() {
        return Json.object(json -> {
            write(json, result, Cpu.seconds(result.duration()), cpuSeconds);
            if (offset != null) {
                json.writeNumberField("offset", offset);
            }
            if (sha256 != null) {
                json.writeStringField("sha256", sha256);
            }
            if (failure != null) {
                json.writeStringField("error", Trouble.describe(failure));
            }
            if (failure instanceof TransferException transfer) {
                json.writeNumberField("unacknowledged", transfer.unacknowledged());
                json.writeNumberField("leftOver", transfer.residue().remaining());
            }
        });
    }

    /** The fields that every report has. */
    static void write(JsonGenerator json, TransferResult result, double seconds, double cpuSeconds) throws IOException {
        json.writeNumberField("bytes", result.bytes());
        json.writeStringField("route", result.route().name());
        json.writeStringField("reason", result.reason());
        Json.byRoute(json, result.byRoute());
        Json.seconds(json, "seconds", seconds);
        Json.seconds(json, "cpuSeconds", cpuSeconds);
        if (!result.mirrors().isEmpty()) {
            json.writeArrayFieldStart("mirrors");
            for (MirrorResult mirror : result.mirrors()) {
                write(json, mirror);
            }
            json.writeEndArray();
        }
    }

    private static void write(JsonGenerator json, MirrorResult mirror) throws IOException {
        json.writeStartObject();
        json.writeStringField("name", mirror.name());
        json.writeNumberField("bytes", mirror.bytes());
        json.writeStringField("route", mirror.route().name());
        json.writeStringField("reason", mirror.reason());
        json.writeNumberField("gaps", mirror.gaps());
        json.writeNumberField("missed", mirror.missed());
        if (mirror.failure().isPresent()) {
            json.writeStringField("error", mirror.failure().get().getMessage());
        }
        json.writeEndObject();
    }

    private static String missed(MirrorResult mirror) {
        return mirror.gaps() == 0
                ? ""
                : "; " + Units.bytes(mirror.missed()) + " are missing in " + mirror.gaps() + " gaps, see the index";
    }

    /** For people, on stderr. */
    void say() {
        double seconds = Cpu.seconds(result.duration());
        Console.say(String.format(
                Locale.ROOT,
                "%s in %.3f s (%.2f GB/s), %.2f s of CPU, by %s: %s",
                Units.bytes(result.bytes()),
                seconds,
                result.bytes() / 1e9 / seconds,
                cpuSeconds,
                result.route(),
                result.reason()));
        for (MirrorResult mirror : result.mirrors()) {
            String failed = mirror.failure()
                    .map(SluiceException::getMessage)
                    .map(m -> "; detached: " + m)
                    .orElse("");
            Console.say(mirror.name() + ": " + Units.bytes(mirror.bytes()) + " by " + mirror.route() + ": "
                    + mirror.reason() + missed(mirror) + failed);
        }
        if (sha256 != null) {
            Console.say("sha256 " + sha256);
        }
    }
}
