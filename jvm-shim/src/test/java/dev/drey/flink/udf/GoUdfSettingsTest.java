package dev.drey.flink.udf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.drey.flink.udf.library.LibrarySettings;
import java.nio.file.Paths;
import java.util.Map;
import org.apache.flink.configuration.Configuration;
import org.junit.jupiter.api.Test;

class GoUdfSettingsTest {
    @Test
    void jobParametersComeBeforeTheTaskManagersConfiguration() {
        GoUdfSettings settings =
                settings(
                        Map.of("drey.udf.call-timeout", "2 s", "drey.udf.gogc", "off"),
                        Map.of(
                                "drey.udf.call-timeout", "9 s",
                                "drey.udf.gogc", "50",
                                "drey.udf.max-runtimes", "7",
                                "drey.udf.library-dir", "/var/lib/drey"));

        assertThat(settings.callTimeoutMillis()).isEqualTo(2000);
        LibrarySettings library = settings.library();
        assertThat(library.gogc()).isEqualTo("off");
        assertThat(library.maxRuntimes()).isEqualTo(7);
        assertThat(library.libraryDir()).isEqualTo(Paths.get("/var/lib/drey"));
    }

    @Test
    void defaults() {
        GoUdfSettings settings = settings(Map.of(), Map.of());

        assertThat(settings.callTimeoutMillis()).isEqualTo(30_000);
        assertThat(settings.maxResultBytes()).isEqualTo(64 << 20);
        LibrarySettings library = settings.library();
        assertThat(library.maxRuntimes()).isEqualTo(4);
        assertThat(library.memoryLimit()).isZero();
        assertThat(library.gomaxprocs()).isZero();
        assertThat(library.gogc()).isNull();
        assertThat(library.libraryDir()).isEqualTo(Paths.get(System.getProperty("java.io.tmpdir")));
    }

    @Test
    void memoryOfTheTasksIsTheLimitOfGo() {
        assertThat(
                        settings(Map.of(), Map.of("taskmanager.memory.task.off-heap.size", "256m"))
                                .library()
                                .memoryLimit())
                .isEqualTo(256 << 20);
        assertThat(
                        settings(
                                        Map.of("drey.udf.memory-limit", "1g"),
                                        Map.of("taskmanager.memory.task.off-heap.size", "256m"))
                                .library()
                                .memoryLimit())
                .isEqualTo(1 << 30);
    }

    @Test
    void moreSlotsThanProcessorsAreThreadsOfGo() {
        int slots = Runtime.getRuntime().availableProcessors() + 3;
        Map<String, String> taskManager =
                Map.of("taskmanager.numberOfTaskSlots", Integer.toString(slots));

        assertThat(settings(Map.of(), taskManager).library().gomaxprocs()).isEqualTo(slots);
        assertThat(settings(Map.of("drey.udf.gomaxprocs", "2"), taskManager).library().gomaxprocs())
                .isEqualTo(2);
    }

    @Test
    void stacksOfACrashAreBesideTheLogUnlessAFolderIsNamed() {
        String before = System.setProperty("log.file", "/var/log/flink/taskmanager.log");
        try {
            LibrarySettings byDefault = settings(Map.of(), Map.of()).library();
            assertThat(byDefault.crashDir()).isNull();
            assertThat(byDefault.logDir()).isEqualTo(Paths.get("/var/log/flink"));
            assertThat(
                            settings(Map.of(), Map.of("drey.udf.crash-dir", "/crashes"))
                                    .library()
                                    .crashDir())
                    .isEqualTo(Paths.get("/crashes"));
        } finally {
            if (before == null) {
                System.clearProperty("log.file");
            } else {
                System.setProperty("log.file", before);
            }
        }
    }

    @Test
    void whatIsNoValueNamesItsKey() {
        assertThatThrownBy(
                        () ->
                                settings(Map.of("drey.udf.call-timeout", "soon"), Map.of())
                                        .callTimeoutMillis())
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("drey.udf.call-timeout");
        assertThatThrownBy(
                        () ->
                                settings(Map.of("drey.udf.max-result-bytes", "3g"), Map.of())
                                        .maxResultBytes())
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContainingAll("drey.udf.max-result-bytes", "2 GiB");
    }

    private static GoUdfSettings settings(
            Map<String, String> jobParameters, Map<String, String> taskManager) {
        return GoUdfSettings.of(jobParameters::get, Configuration.fromMap(taskManager));
    }
}
