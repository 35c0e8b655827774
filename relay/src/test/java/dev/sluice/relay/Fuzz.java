package dev.sluice.relay;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.function.Function;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import java.util.regex.Pattern;

/**
 * Random mutations of a corpus, and what must hold for whatever they are. {@code -Dsluice.test.seed=S} repeats those of a
 * seed, {@code -Dsluice.test.fuzz=N} makes N times as many; for large N add
 * {@code -Djunit.jupiter.execution.timeout.mode=disabled}.
 */
final class Fuzz {
    private static final long SEED = Long.getLong("sluice.test.seed", System.nanoTime());
    private static final int SCALE = Integer.getInteger("sluice.test.fuzz", 1);
    private static final int EVERY_PREFIX = 400;
    private static final Pattern ONE_LINE = Pattern.compile("bad [ -~]{10,150}");

    final RandomGenerator random = RandomGeneratorFactory.of("L64X128MixRandom").create(SEED);
    final int rounds;
    private final List<byte[]> corpus;

    Fuzz(String what, int rounds, List<byte[]> corpus) {
        this.rounds = rounds * SCALE;
        this.corpus = corpus;
        System.out.println("fuzzing " + what + ", -Dsluice.test.seed=" + SEED);
    }

    /** The lines of a resource: hexadecimal, or text with escapes as in Java. */
    static List<byte[]> corpus(String resource) throws IOException {
        List<byte[]> corpus = new ArrayList<>();
        try (InputStream in = Fuzz.class.getResourceAsStream(resource)) {
            for (String line : new String(in.readAllBytes(), StandardCharsets.UTF_8).split("\n")) {
                if (line.matches("[0-9a-f]+")) {
                    corpus.add(HexFormat.of().parseHex(line));
                } else if (!line.startsWith("#") && !line.isEmpty()) {
                    corpus.add(line.translateEscapes().getBytes(StandardCharsets.ISO_8859_1));
                }
            }
        }
        return corpus;
    }

    /** One of the corpus with a few changes, and at times with none. */
    byte[] next() {
        byte[] bytes = entry().clone();
        for (int left = random.nextInt(4); left > 0; left--) {
            bytes = mutate(bytes);
        }
        return bytes;
    }

    private byte[] entry() {
        return corpus.get(random.nextInt(corpus.size()));
    }

    private byte[] mutate(byte[] bytes) {
        if (bytes.length == 0) {
            return entry().clone();
        }
        int at = random.nextInt(random.nextBoolean() ? bytes.length : Math.min(bytes.length, 60));
        int to = at + random.nextInt(Math.min(bytes.length - at, 40) + 1);
        byte[] other = entry();
        switch (random.nextInt(8)) {
            case 0 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
            case 1 ->
                bytes[at] = (byte) new int[] {0, 1, 127, 128, 255, ' ', '\r', '\n', '0', ':', '.'}[random.nextInt(11)];
            case 2 -> bytes[at] += (byte) (random.nextBoolean() ? 1 : -1);
            case 3 -> bytes = joined(Arrays.copyOf(bytes, at), Arrays.copyOfRange(bytes, to, bytes.length));
            case 4 -> bytes = joined(Arrays.copyOf(bytes, to), Arrays.copyOfRange(bytes, at, bytes.length));
            case 5 -> bytes = Arrays.copyOf(bytes, at);
            case 6 ->
                bytes = joined(
                        Arrays.copyOf(bytes, at), Arrays.copyOfRange(other, Math.min(at, other.length), other.length));
            default -> {
                byte[] noise = new byte[random.nextInt(20)];
                random.nextBytes(noise);
                bytes = joined(joined(Arrays.copyOf(bytes, at), noise), Arrays.copyOfRange(bytes, at, bytes.length));
            }
        }
        return bytes;
    }

    static byte[] joined(byte[] first, byte[] second) {
        byte[] joined = Arrays.copyOf(first, first.length + second.length);
        System.arraycopy(second, 0, joined, first.length, second.length);
        return joined;
    }

    /**
     * The answer to all bytes, which is the same as to each beginning that is long enough, wherever it lies in a buffer.
     *
     * @param max how long something found may be
     */
    <T> Peeked<T> answer(byte[] bytes, int max, Function<ByteBuffer, Peeked<T>> parse) {
        Peeked<T> whole = parse.apply(ByteBuffer.wrap(bytes));
        boolean fine = switch (whole) {
            case Peeked.Found<T> found -> found.length() > 0 && found.length() <= Math.min(max, bytes.length);
            case Peeked.More<T> more -> more.bytes() > 0 && bytes.length + more.bytes() <= max;
            case Peeked.Rejected<T> rejected ->
                ONE_LINE.matcher(rejected.reason()).matches();
        };
        check(fine, bytes, bytes.length, whole, whole);
        boolean decided = false;
        int step = bytes.length <= EVERY_PREFIX ? 1 : 1 + random.nextInt(bytes.length / 20);
        for (int length = 0; length < bytes.length; length += step) {
            Peeked<T> part = parse.apply(placed(bytes, length));
            if (part instanceof Peeked.More<T> more && !decided) {
                int end = whole instanceof Peeked.Found<T> found ? found.length() : max;
                check(more.bytes() > 0 && length + more.bytes() <= end, bytes, length, part, whole);
            } else {
                decided = true;
                check(part.equals(whole), bytes, length, part, whole);
            }
        }
        return whole;
    }

    private static void check(boolean fine, byte[] bytes, int length, Peeked<?> part, Peeked<?> whole) {
        if (!fine) {
            throw new AssertionError("of " + bytes.length + " bytes the first " + length + " are " + part + ", all are "
                    + whole + "; seed " + SEED + ", "
                    + HexFormat.of().formatHex(bytes, 0, Math.min(bytes.length, 1000)));
        }
    }

    private ByteBuffer placed(byte[] bytes, int length) {
        int before = random.nextInt(3);
        ByteBuffer buffer = random.nextBoolean()
                ? ByteBuffer.allocate(length + before + 2)
                : ByteBuffer.allocateDirect(length + before + 2);
        return buffer.position(before).put(bytes, 0, length).flip().position(before);
    }
}
