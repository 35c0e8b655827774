package dev.sluice.bench;

import java.io.IOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.locks.LockSupport;
import java.util.function.ToDoubleFunction;

/**
 * One process with the clients and the server, and the relays between them, each of them a process with a port to listen on
 * and a target. All stay up for all the runs: A B C A B C.
 */
final class RelayMatch implements AutoCloseable {
    private static final int WARM_UP = 10;
    private static final int FIRST_PORT = 20_000;
    private static final long START_TIMEOUT_NANOS = 20_000_000_000L;

    /** How to start a relay. */
    record Entry(String name, String version, Command command) {}

    interface Command {
        List<String> between(int listenPort, int targetPort) throws IOException;
    }

    private record Relay(Entry entry, Party party, int port) {}

    /** One run: how long it took, how long single exchanges took, how many failed, and the relay's CPU time. */
    record Run(long nanos, long median, long percentile99, long failed, long cpu) {}

    /** A column of a table: a figure of a run, and whether to hold it against the first relay's. */
    record Column(String head, ToDoubleFunction<Run> figure, boolean compared) {
        /** Without the unit. */
        String name() {
            return head.replaceAll(",.*", "");
        }
    }

    private final Party peers;
    private final int target;
    private final List<Relay> relays = new ArrayList<>();
    private int nextPort = FIRST_PORT;

    /** Clients and server; null, with a message, where there is no compiler. */
    static RelayMatch open() throws IOException {
        Party peers =
                Party.built("The benchmark", Path.of("bench/c/peers.c"), "gcc", "-O2", "-Wall", "-Wextra", "-pthread");
        return peers == null ? null : new RelayMatch(peers);
    }

    private RelayMatch(Party peers) {
        this.peers = peers;
        this.target = Integer.parseInt(peers.version().split(" ")[0]);
    }

    /** Starts a relay and waits until a byte comes back through it; left out, with a message, if none does. */
    RelayMatch enter(Entry entry) throws IOException {
        int port = freePort();
        long start = System.nanoTime();
        Party party =
                Party.silent(entry.name(), entry.version(), entry.command().between(port, target));
        if (echoes(party, port, start + START_TIMEOUT_NANOS)) {
            relays.add(new Relay(entry, party, port));
        } else {
            System.err.println(entry.name() + " is left out: it relays nothing");
            party.close();
        }
        return this;
    }

    /** Starts another of the kind: nanoseconds from exec(2) to the first byte that came back, and CPU nanoseconds until then. */
    long[] start(int number) throws IOException {
        Entry entry = relays.get(number).entry();
        int port = freePort();
        List<String> command = entry.command().between(port, target);
        long start = System.nanoTime();
        try (Party party = Party.silent(entry.name(), entry.version(), command)) {
            boolean up = echoes(party, port, start + START_TIMEOUT_NANOS);
            long nanos = System.nanoTime() - start;
            if (!up) {
                throw new IOException(entry.name() + " relays nothing");
            }
            return new long[] {nanos, party.cpuNanos()};
        }
    }

    private static boolean echoes(Party relay, int port, long deadline) {
        while (relay.isAlive() && System.nanoTime() < deadline) {
            try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
                socket.setSoTimeout(5000);
                socket.getOutputStream().write('s');
                if (socket.getInputStream().read() == 's') {
                    return true;
                }
            } catch (IOException notYet) {
                LockSupport.parkNanos(500_000);
            }
        }
        return false;
    }

    /**
     * Below the ephemeral ports: whoever tries to connect to one of those before the relay listens may be given the very
     * same one, and is connected to itself.
     */
    private int freePort() throws IOException {
        while (nextPort < FIRST_PORT + 10_000) {
            try (ServerSocket socket = new ServerSocket()) {
                socket.setReuseAddress(true);
                socket.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), nextPort++));
                return socket.getLocalPort();
            } catch (BindException taken) {
                // The next one, then.
            }
        }
        throw new IOException("no free port from " + FIRST_PORT + " on");
    }

    int size() {
        return relays.size();
    }

    Party relay(int number) {
        return relays.get(number).party();
    }

    /** One run of a command of bench/c/peers.c, with its first word and the rest: the relay's port goes between. */
    Run run(int number, String verb, String rest) throws IOException {
        Relay relay = relays.get(number);
        long cpu = relay.party.cpuNanos();
        peers.ask(verb + " " + relay.port + " " + rest);
        String[] words;
        try {
            words = peers.answer("done").split(" ");
        } catch (IOException e) {
            throw new IOException(relay.party.name() + ", " + verb + " " + rest + ": " + e.getMessage(), e);
        }
        long[] figures = new long[4];
        for (int i = 0; i < words.length; i++) {
            figures[i] = Long.parseLong(words[i]);
        }
        // What is left to do for the relay, closing for instance, is part of its work.
        LockSupport.parkNanos(20_000_000);
        return new Run(figures[0], figures[1], figures[2], figures[3], relay.party.cpuNanos() - cpu);
    }

    /** Closes the connections that an "idle" left. */
    void leave() throws IOException {
        peers.ask("leave");
        peers.answer("done");
        LockSupport.parkNanos(100_000_000);
    }

    /** Plays rounds of the command and prints a table of them, in Markdown, and a plot per column. */
    void play(String title, String verb, String rest, List<Column> columns, Options options, String plot)
            throws IOException {
        Rounds<Run> rounds = new Rounds<>();
        for (int round = -WARM_UP; round < options.rounds(); round++) {
            List<Run> runs = new ArrayList<>();
            for (int i = 0; i < relays.size(); i++) {
                runs.add(run(i, verb, rest));
            }
            if (round >= 0) {
                rounds.add(runs);
            }
        }
        System.out.printf("%n### %s%n%n", title);
        System.out.printf("%d rounds after %d to warm up; medians (quartiles).%n%n", options.rounds(), WARM_UP);
        List<Column> compared = columns.stream().filter(Column::compared).toList();
        StringBuilder head = new StringBuilder("| relay |");
        columns.forEach(column -> head.append(" ").append(column.head()).append(" |"));
        compared.forEach(column -> head.append(" ").append(column.name()).append(" ÷ 1st |"));
        System.out.println(head);
        System.out.println("|---|" + "---|".repeat(columns.size() + compared.size()));
        for (int i = 0; i < relays.size(); i++) {
            int number = i;
            StringBuilder row = new StringBuilder("| " + relay(i).name() + " (" + relay(i).version() + ") |");
            columns.forEach(column ->
                    row.append(" ").append(rounds.of(number, column.figure())).append(" |"));
            compared.forEach(column -> row.append(" ")
                    .append(rounds.ratio(number, 0, column.figure()))
                    .append(" |"));
            double failed = rounds.of(i, Run::failed).median();
            System.out.println(failed > 0 ? row + " " + failed + " failed |" : row);
        }
        for (Column column : compared) {
            Plot bars = new Plot(title + ": " + column.head());
            for (int i = 0; i < relays.size(); i++) {
                bars.bar(relay(i).name(), rounds.of(i, column.figure()));
            }
            bars.write(
                    options.plots(),
                    plot + "-" + column.name().toLowerCase(Locale.ROOT).replaceAll("[^a-z0-9]+", "-"));
        }
    }

    @Override
    public void close() throws IOException {
        for (Relay relay : relays) {
            relay.party.close();
        }
        peers.close();
    }
}
