package dev.sluice.bench;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;

/**
 * A file that is in the page cache into a TCP socket whose receiver copies nothing: Sluice.transfer against what the JDK
 * offers, on the disk and on tmpfs. Prints tables in Markdown.
 */
public final class FileToSocket {
    private static final Path SHARED_MEMORY = Path.of("/dev/shm");

    private FileToSocket() {}

    public static void main(String[] args) throws IOException, InterruptedException {
        Options options = Options.parse(args, 31, 512 << 20);
        if (CubicNetwork.holds(FileToSocket.class, args)) {
            return;
        }
        Party endpoints = Match.bareEndpoints();
        if (endpoints == null) {
            return;
        }
        try (Match match = new Match(endpoints)) {
            match.enterMover("Sluice", "sluice")
                    .enterMover("FileChannel.transferTo", "jdk-transferTo")
                    .enterMover("JDK channels", "jdk");
            for (Path directory : directories()) {
                String type = type(directory);
                if (options.wants("source", type)) {
                    System.out.printf("%n### From a file on %s%n%n", type);
                    play(match, directory, options, "file-to-socket-" + type);
                }
            }
        }
    }

    private static void play(Match match, Path directory, Options options, String plot) throws IOException {
        Path file = Files.createTempFile(directory, "sluice-bench", "");
        try {
            write(file, options.bytes());
            match.playBulk("file:" + file, "tcp", options, plot);
        } finally {
            Files.delete(file);
        }
    }

    /** Writing it brings it into the page cache; being on the disk keeps write-back out of the runs. */
    static void write(Path file, long bytes) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            ByteBuffer step = ByteBuffer.allocateDirect(1 << 20);
            for (long left = bytes; left > 0; ) {
                left -= channel.write(step.clear().limit((int) Math.min(left, step.capacity())));
            }
            channel.force(true);
        }
    }

    /** One on the disk, one on tmpfs; a missing one is left out with a message. */
    static List<Path> directories() throws IOException {
        List<Path> directories = new ArrayList<>(List.of(Path.of("").toAbsolutePath()));
        if (Files.isWritable(SHARED_MEMORY)) {
            directories.add(SHARED_MEMORY);
        } else {
            System.err.println("tmpfs is left out: cannot write to " + SHARED_MEMORY);
        }
        return directories;
    }

    /** The type of the file system. */
    static String type(Path directory) throws IOException {
        return Files.getFileStore(directory).type();
    }
}
