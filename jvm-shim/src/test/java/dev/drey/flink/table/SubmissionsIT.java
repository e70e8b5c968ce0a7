package dev.drey.flink.table;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.drey.flink.udf.library.GoLibrary;
import dev.drey.flink.udf.library.LibrarySettings;
import dev.drey.flink.udf.subject.SubjectJar;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Many jobs of a session cluster, one after the other: what Go counts of them in the end. */
@Timeout(300)
class SubmissionsIT {
    private static final int SUBMISSIONS = 50;

    @Test
    void jobsThatEndedLeaveNothingOpen() throws Exception {
        Path jar = SubjectJar.of("queries");
        for (int i = 0; i < SUBMISSIONS; i++) {
            SqlSession sql = SqlSession.streaming(jar);
            assertThat(
                            sql.query(
                                    "SELECT strict_difference(7, 5), w FROM LATERAL TABLE(words('a')) AS t(w, n)"))
                    .containsExactly("+I[2, a]");
        }
        assertThatThrownBy(() -> SqlSession.streaming(jar).query("SELECT fail_on(13)"))
                .hasStackTraceContaining("thirteen is unlucky");

        try (URLClassLoader loader =
                new URLClassLoader(new URL[] {jar.toUri().toURL()}, getClass().getClassLoader())) {
            // Another view of the runtime that the jobs had.
            String stats =
                    GoLibrary.load(loader, GoLibrary.build(loader), LibrarySettings.defaults())
                            .stats();
            assertThat(stats)
                    .contains("\"words\":{\"open\":0", "\"strict_difference\":{\"open\":0")
                    .contains("\"fail_on\":{\"open\":0");
            var calls =
                    Pattern.compile("\"words\":\\{\"open\":0,\"calls\":([0-9]+)").matcher(stats);
            assertThat(calls.find()).as(stats).isTrue();
            assertThat(Long.parseLong(calls.group(1))).isGreaterThanOrEqualTo(SUBMISSIONS);
        }
    }
}
