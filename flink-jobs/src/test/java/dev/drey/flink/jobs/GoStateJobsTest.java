package dev.drey.flink.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import dev.drey.flink.async.sidecartest.Request;
import dev.drey.flink.async.sidecartest.ScriptedSessions;
import dev.drey.flink.async.sidecartest.ScriptedSidecar;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The jobs with state in Go, in a small cluster, against a sidecar that counts in a map. */
class GoStateJobsTest {
    @TempDir Path out;

    private final Map<String, Integer> counts = new ConcurrentHashMap<>();

    private String decide(Request request) {
        if (request.function().equals("rules")) {
            boolean many = request.event().path("count").asInt() > 1;
            return "{\"score\":0.5,\"decision\":\""
                    + (many ? "alert" : "pass")
                    + "\",\"reasons\":[\"many\"]}";
        }
        String key = request.body().at("/state/key").asText();
        return "{\"count\":" + counts.merge(key, 1, Integer::sum) + "}";
    }

    @Test
    void countsTheEventsOfEachKey() throws Exception {
        StreamExecutionEnvironment env = JobRun.cluster(2);
        try (ScriptedSidecar sidecar = ScriptedSidecar.start(new ScriptedSessions(this::decide))) {
            CountJob.define(
                    env,
                    "--output-path",
                    out.toUri().toString(),
                    "--drey.sidecar.url",
                    sidecar.url().toString(),
                    "--events",
                    "500",
                    "--keys",
                    "10",
                    "--life",
                    "7");
            JobRun.toEnd(env.executeAsync());
        }
        List<String> lines = new ArrayList<>();
        try (Stream<Path> files = Files.walk(out)) {
            for (Path file : files.filter(Files::isRegularFile).collect(Collectors.toList())) {
                lines.addAll(Files.readAllLines(file));
            }
        }
        assertThat(lines).hasSize(500).allMatch(line -> line.matches("key-[0-9],[0-9]+,[0-9]+,7"));
        assertThat(lines.stream().map(line -> line.split(",")[0] + line.split(",")[2]))
                .doesNotHaveDuplicates();
    }

    @Test
    void judgesPaymentsByTheirNumber() throws Exception {
        StreamExecutionEnvironment env = JobRun.cluster(2);
        ScriptedSessions sessions = new ScriptedSessions(this::decide);
        try (ScriptedSidecar sidecar = ScriptedSidecar.start(sessions)) {
            VelocityJob.define(
                    env,
                    "--output-path",
                    out.toUri().toString(),
                    "--drey.sidecar.url",
                    sidecar.url().toString(),
                    "--events",
                    "500");
            JobRun.toEnd(env.executeAsync());
        }
        List<JsonNode> lines = JobRun.lines(out);
        assertThat(lines).hasSize(500);
        assertThat(lines)
                .allSatisfy(
                        line ->
                                assertThat(line.path("decision").asText())
                                        .isEqualTo(
                                                line.path("count").asInt() > 1 ? "alert" : "pass"));
        assertThat(lines).anyMatch(line -> line.path("decision").asText().equals("alert"));
        assertThat(sessions.opened()).hasSize(4); // of two operators, two subtasks each
        assertThat(sessions.all())
                .filteredOn(request -> "rules".equals(request.function()))
                .allSatisfy(
                        request ->
                                assertThat(request.event().fieldNames())
                                        .toIterable()
                                        .containsExactlyInAnyOrder("count", "accountId", "amount"));
    }
}
