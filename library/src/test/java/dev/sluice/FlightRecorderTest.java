package dev.sluice;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.file.KernelFile;
import dev.sluice.io.Route;
import dev.sluice.io.TransferException;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.Child;
import dev.sluice.testkit.Pair;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.channels.Channels;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The events of Flight Recorder, in JVMs of their own: recording changes the timing of everything else. */
@Timeout(60)
class FlightRecorderTest {
    private static final byte[] HELLO = "hello".getBytes(US_ASCII);

    @Test
    void everyTransferAndEveryFallbackIsRecorded() throws Exception {
        Child child = Child.run(Child.command(List.of(), List.of(), Recorded.class));

        assertThat(child.exit()).as(child.toString()).isZero();
        assertThat(child.out().lines())
                .containsExactly(
                        "Transfer of hello: 5 by SPLICE, spliced 5, copied 0, mirrors 0, COMPLETE, it took its time",
                        "Fallback of foreign: SOURCE, call '', errno 0, out of reach",
                        "Transfer of foreign: 5 by COPY, spliced 0, copied 5, mirrors 0, COMPLETE, it took its time",
                        "Fallback of mirrored: MIRROR, call '', errno 0, O_APPEND",
                        "Transfer of mirrored: 5 by SPLICE, spliced 5, copied 0, mirrors 1, COMPLETE, it took its time",
                        "Transfer of cut: 0 by COPY, spliced 0, copied 0, mirrors 0, DEADLINE, it took its time",
                        "Transfer of join: 5 by COPY, spliced 0, copied 5, mirrors 0, COMPLETE, it took its time",
                        "Transfer of join: 5 by COPY, spliced 0, copied 5, mirrors 0, COMPLETE, it took its time",
                        "Transfer of begun before: 5 by SPLICE, spliced 5, copied 0, mirrors 0, COMPLETE, at once");
    }

    @Test
    void withoutTheModuleEverythingElseWorks() throws Exception {
        Child child = Child.run(Child.command(List.of(), List.of("--limit-modules=java.base"), Unrecorded.class));

        assertThat(child.exit()).as(child.toString()).isZero();
        assertThat(child.err()).isEmpty();
        assertThat(child.out().lines())
                .containsExactly("SPLICE", "COPY", "flight recorder: false, --add-modules jdk.jfr");
    }

    private static Pair sending(byte[] bytes) throws IOException {
        Pair pair = Pair.open(Pair.Kind.UNIX);
        Bytes.write(pair.far(), bytes, bytes.length);
        pair.far().shutdownOutput();
        return pair;
    }

    /** A runtime image with nothing but java.base. */
    static final class Unrecorded {
        public static void main(String[] arguments) throws Exception {
            try (Pair from = sending(HELLO);
                    Pair to = Pair.open(Pair.Kind.UNIX)) {
                System.out.println(Pipeline.from(from.near())
                        .route(Route.SPLICE)
                        .to(to.near())
                        .route());
                System.out.println(Sluice.transfer(Channels.newChannel(new ByteArrayInputStream(HELLO)), to.near())
                        .route());
            }
            Sluice.capabilities().findings().stream()
                    .filter(finding -> finding.name().equals("flight recorder"))
                    .forEach(finding ->
                            System.out.println(finding.name() + ": " + finding.available() + ", " + finding.remedy()));
        }
    }

    static final class Recorded {
        private interface Scene {
            void play(Pair to) throws Exception;
        }

        public static void main(String[] arguments) throws Exception {
            record("hello", to -> {
                try (Pair from = sending(HELLO)) {
                    Pipeline.from(from.near()).route(Route.SPLICE).to(to.near());
                }
            });
            record("foreign", to -> Sluice.transfer(Channels.newChannel(new ByteArrayInputStream(HELLO)), to.near()));
            record("mirrored", to -> {
                Path log = Files.createTempFile("sluice", "log");
                try (Pair from = sending(HELLO);
                        KernelFile file = KernelFile.open(log, StandardOpenOption.APPEND)) {
                    Pipeline.from(from.near()).route(Route.SPLICE).mirror(file).to(to.near());
                } finally {
                    Files.delete(log);
                }
            });
            record("cut", to -> {
                try (Pair silent = Pair.open(Pair.Kind.UNIX)) {
                    Pipeline.from(silent.near())
                            .route(Route.COPY)
                            .timeout(Duration.ofMillis(20))
                            .to(to.near());
                } catch (TransferException e) {
                    System.err.println(e.getMessage());
                }
            });
            record("join", to -> {
                try (Pair from = sending(HELLO)) {
                    Bytes.write(to.far(), HELLO, 5);
                    to.far().shutdownOutput();
                    Sluice.join(from.near(), to.near(), Route.COPY);
                }
            });
            begunBefore();
        }

        private static void begunBefore() throws Exception {
            try (Pair from = Pair.open(Pair.Kind.UNIX);
                    Pair to = Pair.open(Pair.Kind.UNIX)) {
                Transfer transfer =
                        Pipeline.from(from.near()).route(Route.SPLICE).start(to.near());
                record("begun before", other -> {
                    Bytes.write(from.far(), HELLO, 5);
                    from.far().shutdownOutput();
                    transfer.await();
                });
            }
        }

        /** In a recording of its own, since events of two threads have no order in a file. */
        private static void record(String title, Scene scene) throws Exception {
            Path file = Files.createTempFile("sluice", ".jfr");
            try (Recording recording = new Recording();
                    Pair to = Pair.open(Pair.Kind.UNIX)) {
                recording.enable("dev.sluice.Transfer");
                recording.enable("dev.sluice.Fallback");
                recording.start();
                scene.play(to);
                recording.stop();
                recording.dump(file);
                List<RecordedEvent> events = new ArrayList<>(RecordingFile.readAllEvents(file));
                events.stream().map(event -> describe(event, title)).sorted().forEach(System.out::println);
            } finally {
                Files.delete(file);
            }
        }

        private static String describe(RecordedEvent event, String title) {
            if (event.getStackTrace() != null) {
                throw new AssertionError("a stack trace costs more than it tells");
            }
            String type = event.getEventType().getName();
            return type.endsWith("Fallback") ? fallback(event, title) : transfer(event, title);
        }

        private static String fallback(RecordedEvent event, String title) {
            String reason = event.getString("reason");
            String known = Arrays.stream(new String[] {"out of reach", "O_APPEND"})
                    .filter(reason::contains)
                    .findFirst()
                    .orElse(reason);
            return "Fallback of " + title + ": " + event.getString("side") + ", call '" + event.getString("call")
                    + "', errno " + event.getInt("errno") + ", " + known;
        }

        private static String transfer(RecordedEvent event, String title) {
            return "Transfer of " + title + ": " + event.getLong("bytes") + " by " + event.getString("route")
                    + ", spliced " + event.getLong("spliced") + ", copied " + event.getLong("copied") + ", mirrors "
                    + event.getInt("mirrors") + ", " + event.getString("outcome")
                    + (event.getDuration().isZero() ? ", at once" : ", it took its time");
        }
    }
}
