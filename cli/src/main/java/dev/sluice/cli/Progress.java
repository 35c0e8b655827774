package dev.sluice.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** A bar that follows the growth of a file, for whoever looks on; nothing where nobody does. */
final class Progress implements AutoCloseable {
    private static final int WIDTH = 40;
    private static final long INTERVAL_MILLIS = 100;
    private static final String ERASE_LINE = "\r\033[K";

    private final String title;
    private final Path file;
    private final long size;
    private final Thread thread;

    private Progress(String title, Path file, long size) {
        this.title = title;
        this.file = file;
        this.size = size;
        this.thread = Thread.ofPlatform().daemon().name("progress").unstarted(this::draw);
    }

    /** Null, which a try statement takes, if there is nobody to see it. */
    static Progress of(String title, Path file, long size) {
        if (!Console.isTerminal()) {
            return null;
        }
        Progress progress = new Progress(title, file, size);
        progress.thread.start();
        return progress;
    }

    private void draw() {
        try {
            while (true) {
                int done = (int) (WIDTH * Math.min(size, written()) / size);
                System.err.print("\r" + title + " [" + "#".repeat(done) + ".".repeat(WIDTH - done) + "]");
                Thread.sleep(INTERVAL_MILLIS);
            }
        } catch (InterruptedException e) {
            System.err.print(ERASE_LINE);
        }
    }

    private long written() {
        try {
            return Files.size(file);
        } catch (IOException e) {
            // Not there yet.
            return 0;
        }
    }

    @Override
    public void close() {
        thread.interrupt();
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
