package dev.sluice.ring;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A short run of all the stress tests: some hundred thousand tries each, where a wrong order shows within a thousand or so. */
@Timeout(300)
class StressTest {
    private static final String[] BRIEFLY = {"-f", "1", "-iters", "1", "-time", "200", "-sc", "false"};

    @TempDir
    Path directory;

    @Test
    @DisplayName("nothing forbidden is seen")
    void run() throws Exception {
        Path log = directory.resolve("log");
        ProcessBuilder jvm = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-cp",
                        System.getProperty("java.class.path"),
                        "org.openjdk.jcstress.Main",
                        "-r",
                        directory.toString(),
                        "-jvmArgs",
                        "-XX:-TieredCompilation")
                .directory(directory.toFile())
                .redirectErrorStream(true)
                .redirectOutput(log.toFile());
        jvm.command().addAll(List.of(BRIEFLY));
        Process process = jvm.start();
        try {
            int exit = process.waitFor();
            assertThat(exit).as(Files.readString(log)).isZero();
        } finally {
            process.destroyForcibly();
        }
        String said = Files.readString(log);
        assertThat(said).contains("Failed tests: No matches.", "Error tests: No matches.");
    }
}
