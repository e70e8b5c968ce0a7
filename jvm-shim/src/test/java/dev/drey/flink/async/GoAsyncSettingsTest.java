package dev.drey.flink.async;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.reflect.Field;
import java.time.Duration;
import java.util.Map;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class GoAsyncSettingsTest {
    private static GoAsyncSettings settings(String... options) {
        Configuration config = new Configuration();
        for (int i = 0; i < options.length; i += 2) {
            config.setString(options[i], options[i + 1]);
        }
        return GoAsyncSettings.from(config);
    }

    @Test
    void theDefaultsFitTogether() {
        GoAsyncSettings settings = settings();
        assertThat(settings.url(0)).hasToString("http://127.0.0.1:8080");
        assertThat(settings.capacity()).isEqualTo(100);
        assertThat(settings.ordered()).isFalse();
        assertThat(settings.onError()).isEqualTo(OnError.FAIL);
        assertThat(settings.timeout()).isEqualTo(Duration.ofSeconds(70));
    }

    @Test
    void severalSidecarsAreGivenToSubtasksInTurn() {
        GoAsyncSettings settings = settings("drey.sidecar.url", "http://a:1, http://b:2/");
        assertThat(settings.url(0)).hasToString("http://a:1");
        assertThat(settings.url(1)).hasToString("http://b:2");
        assertThat(settings.url(2)).hasToString("http://a:1");
        assertThatThrownBy(() -> settings("drey.sidecar.url", "http://a:1,"))
                .hasMessageContaining("drey.sidecar.url");
    }

    @Test
    void theTimeoutFollowsTheBudget() {
        assertThat(
                        settings(
                                        "drey.async.retry-budget",
                                        "5 min",
                                        "drey.async.attempt-timeout",
                                        "20 s")
                                .timeout())
                .isEqualTo(Duration.ofSeconds(325));
        assertThat(settings("drey.async.timeout", "2 min").timeout())
                .isEqualTo(Duration.ofMinutes(2));
    }

    @ParameterizedTest
    @CsvSource({"fail, FAIL", "null, NULL", "side-output, SIDE_OUTPUT", "Side-Output, SIDE_OUTPUT"})
    void readsTheOnErrorChoice(String text, OnError choice) {
        assertThat(settings("drey.async.on-error", text).onError()).isEqualTo(choice);
    }

    @ParameterizedTest
    @CsvSource({
        "drey.async.attempt-timeout, 60 s, raise the budget or shorten the attempt",
        "drey.async.attempt-timeout, 0 s, raise it above zero",
        "drey.async.retry-budget, 2 s, raise the budget or shorten the attempt",
        "drey.async.timeout, 60 s, leave it out to have it derived",
        "drey.async.timeout, 6 s, raise the timeout",
        "drey.async.capacity, 0, raise it to 1 or more",
        "drey.async.backoff.initial, 0 ms, raise it above zero",
        "drey.async.backoff.initial, 3 s, raise the maximum",
        "drey.async.backoff.max, 60 s, lower the maximum or raise the budget",
        "drey.async.max-answer-size, 0 b, raise it",
        "drey.async.on-error, skip, side-output",
        "drey.sidecar.url, localhost:8080, must look like http://127.0.0.1:8080",
        "drey.sidecar.url, unix:/run/drey.sock, must look like http",
        "drey.sidecar.url, http://me:secret@host, no credentials",
        "drey.sidecar.url, http://host/?a=b, query",
        "drey.sidecar.url, http://ho st, drey.sidecar.url",
    })
    void saysWhatToChange(String key, String value, String advice) {
        assertThatThrownBy(() -> settings(key, value))
                .isInstanceOf(IllegalArgumentException.class)
                .satisfies(
                        e ->
                                assertThat(
                                                org.apache.flink.util.ExceptionUtils
                                                        .stringifyException(e))
                                        .contains(key)
                                        .contains(advice))
                .satisfies(e -> assertThat(e.getMessage()).doesNotContain("secret"));
    }

    @Test
    void slashesAtTheEndOfTheUrlDoNotMatter() {
        assertThat(settings("drey.sidecar.url", " https://s:8443/base// ").url(0))
                .hasToString("https://s:8443/base");
    }

    @Test
    void everyOptionHasADescriptionAndThePrefix() throws Exception {
        int options = 0;
        for (Field field : GoAsyncOptions.class.getDeclaredFields()) {
            if (field.get(null) instanceof ConfigOption) {
                ConfigOption<?> option = (ConfigOption<?>) field.get(null);
                assertThat(option.key()).startsWith("drey.");
                assertThat(option.description().getBlocks()).isNotEmpty();
                options++;
            }
        }
        assertThat(options).isEqualTo(11);
    }

    @Test
    void argumentsBeatFlinksConfiguration() {
        StreamExecutionEnvironment env =
                StreamExecutionEnvironment.getExecutionEnvironment(
                        Configuration.fromMap(
                                Map.of(
                                        "drey.sidecar.url",
                                        "http://flink:1",
                                        "drey.async.capacity",
                                        "7")));
        Configuration config =
                GoAsync.configuration(env, "--drey.sidecar.url", "http://args:2", "--events", "3");
        assertThat(GoAsyncSettings.from(config).url(0)).hasToString("http://args:2");
        assertThat(GoAsyncSettings.from(config).capacity()).isEqualTo(7);
        assertThat(config.keySet()).doesNotContain("events");
    }
}
