package dev.sluice.cli.blackbox;

import dev.sluice.cli.blackbox.Peer.Ending;
import java.io.IOException;
import java.util.SplittableRandom;

/** One session, in which both peers do what a seed tells them to. */
final class Schedule {
    private final long seed;
    private final Session session;
    private final Part client;
    private final Part server;

    Schedule(long seed, Session session) {
        this.seed = seed;
        this.session = session;
        this.client = new Part(session.client(), new SplittableRandom(seed));
        this.server = new Part(session.server(), new SplittableRandom(~seed));
    }

    void run() throws Exception {
        try (session) {
            Parallel.run(client::write, client::read, server::write, server::read);
            check("request", client, server);
            check("reply", server, client);
        } catch (Throwable e) {
            throw new AssertionError("session of seed " + seed + ", client " + client + ", server " + server, e);
        }
    }

    private void check(String what, Part from, Part to) {
        boolean whole = to.peer.received() == from.peer.sent();
        if (to.sawFin() && !(from.ended() && whole)) {
            throw new AssertionError("the " + what + " looked complete, and was not");
        }
        if (from.end == End.FIN && to.end == End.FIN && !(to.sawFin() && whole)) {
            throw new AssertionError("the " + what + " ended well, and did not arrive so");
        }
    }

    /** How a peer parts. */
    private enum End {
        /** Ends its stream, and reads the other to its end. */
        FIN,
        /** Ends its stream, and closes some time later, whatever the other is at. */
        FIN_AND_CLOSE,
        CLOSE,
        RESET
    }

    /** What one of the peers does. */
    private static final class Part {
        private static final int BURSTS = 8;

        private final Peer peer;
        private final SplittableRandom random;
        private final End end;
        private final int readSize;
        private final int readRest;

        private volatile boolean failed;
        private volatile boolean finSent;

        /** How the other stream ended, if this peer was there to see it. */
        private volatile Ending saw;

        Part(Peer peer, SplittableRandom random) {
            this.peer = peer;
            this.random = random;
            int die = random.nextInt(10);
            end = die < 5 ? End.FIN : die < 7 ? End.FIN_AND_CLOSE : die < 8 ? End.CLOSE : End.RESET;
            readSize = 1 << random.nextInt(8, 18);
            readRest = readSize >= 1 << 15 && random.nextBoolean() ? random.nextInt(1, 5) : 0;
        }

        void write() throws Exception {
            try {
                for (int i = random.nextInt(BURSTS); i > 0; i--) {
                    peer.send(size());
                    Thread.sleep(random.nextInt(5));
                }
                finish();
            } catch (IOException e) {
                // Gone on the other side, or closed on this one: the checks are about what was said before.
                failed = true;
            }
        }

        private int size() {
            return switch (random.nextInt(3)) {
                case 0 -> random.nextInt(1, 200);
                case 1 -> random.nextInt(1, 20_000);
                default -> random.nextInt(1, 400_000);
            };
        }

        private void finish() throws Exception {
            switch (end) {
                case FIN -> fin();
                case FIN_AND_CLOSE -> {
                    fin();
                    Thread.sleep(random.nextInt(20));
                    peer.close();
                }
                case CLOSE -> {
                    // If there is nothing unread, this is an end of the stream; and if there is, nobody takes it for
                    // one.
                    finSent = true;
                    peer.close();
                }
                case RESET -> peer.reset();
            }
        }

        private void fin() throws IOException {
            peer.fin();
            finSent = true;
        }

        void read() throws Exception {
            try {
                saw = peer.drain(readSize, readRest);
            } catch (IOException e) {
                // Closed on this side.
            }
        }

        /** Once both threads are through. */
        boolean sawFin() {
            return saw == Ending.FIN && !peer.writeWasReset();
        }

        boolean ended() {
            return finSent && !failed;
        }

        @Override
        public String toString() {
            return end + (failed ? " (not reached)" : "") + " sent " + peer.sent() + " received " + peer.received()
                    + " saw " + saw;
        }
    }
}
