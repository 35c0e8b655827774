package dev.sluice.contract;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.io.Route;
import dev.sluice.io.TransferResult;
import dev.sluice.testkit.Account;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.LeakCheck;
import java.io.IOException;
import java.nio.channels.Channel;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.Timeout.ThreadMode;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every kind of source × every kind of sink × every route: the same bytes, counts and limits, and the true reason. */
@ExtendWith(LeakCheck.class)
@Timeout(value = 60, threadMode = ThreadMode.SEPARATE_THREAD)
class ChannelMatrixTest {
    private static final long SEED = 77_001;
    private static final byte[] PAYLOAD = Bytes.random(SEED, 307_201);
    private static final int LIMIT = 100_003;

    @TempDir
    private Path directory;

    record Case(SourceKind source, SinkKind sink, Way way) {
        /** Whether the transfer decides as it goes, by what it finds in the source. */
        boolean adaptive() {
            return way == Way.AUTO && source != SourceKind.FILE && route(null) == Route.SPLICE;
        }

        /** @param betweenFiles the route that is best from file to file here */
        Route route(Route betweenFiles) {
            if (way == Way.COPY || source.foreign() || sink.foreign() || sink == SinkKind.FILE_APPEND) {
                return Route.COPY;
            }
            boolean files = source == SourceKind.FILE && sink == SinkKind.FILE;
            return files && way == Way.AUTO ? betweenFiles : Route.SPLICE;
        }

        String reason(Route route, Channel sourceChannel, Channel sinkChannel) {
            if (way == Way.COPY) {
                return "copying was asked for";
            } else if (source.foreign()) {
                return outOfReach("source", sourceChannel);
            } else if (sink.foreign()) {
                return outOfReach("sink", sinkChannel);
            } else if (sink == SinkKind.FILE_APPEND) {
                return "the sink is open for appending (O_APPEND), which splice(2) refuses";
            }
            return route == Route.SPLICE ? Account.PIPE : "file to file";
        }

        private static String outOfReach(String side, Channel channel) {
            return channel instanceof FileChannel
                    ? "the " + side + " is a FileChannel, whose descriptor is out of reach; use KernelFile.open(path)"
                    : "the " + side + " is a " + channel.getClass().getName() + ", whose descriptor is out of reach";
        }

        @Override
        public String toString() {
            return source + " to " + sink + " by " + way;
        }
    }

    static Stream<Case> cases() {
        return Stream.of(SourceKind.values())
                .flatMap(source -> Stream.of(SinkKind.values())
                        .flatMap(sink -> Stream.of(Way.values()).map(way -> new Case(source, sink, way))));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void everythingArrivesAndTheResultSaysHow(Case test) throws Exception {
        try (SourceKind.SourceEnd source = test.source.open(PAYLOAD, directory);
                SinkKind.SinkEnd sink = test.sink.open(directory)) {
            TransferResult result = test.way.from(source.channel()).to(sink.channel());

            check(test, result, PAYLOAD.length, source, sink);
            byte[] received = sink.finish();
            if (received != null) {
                assertThat(received).isEqualTo(PAYLOAD);
            }
            source.feeding().get();
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void theLimitIsExactAndTheRestStaysReadable(Case test) throws Exception {
        try (SourceKind.SourceEnd source = test.source.open(PAYLOAD, directory);
                SinkKind.SinkEnd sink = test.sink.open(directory)) {
            TransferResult result = test.way.from(source.channel()).limit(LIMIT).to(sink.channel());

            check(test, result, LIMIT, source, sink);
            assertThat(Bytes.readAll(source.channel())).isEqualTo(Arrays.copyOfRange(PAYLOAD, LIMIT, PAYLOAD.length));
            byte[] received = sink.finish();
            if (received != null) {
                assertThat(received).isEqualTo(Arrays.copyOf(PAYLOAD, LIMIT));
            }
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void transfersFollowEachOtherOnTheSameChannels(Case test) throws Exception {
        try (SourceKind.SourceEnd source = test.source.open(PAYLOAD, directory);
                SinkKind.SinkEnd sink = test.sink.open(directory)) {
            for (int step : new int[] {0, 1, 4095, LIMIT}) {
                assertThat(test.way
                                .from(source.channel())
                                .limit(step)
                                .to(sink.channel())
                                .bytes())
                        .isEqualTo(step);
            }
            long rest = test.way.from(source.channel()).to(sink.channel()).bytes();

            assertThat(rest).isEqualTo(PAYLOAD.length - 4096 - LIMIT);
            byte[] received = sink.finish();
            if (received != null) {
                assertThat(received).isEqualTo(PAYLOAD);
            }
        }
    }

    private void check(Case test, TransferResult result, long bytes, SourceKind.SourceEnd source, SinkKind.SinkEnd sink)
            throws IOException {
        if (test.adaptive()) {
            Account.splicedOrSmall(result, bytes);
        } else {
            Route route = test.route(Account.betweenFiles(directory));
            Account.wentBy(route, result, bytes);
            assertThat(result.reason()).startsWith(test.reason(route, source.channel(), sink.channel()));
        }
        assertThat(result.mirrors()).isEmpty();
    }
}
