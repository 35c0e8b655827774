package dev.sluice.cli.blackbox;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.Semaphore;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The scripts in {@code src/test/vtc}, see vtc(7): peers that are not ours. */
@BlackBox
class VarnishtestTest {
    private static final Path SCRIPTS = Path.of("src/test/vtc");
    private static final int AT_ONCE = 3;

    @Test
    void allScriptsPass() throws Exception {
        String varnishtest = Programs.assumeFound("varnishtest");
        List<Path> scripts;
        try (Stream<Path> files = Files.list(SCRIPTS)) {
            scripts = files.filter(file -> file.toString().endsWith(".vtc")).toList();
        }
        Map<String, String> failures = new ConcurrentSkipListMap<>();
        Semaphore turns = new Semaphore(AT_ONCE);
        Parallel.run(scripts.stream()
                .map(script -> (Parallel.Action) () -> {
                    turns.acquire();
                    Programs.Run run = run(varnishtest, script);
                    turns.release();
                    if (run.code() != 0) {
                        failures.put(script.getFileName().toString(), run.output());
                    }
                })
                .toList());
        assertThat(failures).isEmpty();
        System.out.println(scripts.size() + " scripts of varnishtest");
    }

    private static Programs.Run run(String varnishtest, Path script) throws Exception {
        return Programs.run(List.of(
                varnishtest,
                "-q",
                "-t30",
                // The log of one script, in which every body is.
                "-b16M",
                "-Drelay=" + String.join(" ", RelayProcess.relay()),
                "-Dport=" + Ports.free(),
                script.toString()));
    }
}
