package dev.sluice.bench;

import dev.sluice.Pipeline;
import dev.sluice.file.KernelFile;
import dev.sluice.io.Route;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * What a transfer costs beyond the bytes: from a file into /dev/null. With {@code -prof gc}, a transfer of 256 steps
 * allocates what one of a single step does, for the steps allocate nothing.
 */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@State(Scope.Benchmark)
@Fork(value = 3, jvmArgsAppend = "--enable-native-access=ALL-UNNAMED")
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class TransferBenchmark {
    @Param({"SPLICE", "COPY"})
    Route route;

    @Param({"1", "256"})
    int mebibytes;

    private Path path;
    private KernelFile source;
    private KernelFile sink;

    @Setup
    public void open() throws IOException {
        path = Files.createTempFile("sluice-bench", "");
        try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
            file.setLength((long) mebibytes << 20);
        }
        source = KernelFile.open(path, StandardOpenOption.READ);
        sink = KernelFile.open(Path.of("/dev/null"), StandardOpenOption.WRITE);
    }

    @TearDown
    public void close() throws IOException {
        source.close();
        sink.close();
        Files.delete(path);
    }

    @Benchmark
    public long transfer() throws IOException {
        source.position(0);
        return Pipeline.from(source).route(route).to(sink).bytes();
    }
}
