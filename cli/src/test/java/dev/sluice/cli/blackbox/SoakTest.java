package dev.sluice.cli.blackbox;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.cli.blackbox.Peer.Ending;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Sessions of all kinds at once, for {@code -Dsluice.test.soakSeconds}; then the relay holds what it held before. Every
 * byte is checked by whoever receives it.
 */
@BlackBox
class SoakTest {
    private static final int SECONDS = Integer.getInteger("sluice.test.soakSeconds", 15);
    private static final long SEED = Long.getLong("sluice.test.seed", System.nanoTime());
    private static final int AT_ONCE = 24;

    /** Empty pipes are kept for the next session: as many as were used at once, a pipe has two ends. */
    private static final int KEPT_PIPE_ENDS = 2 * 2 * AT_ONCE;

    /** Pools of threads and the JIT's come and go. */
    private static final int THREADS = 6;

    private final Map<Kind, Integer> done = new ConcurrentHashMap<>();
    private final AtomicLong bytes = new AtomicLong();

    private enum Kind {
        SHORT,
        LONG,
        HALF_CLOSED,
        RESET,
        STALLED,
        ABANDONED
    }

    @Test
    @Timeout(value = 1, unit = TimeUnit.DAYS)
    void leavesNothingBehind() throws Exception {
        System.out.println("soak for " + SECONDS + " s, -Dsluice.test.seed=" + SEED);
        try (Stage stage = Stage.tcp()) {
            // The first sessions make what stays: loops, pools, a first pipe.
            SplittableRandom seeds = new SplittableRandom(SEED);
            for (Kind kind : Kind.values()) {
                run(stage, kind, seeds.split());
            }
            awaitIdle(stage, Kind.values().length);
            Vitals before = stage.relay().vitals();
            int warm = done.values().stream().mapToInt(Integer::intValue).sum();

            long deadline = System.nanoTime() + SECONDS * 1_000_000_000L;
            List<Parallel.Action> workers = new ArrayList<>();
            for (int i = 0; i < AT_ONCE; i++) {
                SplittableRandom random = seeds.split();
                workers.add(() -> {
                    while (System.nanoTime() < deadline) {
                        run(stage, Kind.values()[random.nextInt(Kind.values().length)], random);
                    }
                });
            }
            Parallel.run(workers);

            int sessions = done.values().stream().mapToInt(Integer::intValue).sum() - warm;
            awaitIdle(stage, sessions);
            Vitals after = settle(stage, before);
            System.out.println("soak: " + done + ", " + bytes.get() / 1_000_000 + " MB; " + before + " -> " + after);
            assertThat(after.sockets()).isEqualTo(before.sockets());
            assertThat(after.descriptors() - after.pipeEnds()).isEqualTo(before.descriptors() - before.pipeEnds());
            assertThat(after.pipeEnds()).isLessThanOrEqualTo(before.pipeEnds() + KEPT_PIPE_ENDS);
            assertThat(after.threads()).isLessThanOrEqualTo(before.threads() + THREADS);
        }
    }

    /** Every session has ended for the relay, too. */
    private static void awaitIdle(Stage stage, int sessions) throws Exception {
        for (int i = 0; i < sessions; i++) {
            stage.relay().record();
        }
    }

    /** Descriptors are given back some time after the record was written; how long is not the point. */
    private static Vitals settle(Stage stage, Vitals before) throws Exception {
        Vitals now = stage.relay().vitals();
        for (int i = 0; i < 100 && now.sockets() > before.sockets(); i++) {
            Thread.sleep(100);
            now = stage.relay().vitals();
        }
        return now;
    }

    private void run(Stage stage, Kind kind, SplittableRandom random) throws Exception {
        Way way = random.nextBoolean() ? Way.REQUEST : Way.REPLY;
        try (Session session = stage.open()) {
            Peer from = session.sender(way);
            Peer to = session.receiver(way);
            switch (kind) {
                case SHORT -> {
                    session.exchange(random.nextInt(1, 2000));
                    session.finish();
                }
                case LONG -> {
                    for (int i = 0; i < 50; i++) {
                        session.exchange(random.nextInt(1, 100_000));
                    }
                    session.finish();
                }
                case HALF_CLOSED -> {
                    long size = random.nextInt(10_000_000);
                    to.fin();
                    assertThat(from.drain()).isEqualTo(Ending.FIN);
                    Parallel.run(
                            () -> {
                                from.send(size);
                                from.fin();
                            },
                            () -> assertThat(to.drain()).isEqualTo(Ending.FIN));
                    session.assertComplete();
                }
                case RESET -> {
                    from.send(random.nextInt(3_000_000));
                    from.awaitAcknowledged();
                    from.reset();
                    assertThat(to.drain()).isEqualTo(Ending.RESET);
                    assertThat(to.received()).isEqualTo(from.sent());
                }
                case STALLED -> {
                    long size = random.nextInt(1, 20_000_000);
                    Parallel.run(
                            () -> {
                                from.send(size);
                                from.fin();
                            },
                            () -> {
                                Thread.sleep(random.nextInt(300));
                                to.receive(size / 2);
                                Thread.sleep(random.nextInt(300));
                                assertThat(to.drain()).isEqualTo(Ending.FIN);
                            });
                    session.assertComplete();
                }
                case ABANDONED -> abandon(from, to, random);
            }
            bytes.addAndGet(session.client().received() + session.server().received());
        }
        done.merge(kind, 1, Integer::sum);
    }

    /** The reader goes away in the middle, with bytes stuck in the relay. */
    private static void abandon(Peer from, Peer to, SplittableRandom random) throws Exception {
        Parallel.run(
                () -> {
                    try {
                        from.send(50_000_000);
                        throw new AssertionError("nobody reads this");
                    } catch (IOException e) {
                        // As wanted.
                    }
                },
                () -> {
                    to.receive(random.nextInt(1, 100_000));
                    Thread.sleep(random.nextInt(100));
                    to.close();
                });
    }
}
