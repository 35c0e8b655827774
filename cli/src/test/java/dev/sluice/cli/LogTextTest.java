package dev.sluice.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.io.Endpoint;
import dev.sluice.io.Route;
import dev.sluice.relay.SessionRecord;
import dev.sluice.relay.SessionRecord.Direction;
import dev.sluice.relay.SessionRecord.End;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class LogTextTest {

    @Test
    void oneLineWhateverIsInIt() {
        SessionRecord record = new SessionRecord(
                "two words",
                Instant.EPOCH,
                Duration.ofMillis(1500),
                new Endpoint.Abstract("a\n\"b\"\u2028"),
                Endpoint.parse("proxy:1"),
                Endpoint.parse(":80"),
                Endpoint.parse("t:1"),
                Duration.ofNanos(1234567),
                2,
                new Direction(10, 7, Route.COPY, Map.of(), "r", End.FIN, List.of()),
                new Direction(5, 5, Route.SPLICE, Map.of(), "r", End.RST, List.of()),
                "a = b");
        assertThat(LogText.of(record))
                .isEqualTo("start=1970-01-01T00:00:00Z seconds=1.500000 service=\"two words\""
                        + " client=\"unix:@a\\u000a\\\"b\\\"\\u2028\" peer=tcp:proxy:1 listener=tcp::80 target=tcp:t:1"
                        + " connectSeconds=0.001235 tries=2 clientBytes=7 clientRoute=COPY clientEnd=fin"
                        + " clientUndelivered=3 targetBytes=5 targetRoute=SPLICE targetEnd=rst error=\"a = b\"");
    }

    @Test
    void whatIsSaidTooOftenIsCounted() {
        List<String> said = new ArrayList<>();
        AtMost few = new AtMost(2, "of them", said::add);
        for (int i = 0; i < 5; i++) {
            int number = i;
            few.say(() -> "message " + number);
        }
        few.summarize();
        few.summarize();
        // A second may pass in between on a busy machine; then more of them are said, and the rest is counted in parts.
        assertThat(said).startsWith("message 0", "message 1").hasSizeBetween(3, 5);
        assertThat(said.size() == 3 ? said.getLast() : "3 more of them").isEqualTo("3 more of them");
    }
}
