package dev.drey.flink.udf.library;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Paths;
import java.util.List;
import java.util.Map;
import org.apache.flink.configuration.MemorySize;
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
    void sizesHaveTheUnitsOfFlink() {
        for (String text :
                List.of("1", "1b", "7 bytes", "3k", "3 KB", "512m", "512MB", "2 gibibytes", "1t")) {
            assertThat(LibrarySettings.of(Map.of("drey.udf.memory-limit", text)).memoryLimit())
                    .as(text)
                    .isEqualTo(MemorySize.parseBytes(text));
        }
        for (String text :
                List.of("", "m", "1x", "-1m", "1.5g", "9999999999999999999", "9999999t")) {
            assertThatThrownBy(() -> LibrarySettings.of(Map.of("drey.udf.memory-limit", text)))
                    .as(text)
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("drey.udf.memory-limit: '" + text + "'");
        }
    }

    @Test
    void numberThatIsNoneNamesItsKey() {
        assertThatThrownBy(() -> LibrarySettings.of(Map.of("drey.udf.gomaxprocs", "many")))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("drey.udf.gomaxprocs")
                .hasMessageContaining("many");
    }
}
