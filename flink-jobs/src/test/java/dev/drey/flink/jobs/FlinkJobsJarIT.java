package dev.drey.flink.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.DataInputStream;
import java.nio.file.Path;
import java.util.List;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/**
 * What users submit: nothing that a cluster has already, and nothing that an older JVM cannot read.
 */
class FlinkJobsJarIT {
    private static final Path JAR = Path.of("target", "flink-jobs.jar");
    private static final List<String> ALLOWED =
            List.of(
                    "META-INF/MANIFEST.MF",
                    // LOAD MODULE go, and the Java half of Go functions: without any function.
                    "META-INF/services/org.apache.flink.table.factories.Factory",
                    "GoUDFProxy.class",
                    "dev/drey/flink/.*",
                    "org/apache/flink/walkthrough/common/.*");

    @Test
    void holdsOnlyWhatIsAllowed() throws Exception {
        try (JarFile jar = new JarFile(JAR.toFile())) {
            List<String> names =
                    jar.stream()
                            .filter(e -> !e.isDirectory())
                            .map(JarEntry::getName)
                            .collect(Collectors.toList());
            assertThat(names).allMatch(name -> ALLOWED.stream().anyMatch(name::matches));
            assertThat(names)
                    .contains(
                            "dev/drey/flink/jobs/FraudJob.class",
                            "dev/drey/flink/jobs/FlightsJob.class",
                            "dev/drey/flink/async/GoAsyncFunction.class",
                            "org/apache/flink/walkthrough/common/source/TransactionSource.class");
            assertThat(names).noneMatch(name -> name.contains("Test"));
        }
    }

    @Test
    void isReadableByJava11() throws Exception {
        try (JarFile jar = new JarFile(JAR.toFile())) {
            for (JarEntry entry : (Iterable<JarEntry>) jar.stream()::iterator) {
                if (entry.getName().endsWith(".class")) {
                    try (DataInputStream in = new DataInputStream(jar.getInputStream(entry))) {
                        in.readInt();
                        in.readUnsignedShort();
                        assertThat(in.readUnsignedShort())
                                .as(entry.getName())
                                .isLessThanOrEqualTo(55);
                    }
                }
            }
        }
    }
}
