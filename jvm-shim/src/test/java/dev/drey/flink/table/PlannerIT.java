package dev.drey.flink.table;

import static org.assertj.core.api.Assertions.assertThat;

import dev.drey.flink.udf.subject.SubjectJar;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.Paths;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What planning leaves alone, seen in a JVM where nothing else has loaded Go. */
@Timeout(300)
class PlannerIT {
    @TempDir private Path temp;

    @Test
    void planningLoadsNoGo() throws Exception {
        Process process =
                new ProcessBuilder(
                                Paths.get(System.getProperty("java.home"), "bin", "java")
                                        .toString(),
                                "-Xmx512m",
                                "-Djava.io.tmpdir=" + temp,
                                "--add-opens=java.base/java.lang=ALL-UNNAMED",
                                "--add-opens=java.base/java.util=ALL-UNNAMED",
                                "-cp",
                                System.getProperty("java.class.path"),
                                PlannerProcess.class.getName(),
                                SubjectJar.of("queries").toString(),
                                "SELECT plus_one(1), w FROM LATERAL TABLE(words('a')) AS t(w, n)")
                        .redirectErrorStream(true)
                        .start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);

        assertThat(process.waitFor()).as(output).isZero();
        assertThat(output.lines().filter(l -> l.matches("(planned|run): .*")))
                .containsExactly("planned: no Go", "run: Go is loaded");
    }
}
