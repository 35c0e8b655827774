package dev.sluice.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.io.Route;
import dev.sluice.io.TransferResult;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;

/** Checks what a transfer says that it did. */
public final class Account {
    /** The reason of the kernel route. */
    public static final String PIPE = "through a kernel pipe";

    private Account() {}

    /** The parts add up, and the route is the one that most bytes went. */
    public static void addsUp(TransferResult result, long bytes) {
        assertThat(result.bytes()).as("bytes").isEqualTo(bytes);
        assertThat(result.byRoute().values())
                .as("%s", result)
                .allSatisfy(count -> assertThat(count).isPositive());
        assertThat(result.byRoute().values().stream().mapToLong(Long::longValue).sum())
                .as("%s", result.byRoute())
                .isEqualTo(bytes);
        if (bytes > 0) {
            assertThat(result.byRoute().get(result.route()))
                    .as("%s", result)
                    .isEqualTo(Collections.max(result.byRoute().values()));
        }
        assertThat(result.duration()).isPositive();
        assertThat(result.reason()).isNotBlank().doesNotContain("\n");
    }

    /** All of it went this way. */
    public static void wentBy(Route route, TransferResult result, long bytes) {
        addsUp(result, bytes);
        assertThat(result.route()).as(result.reason()).isEqualTo(route);
        assertThat(result.byRoute().keySet()).as("%s", result).isSubsetOf(route);
    }

    /** The route from one file in the directory to another if nobody asks for one. */
    public static Route betweenFiles(Path directory) throws IOException {
        boolean ext = Files.getFileStore(directory).type().startsWith("ext");
        return ext ? Route.SPLICE : Route.COPY_FILE_RANGE;
    }

    /** Nobody asked for a route: spliced or, as long as the portions are small, copied. */
    public static void splicedOrSmall(TransferResult result, long bytes) {
        addsUp(result, bytes);
        assertThat(result.route()).isIn(Route.SPLICE, Route.COPY);
        assertThat(result.reason()).startsWith(result.route() == Route.SPLICE ? PIPE : "small portions");
    }
}
