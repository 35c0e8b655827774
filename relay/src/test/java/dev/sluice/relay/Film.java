package dev.sluice.relay;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A recorded stream, rebuilt from nothing but its index and its files.
 *
 * @param bytes with zeros in the gaps
 * @param gaps where they are, and how long
 * @param end the first word of the last line: {@code end}, {@code cut}, or something else if there is no end
 */
record Film(byte[] bytes, List<long[]> gaps, int files, String end) {
    private static final Pattern LINE =
            Pattern.compile("\\{\"(file|gap|end|cut)\":\"?(.*?)\"?,\"(?:at|recorded)\":(\\d+),(.*)}");
    private static final Pattern AFTER = Pattern.compile("\"after\":(\\d+)");

    /** @param recording the path without a number, as a record of a session has it */
    static Film of(Path recording) throws IOException {
        ByteArrayOutputStream film = new ByteArrayOutputStream();
        List<long[]> gaps = new ArrayList<>();
        byte[] now = new byte[0];
        int at = 0;
        int files = 0;
        String last = "";
        for (String line : Files.readAllLines(Path.of(recording + ".index"))) {
            Matcher words = LINE.matcher(line);
            assertThat(words.matches()).as(line).isTrue();
            last = words.group(1);
            if (last.equals("gap")) {
                Matcher after = AFTER.matcher(words.group(4));
                assertThat(after.find()).isTrue();
                int until = Integer.parseInt(after.group(1));
                film.write(now, at, until - at);
                at = until;
                assertThat(Long.parseLong(words.group(3))).isEqualTo(film.size());
                int missing = Integer.parseInt(words.group(2));
                gaps.add(new long[] {film.size(), missing});
                film.write(new byte[missing]);
            } else {
                film.write(now, at, now.length - at);
                now = new byte[0];
                at = 0;
                if (last.equals("file")) {
                    assertThat(Long.parseLong(words.group(3))).isEqualTo(film.size());
                    now = Files.readAllBytes(recording.resolveSibling(words.group(2)));
                    files++;
                }
            }
        }
        film.write(now, at, now.length - at);
        return new Film(film.toByteArray(), gaps, files, last);
    }

    /** Everything but the gaps is as it was. */
    void isOf(byte[] stream) {
        byte[] expected = stream.clone();
        for (long[] gap : gaps) {
            java.util.Arrays.fill(expected, (int) gap[0], (int) (gap[0] + gap[1]), (byte) 0);
        }
        Talk.same(bytes, expected);
    }
}
