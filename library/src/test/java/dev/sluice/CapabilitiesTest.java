package dev.sluice;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.io.Capabilities.Finding;
import dev.sluice.testkit.Child;
import dev.sluice.testkit.LeakCheck;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(LeakCheck.class)
@Timeout(60)
class CapabilitiesTest {
    private static final List<String> OF_THE_KERNEL = List.of(
            "native",
            "tee",
            "splice",
            "large pipes",
            "sendfile",
            "copy_file_range",
            "epoll",
            "adoption",
            "zero-copy send",
            "ring",
            "locked memory");
    private static final List<String> OF_THE_PROCESS =
            List.of("flight recorder", "descriptors", "pipe-max-size", "pipe-user-pages-soft", "processors");

    @Test
    void everythingThatSluiceUsesIsThereAndTrueOfThisMachine() {
        List<String> all = new ArrayList<>(OF_THE_KERNEL);
        all.addAll(OF_THE_PROCESS);

        assertThat(Sluice.capabilities().findings()).extracting(Finding::name).containsExactlyElementsOf(all);
        // What the other tests use anyway.
        assertThat(Sluice.capabilities().findings())
                .filteredOn(Finding::available)
                .extracting(Finding::name)
                .contains("native", "tee", "splice", "epoll", "adoption", "flight recorder");
        assertThat(Sluice.capabilities().findings()).allSatisfy(finding -> {
            assertThat(finding.detail()).isNotBlank().doesNotContain("unknown", "\n");
            if (finding.available()) {
                assertThat(finding.remedy()).as("%s", finding).isEmpty();
            }
        });
    }

    @Test
    void whatIsShortIsNamedWithItsRemedy() throws Exception {
        List<String> prefix = List.of(
                "sh", "-c", "ulimit -n 500 && exec \"$@\"", "sh", "setpriv", "--bounding-set=-all", "--inh-caps=-all");
        List<String> check = new ArrayList<>(prefix);
        check.add("true");
        Assumptions.assumeTrue(Child.has(check.toArray(String[]::new)), "setpriv is missing");

        Child child = Child.run(Child.command(prefix, List.of("-Dsluice.native=off"), Printed.class));

        assertThat(child.exit()).as(child.toString()).isZero();
        assertThat(child.out().lines())
                .anySatisfy(line -> assertThat(line).startsWith("NO native: ").endsWith("-Dsluice.native=auto"))
                .anySatisfy(line -> assertThat(line)
                        .startsWith("NO descriptors: ulimit -n is 500")
                        .endsWith("ulimit -n 65536, or LimitNOFILE=65536 in a systemd unit"))
                .hasSize(1 + OF_THE_PROCESS.size());
    }

    static final class Printed {
        public static void main(String[] arguments) {
            for (Finding finding : Sluice.capabilities().findings()) {
                System.out.println((finding.available() ? "yes " : "NO ") + finding.name() + ": " + finding.detail()
                        + " " + finding.remedy());
            }
        }
    }
}
