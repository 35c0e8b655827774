package dev.sluice.traps;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.Pipeline;
import dev.sluice.io.TransferResult;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.Child;
import dev.sluice.testkit.JdkPair;
import java.nio.channels.Pipe;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Adoption reads /proc, so here it is missing, or shows a user nothing but his own. */
@Timeout(60)
class AdoptionWithoutProcTest {
    /** Without /proc/self/exe the dynamic linker has to be told where the JVM's libraries are. */
    private static final List<String> EMPTY_PROC = List.of(
            "unshare",
            "-m",
            "sh",
            "-c",
            "mount -t tmpfs none /proc && exec \"$@\"",
            "sh",
            "env",
            "LD_LIBRARY_PATH=" + Path.of(System.getProperty("java.home"), "lib"));

    private static final List<String> HIDEPID = List.of(
            "unshare",
            "-m",
            "-p",
            "-f",
            "sh",
            "-c",
            "mount -t proc -o hidepid=2 proc /proc"
                    + " && exec setpriv --reuid=65534 --regid=65534 --clear-groups --bounding-set=-all \"$@\"",
            "sh");

    private static Child run(List<String> prefix) throws Exception {
        List<String> check = new ArrayList<>(prefix);
        check.addAll(Child.command(List.of(), List.of(), Program.class, "start"));
        Assumptions.assumeTrue(
                Child.has(check.toArray(String[]::new)),
                "no JVM in a mount namespace of its own: unshare or setpriv is missing, or this is not root");
        Child child = Child.run(Child.command(prefix, List.of(), Program.class));
        assertThat(child.exit()).as(child.toString()).isZero();
        return child;
    }

    @Test
    @DisplayName("Without /proc, the JDK's pipes are copied: the right bytes, and the reason; sockets need none")
    void noProc() throws Exception {
        Child child = run(EMPTY_PROC);
        assertThat(child.out().lines().toList())
                .containsExactly(
                        "SPLICE through a kernel pipe",
                        "SPLICE through a kernel pipe",
                        "COPY the source is a JDK channel, and /proc/self/fd, which tells its descriptor, can't be read");
    }

    @Test
    @DisplayName("With hidepid=2 a process still sees itself: JDK sockets and pipes are spliced")
    void hidepid() throws Exception {
        Child child = run(HIDEPID);
        assertThat(child.out().lines().toList()).containsOnly("SPLICE through a kernel pipe");
    }

    /** Two transfers of JDK sockets, one of a pipe, and nothing left open. Without AssertJ, whose jar nobody may not be able to read. */
    static final class Program {
        public static void main(String[] arguments) throws Exception {
            if (arguments.length > 0) {
                return;
            }
            byte[] data = Bytes.random(5, 200_000);
            for (int i = 0; i < 3; i++) {
                Pipe pipe = Pipe.open();
                try (JdkPair in = JdkPair.open();
                        JdkPair out = JdkPair.open();
                        Pipe.SourceChannel end = pipe.source();
                        Pipe.SinkChannel begin = pipe.sink()) {
                    boolean sockets = i < 2;
                    var received = Bytes.async(() -> Bytes.readAll(out.far()));
                    var fed = Bytes.async(() -> {
                        Bytes.write(sockets ? in.far() : begin, data, 50_000);
                        begin.close();
                        return in.far().shutdownOutput();
                    });
                    TransferResult result = Pipeline.from(sockets ? in.near() : end)
                            .route(dev.sluice.io.Route.SPLICE)
                            .to(out.near());
                    out.near().shutdownOutput();
                    if (!Arrays.equals(data, Stage.get(received)) || result.bytes() != data.length) {
                        throw new AssertionError("wrong bytes");
                    }
                    Stage.get(fed);
                    if (!in.near().isBlocking() || !out.near().isBlocking()) {
                        throw new AssertionError("the mode is another one");
                    }
                    System.out.println(result.route() + " " + result.reason());
                }
            }
        }
    }
}
