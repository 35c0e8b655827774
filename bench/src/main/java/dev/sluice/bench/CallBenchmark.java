package dev.sluice.bench;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.sluice.internal.linux.Files;
import java.io.IOException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Threads;
import org.openjdk.jmh.annotations.Warmup;

/** What a native call costs beyond the kernel's part: lseek(2), which does next to nothing, and its failure. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@State(Scope.Benchmark)
@Fork(value = 3, jvmArgsAppend = "--enable-native-access=ALL-UNNAMED")
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@SuppressWarnings("restricted")
public class CallBenchmark {
    private static final MethodHandle LSEEK = Linker.nativeLinker()
            .downcallHandle(
                    Linker.nativeLinker().defaultLookup().findOrThrow("lseek"),
                    FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT));

    private int file;

    @Setup
    public void open() throws IOException {
        Path path = java.nio.file.Files.createTempFile("sluice-bench", "");
        file = Files.open(path.toString(), Files.O_RDONLY, 0);
        java.nio.file.Files.delete(path);
    }

    @TearDown
    public void close() {
        Files.close(file);
    }

    /** Six longs, and errno captured into a borrowed cell. */
    @Benchmark
    public long library() {
        return Files.seek(file, 0, Files.SEEK_CUR);
    }

    /** As {@link #library} on two threads, whose cells must not meet. */
    @Benchmark
    @Threads(2)
    public long libraryOnTwoThreads() {
        return Files.seek(file, 0, Files.SEEK_CUR);
    }

    /** The same, when errno is read: −EBADF. */
    @Benchmark
    public long libraryFailing() {
        return Files.seek(-1, 0, Files.SEEK_CUR);
    }

    /** The plain downcall, which can't tell why it failed. */
    @Benchmark
    public long bare() throws Throwable {
        return (long) LSEEK.invokeExact(file, 0L, Files.SEEK_CUR);
    }
}
