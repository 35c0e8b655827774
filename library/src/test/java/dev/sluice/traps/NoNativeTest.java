package dev.sluice.traps;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.Sluice;
import dev.sluice.io.Capabilities;
import dev.sluice.io.Route;
import dev.sluice.io.TransferResult;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Runs in a JVM of its own, with {@code --illegal-native-access=deny} and without {@code --enable-native-access}. */
@Tag("no-native")
@Timeout(30)
class NoNativeTest {
    private static final String FLAG = "--enable-native-access=";

    @Test
    @DisplayName("J6, #19: channels of the JDK are copied, and the reason names the flag that is missing")
    void jdkChannelsAreCopied() throws Exception {
        TransferResult result = WithoutNative.betweenJdkChannels();
        assertThat(result.route()).isEqualTo(Route.COPY);
        assertThat(result.bytes()).isEqualTo(100_000);
        assertThat(result.reason()).contains(FLAG);
    }

    @Test
    @DisplayName("J6: what needs native calls refuses in one line that names the flag")
    void theRestRefuses() throws Exception {
        for (WithoutNative.NeedsNative each : WithoutNative.needingNative()) {
            assertThat(WithoutNative.refusal(each)).contains(FLAG).doesNotContain("\n");
        }
    }

    @Test
    @DisplayName("J6: the capabilities say what is missing and what would bring it back")
    void capabilitiesTellTheRemedy() {
        Capabilities capabilities = Sluice.capabilities();
        assertThat(capabilities.has("native")).isFalse();
        assertThat(capabilities.findings())
                .filteredOn(finding -> finding.name().equals("native"))
                .allSatisfy(finding -> assertThat(finding.remedy()).startsWith(FLAG));
    }
}
