package dev.sluice.cli;

import dev.sluice.io.Endpoint;
import dev.sluice.net.StreamListener;
import dev.sluice.net.StreamSocket;
import dev.sluice.relay.LiveSession;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

/**
 * Answers the operator on a Unix socket that nobody else may use: one line in, an answer, the end. An answer that begins with
 * {@code error:} is one line.
 */
final class Admin implements AutoCloseable {
    /** How an answer begins that is none. */
    static final String ERROR = "error: ";

    private static final Duration TO_ASK = Duration.ofSeconds(5);
    private static final Duration TO_READ = Duration.ofSeconds(10);
    private static final Duration MOMENT = Duration.ofMillis(1);
    private static final int LONGEST_LINE = 256;
    private static final int BATCH = 64 * 1024;
    private static final int AT_A_TIME = 16;
    private static final long PAUSE_MILLIS = 100;
    private static final long LAST_WORDS_MILLIS = 500;

    private enum Command {
        STATS("the counters, as one JSON object"),
        SESSIONS("the connections alive, as one JSON object each"),
        CONFIG("what is in force, as one JSON object"),
        RELOAD("read the configuration again, as SIGHUP does"),
        DRAIN("end, as SIGTERM does"),
        HELP("this");

        private final String meaning;

        Command(String meaning) {
            this.meaning = meaning;
        }

        String word() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    private final StreamListener listener;
    private final RelayProgram program;
    private final Semaphore places = new Semaphore(AT_A_TIME);

    private Admin(StreamListener listener, RelayProgram program) {
        this.listener = listener;
        this.program = program;
    }

    /** Answers from now on, on threads of its own. */
    static Admin listen(Endpoint.Unix address, RelayProgram program) throws IOException {
        StreamListener listener = StreamListener.listen(address);
        try {
            Files.setPosixFilePermissions(Path.of(address.path()), PosixFilePermissions.fromString("rw-------"));
            turnAway(listener);
        } catch (IOException | RuntimeException e) {
            listener.close();
            throw e;
        }
        Admin admin = new Admin(listener, program);
        Thread.ofPlatform().daemon().name("sluice-admin").start(admin::accept);
        return admin;
    }

    /** Whoever connected before the mode was set may be anybody. */
    private static void turnAway(StreamListener listener) throws IOException {
        try {
            while (true) {
                listener.accept(MOMENT).close();
            }
        } catch (SocketTimeoutException e) {
            // There is nobody left.
        }
    }

    /**
     * Asks one that listens.
     *
     * @return the lines of the answer
     * @throws IOException also if the answer is an error
     */
    static List<String> ask(Endpoint address, String command) throws IOException {
        try (StreamSocket socket = StreamSocket.connect(address, TO_ASK).readTimeout(TO_READ);
                BufferedReader answer = new BufferedReader(
                        new InputStreamReader(Channels.newInputStream(socket), StandardCharsets.UTF_8))) {
            socket.write(ByteBuffer.wrap((command + "\n").getBytes(StandardCharsets.UTF_8)));
            List<String> lines = answer.readAllLines();
            if (!lines.isEmpty() && lines.getFirst().startsWith(ERROR)) {
                throw new IOException(address + ": " + lines.getFirst().substring(ERROR.length()));
            }
            return lines;
        }
    }

    private void accept() {
        while (true) {
            try {
                places.acquire();
                StreamSocket client = listener.accept();
                Thread.ofVirtual().start(() -> serve(client));
            } catch (IOException e) {
                places.release();
                if (!listener.isOpen() || !pause()) {
                    return;
                }
            } catch (InterruptedException e) {
                return;
            }
        }
    }

    /** Out of descriptors, most likely. */
    private static boolean pause() {
        try {
            Thread.sleep(PAUSE_MILLIS);
            return true;
        } catch (InterruptedException e) {
            return false;
        }
    }

    private void serve(StreamSocket client) {
        try (client;
                Answer answer = new Answer(client.writeTimeout(TO_READ))) {
            Command command;
            try {
                command = command(readLine(client));
            } catch (SocketTimeoutException | IllegalArgumentException e) {
                answer.line(ERROR + Trouble.oneLine(e.getMessage()));
                return;
            }
            answer(command, answer);
        } catch (IOException e) {
            // It has gone, or does not read.
        } finally {
            places.release();
        }
    }

    private static String readLine(StreamSocket client) throws IOException {
        long deadline = System.nanoTime() + TO_ASK.toNanos();
        ByteBuffer line = ByteBuffer.allocate(LONGEST_LINE);
        boolean tooLong = false;
        int end = -1;
        while (end < 0) {
            if (!line.hasRemaining()) {
                // The rest is read all the same: a close would be a reset, and the answer lost.
                tooLong = true;
                line.clear();
            }
            int from = line.position();
            client.readTimeout(Duration.ofNanos(Math.max(1, deadline - System.nanoTime())));
            boolean over = client.read(line) < 0;
            for (int i = from; i < line.position() && end < 0; i++) {
                end = line.get(i) == '\n' ? i : -1;
            }
            end = over ? line.position() : end;
        }
        if (tooLong) {
            throw new IllegalArgumentException("more than " + LONGEST_LINE + " bytes in one line");
        }
        return new String(line.array(), 0, end, StandardCharsets.UTF_8).strip();
    }

    private void answer(Command command, Answer answer) throws IOException {
        switch (command) {
            case STATS -> answer.line(StatsJson.of(program.stats()));
            case SESSIONS -> {
                for (LiveSession session : program.live()) {
                    answer.line(StatsJson.of(session));
                }
            }
            case CONFIG -> answer.line(program.config());
            case RELOAD -> answer.line(program.reload());
            case DRAIN -> answer.line(program.drain());
            case HELP -> {
                for (Command each : Command.values()) {
                    answer.line(each.word() + ": " + each.meaning);
                }
            }
        }
    }

    private static Command command(String line) {
        for (Command command : Command.values()) {
            if (command.word().equals(line)) {
                return command;
            }
        }
        throw new IllegalArgumentException(
                "unknown command '" + line.replaceAll("[^\\x20-\\x7e]", "?") + "'; help has them all");
    }

    /** Several lines at a time. */
    private static final class Answer implements AutoCloseable {
        private final StreamSocket client;
        private final StringBuilder batch = new StringBuilder();

        Answer(StreamSocket client) {
            this.client = client;
        }

        void line(String line) throws IOException {
            batch.append(line).append('\n');
            if (batch.length() > BATCH) {
                flush();
            }
        }

        private void flush() throws IOException {
            client.write(ByteBuffer.wrap(batch.toString().getBytes(StandardCharsets.UTF_8)));
            batch.setLength(0);
        }

        @Override
        public void close() throws IOException {
            flush();
        }
    }

    /** Stops listening, and removes the socket's path; whoever has asked gets the answer, if it takes no longer than a moment. */
    @Override
    public void close() {
        listener.close();
        try {
            places.tryAcquire(AT_A_TIME, LAST_WORDS_MILLIS, TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
