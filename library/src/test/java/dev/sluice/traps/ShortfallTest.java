package dev.sluice.traps;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.testkit.Child;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What keeps a whole process off the kernel's route is logged once, with what would help; what is ordinary is not. */
@Timeout(60)
class ShortfallTest {
    private static List<String> lines(Child child) {
        assertThat(child.exit()).as(child.toString()).isZero();
        return child.err().lines().filter(line -> line.contains("transfers ")).toList();
    }

    @Test
    @DisplayName("native access that is denied is logged once, with the flag")
    void nativeAccess() throws Exception {
        List<String> command = new ArrayList<>(
                Child.command(List.of(), List.of("--illegal-native-access=deny"), TwoTransfers.class, "jdk"));
        command.remove("--enable-native-access=ALL-UNNAMED");

        assertThat(lines(Child.run(command))).singleElement().asString().contains("--enable-native-access=ALL-UNNAMED");
    }

    @ParameterizedTest
    @CsvSource({
        "jdk, -Dsluice.native=off",
        "foreign, -Dsluice.native=auto",
        "jdk, -Dsluice.native=auto",
        "pipe, -Dsluice.native=auto"
    })
    @DisplayName("what was asked for, channels of other kinds, and what works are not logged")
    void silence(String channels, String option) throws Exception {
        Child child = Child.run(Child.command(List.of(), List.of(option), TwoTransfers.class, channels));

        assertThat(lines(child)).isEmpty();
        assertThat(child.err()).doesNotContain("dev.sluice");
    }

    @ParameterizedTest
    @CsvSource({"splice:error=EPERM, seccomp", "splice:error=ENOSYS, seccomp", "pipe2:error=EMFILE, ulimit -n"})
    @DisplayName("a call that is forbidden, or a resource that is used up, is logged once, with the remedy")
    void ownChannels(String fault, String remedy, @TempDir Path directory) throws Exception {
        Trace.assumePossible();
        String call = fault.substring(0, fault.indexOf(':'));
        List<String> prefix = Trace.prefix(directory.resolve("log"), call, "-e", "inject=" + fault);

        Child child = Child.run(Child.command(prefix, List.of(), TwoTransfers.class, "own"));

        assertThat(lines(child)).singleElement().asString().contains(remedy);
        assertThat(child.out()).contains("route=COPY");
    }

    @Test
    @DisplayName("descriptors of JDK pipes that can't be found are logged once")
    void adoption() throws Exception {
        // The launcher finds its own library by /proc, too.
        String hide =
                "mount -t tmpfs none /proc && LD_LIBRARY_PATH=" + System.getProperty("java.home") + "/lib exec \"$@\"";
        List<String> hidden = List.of("unshare", "--mount", "sh", "-c", hide, "sh");
        List<String> check = new ArrayList<>(hidden);
        check.add("true");
        Assumptions.assumeTrue(Child.has(check.toArray(String[]::new)), "no right to hide /proc, or no unshare");

        Child child = Child.run(Child.command(hidden, List.of(), TwoTransfers.class, "pipe"));

        assertThat(lines(child)).singleElement().asString().contains("/proc");
        assertThat(child.out()).contains("route=COPY");
    }
}
