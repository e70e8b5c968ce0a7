package dev.drey.flink.udf.library;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Paths;
import java.util.Map;
import org.junit.jupiter.api.Test;

class LibrarySettingsTest {
    @Test
    void defaultsLeaveGoItsOwn() {
        LibrarySettings settings = LibrarySettings.of(Map.of("other", "x"));
        assertThat(settings.libraryDir())
                .isEqualTo(Paths.get(System.getProperty("java.io.tmpdir")));
        assertThat(settings.maxRuntimes()).isEqualTo(4);
        assertThat(settings.gomaxprocs()).isZero();
        assertThat(settings.memoryLimit()).isZero();
        assertThat(settings.gogc()).isNull();
        assertThat(settings.crashDir()).isNull();
    }

    @Test
    void optionsAreRead() {
        LibrarySettings settings =
                LibrarySettings.of(
                        Map.of(
                                "drey.udf.library-dir", "/x",
                                "drey.udf.crash-dir", "/y",
                                "drey.udf.max-runtimes", "2",
                                "drey.udf.gomaxprocs", "3",
                                "drey.udf.memory-limit", "5000000000",
                                "drey.udf.gogc", "off"));
        assertThat(settings.libraryDir()).isEqualTo(Paths.get("/x"));
        assertThat(settings.crashDir()).isEqualTo(Paths.get("/y"));
        assertThat(settings.maxRuntimes()).isEqualTo(2);
        assertThat(settings.gomaxprocs()).isEqualTo(3);
        assertThat(settings.memoryLimit()).isEqualTo(5_000_000_000L);
        assertThat(settings.gogc()).isEqualTo("off");
    }

    @Test
    void numberThatIsNoneNamesItsKey() {
        assertThatThrownBy(() -> LibrarySettings.of(Map.of("drey.udf.gomaxprocs", "many")))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("drey.udf.gomaxprocs")
                .hasMessageContaining("many");
    }
}
