package dev.sluice.file;

import dev.sluice.internal.fd.Descriptor;
import dev.sluice.internal.fd.Descriptors;
import dev.sluice.internal.fd.Tape;
import dev.sluice.io.SluiceException;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;

/**
 * One stream in one or more files, with an index beside them: {@code NAME.000001}, {@code NAME.000002} and so on, and
 * {@code NAME.index}. As a mirror it may be told to leave gaps rather than to hold the stream up; each is in the index.
 *
 * <p>The index has one JSON object per line, in the order of the stream. {@code at} is always an offset in the stream,
 * gaps included:
 *
 * <pre>{@code
 * {"file":"camera.000001","at":0,"time":"2026-01-02T03:04:05Z"}
 * {"gap":65536,"at":1048576,"file":"camera.000001","after":1048576,"time":"2026-01-02T03:04:06Z"}
 * {"end":5242880,"recorded":5177344,"gaps":1,"missed":65536,"time":"2026-01-02T03:04:07Z"}
 * }</pre>
 *
 * <p>So the files in order are the stream without its gaps, and each gap says how many bytes are missing where. An index
 * that has {@code cut} instead of {@code end} is of a stream that went on, or failed; one with neither was not closed. Writes block on the disk like those of {@link KernelFile}; one writer at a time.
 */
public final class Recording implements WritableByteChannel {
    static {
        Descriptors.register(Recording.class, recording -> recording.descriptor);
    }

    private static final int MAX_NUMBER = 999_999;

    private final Path directory;
    private final String name;
    private final Rotation rotation;
    private final BufferedWriter index;
    private final Reel reel = new Reel();
    private final Descriptor descriptor;
    private final KernelFile file;

    /**
     * When to go on in the next file. A file holds at least one byte, and time passes only with bytes.
     *
     * @param bytes the size of a full file; 0 for no bound
     * @param interval for how long a file is written to; zero for ever
     */
    public record Rotation(long bytes, Duration interval) {
        /** Everything in one file. */
        public static final Rotation NONE = new Rotation(0, Duration.ZERO);

        public Rotation {
            if (bytes < 0 || interval.isNegative()) {
                throw new IllegalArgumentException("a rotation after " + bytes + " bytes or " + interval);
            }
        }

        /** By size. */
        public static Rotation bytes(long bytes) {
            return new Rotation(bytes, Duration.ZERO);
        }

        /** By time. */
        public static Rotation every(Duration interval) {
            return new Rotation(0, interval);
        }
    }

    private Recording(Path directory, String name, Rotation rotation) throws IOException {
        this.directory = directory;
        this.name = name;
        this.rotation = rotation;
        Path beside = directory.resolve(name + ".index");
        this.index = Files.newBufferedWriter(beside, StandardOpenOption.CREATE_NEW);
        KernelFile first = null;
        try {
            first = KernelFile.recording(path(1), directory.resolve(name).toString(), reel);
            this.file = first;
            this.descriptor = Descriptors.sink(first);
            reel.begin(1);
        } catch (IOException | RuntimeException e) {
            undo(e, index, first, beside);
            throw e;
        }
    }

    /** Nothing is left of a recording that could not begin, such as on a full disk. */
    private void undo(Exception why, BufferedWriter writer, KernelFile first, Path beside) {
        try {
            try (writer) {
                if (first != null) {
                    first.close();
                    Files.delete(path(1));
                }
            } finally {
                Files.delete(beside);
            }
        } catch (IOException e) {
            why.addSuppressed(e);
        }
    }

    /**
     * Begins a recording, with its first file and its index.
     *
     * @param name of the files, without a slash, a quote or a control character
     * @throws java.nio.file.FileAlreadyExistsException if there is a recording of this name
     * @throws SluiceException with the errno of open(2)
     * @throws UnsupportedOperationException if this is not Linux
     */
    public static Recording open(Path directory, String name, Rotation rotation) throws IOException {
        if (name.isEmpty() || name.chars().anyMatch(c -> c < ' ' || c == '/' || c == '"' || c == '\\')) {
            throw new IllegalArgumentException("a recording can't be named \"" + name + "\"");
        }
        return new Recording(directory, name, rotation);
    }

    private Path path(int number) {
        return directory.resolve(fileName(number));
    }

    private String fileName(int number) {
        return "%s.%06d".formatted(name, number);
    }

    /**
     * Writes the whole buffer, into as many files as the rotation asks for.
     *
     * @throws SluiceException with the errno of write(2) or open(2); the buffer's position tells how much was written
     */
    @Override
    public int write(ByteBuffer buffer) throws IOException {
        return file.write(buffer);
    }

    /** How many bytes are in the files. */
    public long recorded() {
        return reel.recorded();
    }

    /** How many bytes of the stream are missing. */
    public long missed() {
        return reel.missed();
    }

    @Override
    public boolean isOpen() {
        return file.isOpen();
    }

    /**
     * Ends the index and closes. Of a pipeline that is still at work the mirror fails.
     *
     * @throws IOException if the end could not be written to the index
     */
    @Override
    public void close() throws IOException {
        if (descriptor.close()) {
            reel.end("end", "");
        }
    }

    /**
     * {@link #close} for a recording that is not of the whole stream, because one of the two has failed: the last line of
     * its index begins with {@code cut} instead of {@code end} and says why.
     */
    public void cut(String why) throws IOException {
        if (descriptor.close()) {
            reel.end("cut", ",\"why\":\"" + plain(why) + '"');
        }
    }

    private static String plain(String text) {
        return text.codePoints()
                .map(c -> c < ' ' || c == '"' || c == '\\' ? '\'' : c)
                .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
                .toString();
    }

    @Override
    public String toString() {
        return file.toString();
    }

    /** Where the recording is, in its files and in its stream. */
    private final class Reel implements Tape {
        private record Gap(long after, long bytes) {}

        private final ArrayDeque<Gap> gaps = new ArrayDeque<>();
        private int number;
        private long began;
        private long inFile;
        private long recorded;
        private long missed;
        private long marked;
        private int markedGaps;

        void begin(int next) throws IOException {
            number = next;
            began = System.nanoTime();
            inFile = 0;
            note("{\"file\":\"%s\",\"at\":%d".formatted(fileName(number), recorded + marked));
        }

        @Override
        public synchronized int room() throws IOException {
            markGaps();
            if (inFile > 0 && (full() || old())) {
                if (number == MAX_NUMBER) {
                    throw new IOException(file + ": no more than " + MAX_NUMBER + " files make a recording");
                }
                file.turnTo(path(number + 1));
                begin(number + 1);
            }
            long room = rotation.bytes() == 0 ? Integer.MAX_VALUE : rotation.bytes() - inFile;
            Gap gap = gaps.peek();
            return (int) Math.min(Integer.MAX_VALUE, gap == null ? room : Math.min(room, gap.after - recorded));
        }

        private boolean full() {
            return rotation.bytes() > 0 && inFile >= rotation.bytes();
        }

        private boolean old() {
            return rotation.interval().isPositive()
                    && System.nanoTime() - began >= rotation.interval().toNanos();
        }

        @Override
        public synchronized void wrote(long count) {
            inFile += count;
            recorded += count;
        }

        @Override
        public synchronized void missed(long after, long count) {
            missed += count;
            Gap last = gaps.peekLast();
            if (last != null && last.after == after) {
                gaps.pollLast();
                gaps.addLast(new Gap(after, last.bytes + count));
            } else {
                gaps.addLast(new Gap(after, count));
            }
        }

        /** Those that the recording has come to. */
        private void markGaps() throws IOException {
            Gap gap;
            while ((gap = gaps.peek()) != null && gap.after <= recorded) {
                gaps.poll();
                note("{\"gap\":%d,\"at\":%d,\"file\":\"%s\",\"after\":%d"
                        .formatted(gap.bytes, recorded + marked, fileName(number), inFile));
                marked += gap.bytes;
                markedGaps++;
            }
        }

        synchronized void end(String how, String more) throws IOException {
            try (index) {
                markGaps();
                note("{\"%s\":%d,\"recorded\":%d,\"gaps\":%d,\"missed\":%d%s"
                        .formatted(how, recorded + marked, recorded, markedGaps, marked, more));
            }
        }

        private void note(String line) throws IOException {
            index.write(line + ",\"time\":\"" + Instant.now() + "\"}\n");
            index.flush();
        }

        synchronized long recorded() {
            return recorded;
        }

        synchronized long missed() {
            return missed;
        }
    }
}
