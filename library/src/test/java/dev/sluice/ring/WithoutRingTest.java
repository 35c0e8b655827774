package dev.sluice.ring;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.Sluice;
import dev.sluice.io.Capabilities.Finding;
import dev.sluice.testkit.Child;
import dev.sluice.testkit.LeakCheck;
import java.io.InputStream;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.opentest4j.TestAbortedException;

/** The same contract in a JVM that may have no ring: refused by a seccomp filter, as containers do, or switched off. */
@Timeout(90)
@ExtendWith(LeakCheck.class)
class WithoutRingTest {
    private static final Class<?>[] CONTRACT = {RingFileTest.class, RingSocketTest.class, FanOutTest.class};

    @TempDir
    Path directory;

    @ParameterizedTest(name = "{1}")
    @CsvSource({"1, EPERM", "38, ENOSYS"})
    @DisplayName("R17: a sandbox that refuses io_uring_setup: files work by ordinary calls, and the reason is said")
    void refused(int errno, String name) throws Exception {
        Child child = contract(
                List.of(refusal().toString(), Integer.toString(errno)),
                List.of(),
                errno == 1 ? CONTRACT : new Class<?>[] {RingFileTest.class});
        assertThat(child.exit()).as(child.toString()).isZero();
        assertThat(child.out()).contains("reason: ring: io_uring_setup: " + name, "seccomp");
        assertThat(child.out()).contains("doctor: false");
    }

    @Test
    @DisplayName("R17: switched off by the property")
    void switchedOff() throws Exception {
        Child child = contract(List.of(), List.of("-Dsluice.ring=off"), FanOutTest.class);
        assertThat(child.exit()).as(child.toString()).isZero();
        assertThat(child.out()).contains("reason: the ring is switched off by -Dsluice.ring=off");
        assertThat(child.out()).contains("doctor: false", "-Dsluice.ring=auto");
    }

    @Test
    @DisplayName("a JVM that needs the ring is told why there is none")
    void required() throws Exception {
        Child child = contract(List.of(refusal().toString(), "1"), List.of("-Dsluice.ring=require"));
        assertThat(child.exit()).isNotZero();
        assertThat(child.out() + child.err()).contains("-Dsluice.ring=require, but ring: io_uring_setup: EPERM");
    }

    private Path refusal() throws Exception {
        Assumptions.assumeTrue(Child.has("gcc", "--version"), "gcc is missing: the filter can't be compiled");
        Path source = directory.resolve("refuse.c");
        Path program = directory.resolve("refuse");
        try (InputStream resource = WithoutRingTest.class.getResourceAsStream("refuse.c")) {
            Files.copy(resource, source);
        }
        Child compiler = Child.run(List.of("gcc", "-O1", "-Wall", "-o", program.toString(), source.toString()));
        Assumptions.assumeTrue(compiler.exit() == 0, compiler.err());
        Assumptions.assumeTrue(Child.has(program.toString(), "1", "true"), "filters may not be installed here");
        return program;
    }

    private static Child contract(List<String> prefix, List<String> jvm, Class<?>... tests) throws Exception {
        String[] names = Arrays.stream(tests).map(Class::getName).toArray(String[]::new);
        List<String> options = new ArrayList<>(jvm);
        // It lives for seconds: what it starts with counts, not what it gets to.
        options.add("-XX:TieredStopAtLevel=1");
        return Child.run(Child.command(prefix, options, Contract.class, names));
    }

    /** Runs the tests of the contract, one after the other, without the ceremony. */
    static final class Contract {
        private Contract() {}

        public static void main(String[] arguments) throws Exception {
            System.out.println("reason: " + SharedRing.shared().reason());
            Finding finding = Sluice.capabilities().findings().stream()
                    .filter(f -> f.name().equals("ring"))
                    .findFirst()
                    .orElseThrow();
            System.out.println("doctor: " + finding.available() + ", " + finding.detail() + "; " + finding.remedy());
            for (String name : arguments) {
                Class<?> type = Class.forName(name);
                for (Method method : type.getDeclaredMethods()) {
                    if (method.isAnnotationPresent(Test.class)) {
                        run(type, method);
                    } else if (method.isAnnotationPresent(ParameterizedTest.class)) {
                        run(type, method, false);
                        run(type, method, true);
                    }
                }
            }
        }

        private static void run(Class<?> type, Method method, Object... arguments) throws Exception {
            Path directory = Files.createTempDirectory("contract");
            try {
                Object test = type.getDeclaredConstructor().newInstance();
                var field = type.getDeclaredField("directory");
                field.setAccessible(true);
                field.set(test, directory);
                method.setAccessible(true);
                method.invoke(test, arguments);
                System.out.println("passed: " + method.getName() + Arrays.toString(arguments));
            } catch (java.lang.reflect.InvocationTargetException e) {
                if (!(e.getCause() instanceof TestAbortedException)) {
                    throw e;
                }
            } finally {
                try (var paths = Files.walk(directory)) {
                    for (Path path : paths.sorted(Comparator.reverseOrder()).toList()) {
                        Files.delete(path);
                    }
                }
            }
        }
    }
}
