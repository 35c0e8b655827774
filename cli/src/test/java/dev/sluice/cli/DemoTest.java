package dev.sluice.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(180)
class DemoTest {
    @TempDir
    private Path directory;

    @Test
    void bothRoutesPass() throws Exception {
        Map<String, Object> report = demo(List.of());
        assertThat(report)
                .containsEntry("passed", true)
                .containsEntry("size", 16L << 20)
                .containsKeys("speedRatio");
        List<Map<String, Object>> routes = ParsedJson.list(report.get("routes"));
        assertThat(routes).extracting("route").containsExactly("SPLICE", "COPY");
        assertThat(routes).extracting("bytes").containsOnly(16L << 20);
        assertThat(routes).extracting("sha256").containsOnly(report.get("sha256"));
    }

    @Test
    void passesByCopyingWhereTheKernelIsOutOfReach() throws Exception {
        Map<String, Object> report = demo(List.of("-Dsluice.native=off"));
        assertThat(report).containsEntry("passed", true);
        assertThat(report.get("shortfall")).asString().contains("sluice.native");
        assertThat(ParsedJson.list(report.get("routes"))).extracting("route").containsExactly("COPY");
    }

    private Map<String, Object> demo(List<String> jvm) throws Exception {
        try (Sluice sluice = Sluice.start(
                jvm, "demo", "--size", "16m", "--rounds", "1", "--json", "--directory", directory.toString())) {
            Sluice.End end = sluice.end();
            assertThat(end.code()).as(end.err()).isZero();
            try (Stream<Path> left = Files.list(directory)) {
                assertThat(left).as("the recording is gone").isEmpty();
            }
            return ParsedJson.object(end.out());
        }
    }

    @Test
    void benchRunsEveryRecipe() throws Exception {
        try (Sluice sluice =
                Sluice.start("bench", "--size", "4m", "--rounds", "1", "--json", "--directory", directory.toString())) {
            Sluice.End end = sluice.end();
            assertThat(end.code()).as(end.err()).isZero();
            assertThat(ParsedJson.list(ParsedJson.object(end.out()).get("runs")))
                    .hasSize(8);
        }
    }

    @Test
    void doctorKnowsWhatIsMissing() throws Exception {
        try (Sluice sluice = Sluice.start(List.of("-Dsluice.native=off"), "doctor", "--json")) {
            Sluice.End end = sluice.end();
            assertThat(end.code()).isZero();
            assertThat(ParsedJson.list(ParsedJson.object(end.out()).get("findings"))
                            .getFirst())
                    .containsEntry("name", "native")
                    .containsEntry("available", false);
        }
    }
}
