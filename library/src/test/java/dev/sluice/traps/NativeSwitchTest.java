package dev.sluice.traps;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.testkit.Child;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The three values of the property {@code sluice.native}, and a JVM that denies native access. */
@Timeout(60)
class NativeSwitchTest {
    private static Child run(String... jvm) throws Exception {
        List<String> command = new ArrayList<>(Child.command(List.of(), List.of(jvm), WithoutNative.class));
        command.remove("--enable-native-access=ALL-UNNAMED");
        return Child.run(command);
    }

    @Test
    @DisplayName("J6: switched off, JDK channels are copied, the rest says so in one line")
    void off() throws Exception {
        Child child = run("-Dsluice.native=off");
        assertThat(child.exit()).as(child.toString()).isZero();
        assertThat(child.out()).contains("route COPY").contains("-Dsluice.native=off");
        assertThat(child.err())
                .as("no warning, since nothing native is touched")
                .doesNotContain("WARNING");
    }

    @Test
    @DisplayName("J6: denied by the JVM, JDK channels are copied, and the reason names the flag that is missing")
    void denied() throws Exception {
        Child child = run("--illegal-native-access=deny");
        assertThat(child.exit()).as(child.toString()).isZero();
        assertThat(child.out()).contains("route COPY").contains("--enable-native-access=ALL-UNNAMED");
    }

    @Test
    @DisplayName("J6: required but denied, the first use fails and names the flag")
    void required() throws Exception {
        Child child = run("--illegal-native-access=deny", "-Dsluice.native=require");
        assertThat(child.exit()).as(child.toString()).isNotZero();
        assertThat(child.out() + child.err()).contains("require").contains("--enable-native-access=ALL-UNNAMED");
    }

    @Test
    @DisplayName("J6: required and permitted, everything works")
    void requiredAndPermitted() throws Exception {
        Child child = Child.run(
                Child.command(List.of(), List.of("-Dsluice.native=require"), WithoutNative.class, "permitted"));
        assertThat(child.exit()).as(child.toString()).isZero();
        assertThat(child.out()).contains("moved 100000");
    }
}
