package dev.sluice.cli.blackbox;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;

/**
 * How much a session costs, for people to read: {@code -Dsluice.test.scale=1} multiplies 1,000 idle sessions, 20 stalled
 * ones and 10,000 short ones; 9.5 is what 20,000 descriptors allow.
 */
@BlackBox
@Timeout(600)
@EnabledIfSystemProperty(named = "sluice.test.scale", matches = "[0-9.]+")
class ScaleTest {
    private static final double SCALE = Double.parseDouble(System.getProperty("sluice.test.scale", "1"));

    @Test
    void idle() throws Exception {
        int sessions = (int) (1000 * SCALE);
        try (Stage stage = Stage.tcp()) {
            for (int i = 0; i < 50; i++) {
                stage.open().close();
                stage.relay().record();
            }
            long heapBefore = heapKiB(stage);
            Vitals before = stage.relay().vitals();
            List<Session> open = new ArrayList<>();
            for (int i = 0; i < sessions; i++) {
                Session session = stage.open();
                session.exchange(100);
                open.add(session);
            }
            long heap = heapKiB(stage) - heapBefore;
            Vitals after = stage.relay().vitals();
            System.out.printf(
                    "%d idle sessions: %.2f descriptors, %.2f KiB of heap, %.2f KiB of RSS each; %d pipe ends (%d before),"
                            + " %d threads (%d before)%n",
                    sessions,
                    (double) (after.descriptors() - before.descriptors()) / sessions,
                    (double) heap / sessions,
                    (double) (after.rssKiB() - before.rssKiB()) / sessions,
                    after.pipeEnds(),
                    before.pipeEnds(),
                    after.threads(),
                    before.threads());
            long cpu = Vitals.cpuMillis(stage.relay().pid());
            Thread.sleep(1000);
            System.out.println(
                    "  " + (Vitals.cpuMillis(stage.relay().pid()) - cpu) + " ms of processor time in a second");
            for (Session session : open) {
                session.exchange(10);
                session.close();
            }
            assertThat(after.sockets() - before.sockets()).isEqualTo(2 * sessions);
        }
    }

    @Test
    void stalled() throws Exception {
        int sessions = (int) (20 * SCALE);
        try (Stage stage = Stage.tcp()) {
            List<Session> open = new ArrayList<>();
            Vitals before = stage.relay().vitals();
            for (int i = 0; i < sessions; i++) {
                Session session = stage.open();
                open.add(session);
                Parallel.start(() -> {
                    session.server().send(100L << 20);
                    return null;
                });
            }
            long sent;
            long last = 0;
            do {
                sent = last;
                Thread.sleep(500);
                last = open.stream()
                        .mapToLong(session -> session.server().sent())
                        .sum();
            } while (last != sent);
            long cpu = Vitals.cpuMillis(stage.relay().pid());
            Thread.sleep(1000);
            long used = Vitals.cpuMillis(stage.relay().pid()) - cpu;
            Vitals after = stage.relay().vitals();
            System.out.printf(
                    "%d stalled sessions hold %d KiB each on the way; %d pipe ends (%d before), RSS %d KiB (%d before),"
                            + " %d ms of processor time in a second%n",
                    sessions,
                    sent / sessions / 1024,
                    after.pipeEnds(),
                    before.pipeEnds(),
                    after.rssKiB(),
                    before.rssKiB(),
                    used);
            // Somebody else is served none the less.
            try (Session session = stage.open()) {
                session.exchange(1_000_000);
            }
            for (Session session : open) {
                session.close();
            }
        }
    }

    @Test
    void churn() throws Exception {
        int sessions = (int) (10_000 * SCALE);
        int workers = 20;
        try (Stage stage = Stage.tcp()) {
            Echo.serve(stage.target());
            Parallel.Action worker = () -> {
                for (int i = 0; i < sessions / workers; i++) {
                    exchange(stage);
                }
            };
            worker.run();
            Vitals before = stage.relay().vitals();
            long cpu = Vitals.cpuMillis(stage.relay().pid());
            long start = System.nanoTime();
            List<Parallel.Action> all = new ArrayList<>();
            for (int i = 0; i < workers; i++) {
                all.add(worker);
            }
            Parallel.run(all);
            double seconds = (System.nanoTime() - start) / 1e9;
            for (int i = 0; i < sessions / workers * (workers + 1); i++) {
                Ended record = stage.relay().record();
                assertThat(record.error()).isEmpty();
                assertThat(record.fromTarget().bytes()).isEqualTo(100);
            }
            System.out.printf(
                    "%d short sessions in %.1f s (%.0f/s), %.3f ms of processor time each; %s -> %s%n",
                    sessions,
                    seconds,
                    sessions / seconds,
                    (double) (Vitals.cpuMillis(stage.relay().pid()) - cpu) / sessions,
                    before,
                    stage.relay().vitals());
        }
    }

    private static void exchange(Stage stage) throws IOException {
        try (SocketChannel client = stage.connect()) {
            // One more than is sent, since a read into a full buffer says nothing.
            ByteBuffer message = ByteBuffer.allocate(101).limit(100);
            client.write(message);
            client.shutdownOutput();
            message.clear();
            while (client.read(message) >= 0) {
                // The echo, and then its end.
            }
            if (message.position() != 100) {
                throw new AssertionError(message.position() + " of 100 bytes came back");
            }
        }
    }

    /** After a collection. */
    private static long heapKiB(Stage stage) throws Exception {
        String pid = Long.toString(stage.relay().pid());
        String jcmd = Path.of(System.getProperty("java.home"), "bin", "jcmd").toString();
        Programs.run(List.of(jcmd, pid, "GC.run")).ok();
        String info = Programs.run(List.of(jcmd, pid, "GC.heap_info")).ok();
        // One line for each generation.
        Matcher matcher = Pattern.compile("(?i)(?:def new|tenured)(?: generation)?.* used (\\d+)K")
                .matcher(info);
        long used = 0;
        while (matcher.find()) {
            used += Long.parseLong(matcher.group(1));
        }
        return used;
    }
}
