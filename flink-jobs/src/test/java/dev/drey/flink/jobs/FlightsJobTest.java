package dev.drey.flink.jobs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.drey.flink.async.sidecartest.Answer;
import dev.drey.flink.async.sidecartest.ScriptedSidecar;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.util.ExceptionUtils;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FlightsJobTest {
    private static final long FIRST = 1_357_034_400_000L;

    @TempDir Path folder;

    private Path data(int flights) throws Exception {
        List<String> lines = new ArrayList<>();
        for (int n = 1; n <= flights; n++) {
            String delay = n % 10 == 0 ? "null" : String.valueOf(n % 60);
            lines.add(
                    String.format(
                            "{\"id\":\"f-%06d\",\"scheduled_departure\":%d,\"sched_minute\":315,\"month\":1,\"weekday\":2,"
                                    + "\"carrier\":\"UA\",\"origin\":\"EWR\",\"dest\":\"IAH\",\"distance\":1400,"
                                    + "\"tailnum\":\"N14228\",\"plane_age\":14,\"seats\":149,\"temp\":39.02,\"dewp\":26.06,"
                                    + "\"humid\":59.37,\"wind_dir\":270,\"wind_speed\":10.35702,\"wind_gust\":null,"
                                    + "\"precip\":0,\"pressure\":1012,\"visib\":10,\"flight\":%d,\"arr_delay\":%s}",
                            n, FIRST + n * 60_000L, 1000 + n, delay));
        }
        return Files.write(folder.resolve("flights.jsonl"), lines);
    }

    private JobClient start(ScriptedSidecar sidecar, Path data, String... more) throws Exception {
        StreamExecutionEnvironment env = JobRun.cluster(1);
        List<String> args =
                new ArrayList<>(
                        List.of(
                                "--input-path", data.toUri().toString(),
                                "--output-path", folder.resolve("out").toUri().toString(),
                                "--drey.sidecar.url", sidecar.url().toString()));
        args.addAll(List.of(more));
        FlightsJob.define(env, args.toArray(new String[0]));
        return env.executeAsync();
    }

    @Test
    void keepsTheDelayFromGoAndJudgesWithIt() throws Exception {
        try (ScriptedSidecar sidecar =
                ScriptedSidecar.start(
                        r ->
                                Answer.result(
                                        r,
                                        "{\"score\":0.3,\"decision\":\"review\",\"reasons\":[\"wind\"]}"))) {
            JobRun.toEnd(start(sidecar, data(500), "--drey.async.ordered", "true"));

            assertThat(sidecar.requests()).hasSize(500);
            assertThat(sidecar.requests())
                    .allSatisfy(
                            r -> {
                                assertThat(r.function()).isEqualTo("flights");
                                JsonNode e = r.event();
                                assertThat(e.fieldNames())
                                        .toIterable()
                                        .containsExactlyInAnyOrder(
                                                "scheduled_departure",
                                                "sched_minute",
                                                "month",
                                                "weekday",
                                                "carrier",
                                                "origin",
                                                "dest",
                                                "distance",
                                                "tailnum",
                                                "plane_age",
                                                "seats",
                                                "temp",
                                                "dewp",
                                                "humid",
                                                "wind_dir",
                                                "wind_speed",
                                                "wind_gust",
                                                "precip",
                                                "pressure",
                                                "visib");
                                assertThat(e.path("wind_gust").isNull()).isTrue();
                            });
            List<JsonNode> lines = JobRun.lines(folder.resolve("out"));
            assertThat(lines).hasSize(500);
            assertThat(lines)
                    .allSatisfy(
                            line -> {
                                int n = Integer.parseInt(line.path("id").asText().substring(2));
                                assertThat(line.path("timestamp").asLong())
                                        .isEqualTo(FIRST + n * 60_000L);
                                if (n % 10 == 0) {
                                    assertThat(line.path("label").isNull()).isTrue();
                                } else {
                                    assertThat(line.path("label").asBoolean())
                                            .isEqualTo(n % 60 >= 30);
                                }
                            });
            assertThat(lines)
                    .isSortedAccordingTo(
                            java.util.Comparator.comparing(l -> l.path("id").asText()));
        }
    }

    @Test
    void takesTheFirstOnlyAndKeepsRunningWhenTold() throws Exception {
        try (ScriptedSidecar sidecar =
                ScriptedSidecar.start(
                        r ->
                                Answer.result(
                                        r,
                                        "{\"score\":0.9,\"decision\":\"alert\",\"reasons\":[]}"))) {
            JobClient job =
                    start(
                            sidecar,
                            data(200),
                            "--events",
                            "120",
                            "--follow",
                            "true",
                            "--rate",
                            "2000");
            JobRun.await("decisions", () -> JobRun.ids(folder.resolve("out")).size() == 120);
            assertThat(job.getJobStatus().get().isTerminalState()).isFalse();
            assertThat(JobRun.ids(folder.resolve("out/alerts"))).hasSize(120).contains("f-000120");
            job.cancel().get();
        }
    }

    @Test
    void saysWhatIsWrongWithItsFile() throws Exception {
        Path broken = Files.write(folder.resolve("broken.jsonl"), List.of("id,carrier"));
        try (ScriptedSidecar sidecar = ScriptedSidecar.start(r -> Answer.result(r, "{}"))) {
            StreamExecutionEnvironment env = JobRun.cluster(1);
            env.configure(
                    org.apache.flink.configuration.Configuration.fromMap(
                            java.util.Map.of("restart-strategy.type", "none")));
            FlightsJob.define(
                    env,
                    "--input-path",
                    broken.toString(),
                    "--output-path",
                    folder.resolve("out").toString());
            assertThatThrownBy(() -> JobRun.toEnd(env.executeAsync()))
                    .satisfies(
                            e ->
                                    assertThat(ExceptionUtils.stringifyException(e))
                                            .contains("a line of --input-path is no flight"));
        }
    }
}
