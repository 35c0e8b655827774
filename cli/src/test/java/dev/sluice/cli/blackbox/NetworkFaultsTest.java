package dev.sluice.cli.blackbox;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a network does to sessions, in a network namespace of the test's own: see {@link NetworkFaults}. */
@BlackBox
class NetworkFaultsTest {

    @ParameterizedTest
    @ValueSource(strings = {"reset", "unreachable", "narrow", "userTimeout", "keepAlive", "idleTimeout"})
    void fault(String name) throws Exception {
        NetworkFaults.assumeOptions(name);
        Programs.assumeFound("nft");
        String ip = Programs.assumeFound("ip");
        Programs.assumeFound("tc");
        String unshare = Programs.assumeFound("unshare");
        Programs.Run probe =
                Programs.run(List.of(unshare, "-n", "sh", "-c", ip + " link set lo up && nft list ruleset"));
        assumeTrue(probe.code() == 0, () -> "no network namespace of our own: " + probe.output());
        Programs.Run run = Programs.run(List.of(
                unshare,
                "-n",
                "sh",
                "-c",
                ip + " link set lo up && exec \"$@\"",
                "faults",
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Dsluice.jar=" + RelayProcess.JAR,
                "-cp",
                System.getProperty("java.class.path"),
                NetworkFaults.class.getName(),
                name));
        assertThat(run.code()).as(run.output()).isZero();
        System.out.print(run.output());
    }
}
