package dev.drey.flink.async.client;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class FailureTest {
    private static Failure of(int status, String retryAfter, String body) {
        return Failure.of(new Reply(status, retryAfter, body.getBytes(StandardCharsets.UTF_8)));
    }

    @ParameterizedTest
    @CsvSource({
        "500, true",
        "502, true",
        "503, true",
        "504, true",
        "429, true",
        "400, false",
        "401, false",
        "404, false",
        "413, false",
        "422, false",
        "301, false",
        "501, false",
        "204, false"
    })
    void withoutAProblemDocumentTheStatusDecides(int status, boolean retryable) {
        for (String body :
                new String[] {"", "<html>busy</html>", "{", "[]", "{\"code\":7}", "null"}) {
            Failure failure = of(status, null, body);
            assertThat(failure.retryable()).isEqualTo(retryable);
            assertThat(failure.code()).isEqualTo("http_" + status);
            assertThat(Advice.of(failure)).isNotEmpty();
        }
    }

    @ParameterizedTest
    @CsvSource({
        "500, function_panic, false", "500, internal, true", "503, overloaded, true",
                "504, deadline_exceeded, true",
        "422, function_error, false", "422, id_reused, false", "404, unknown_function, false",
                "400, invalid_event, false",
        "413, body_too_large, false", "409, something_new, true", "503, something_new, false"
    })
    void aProblemDocumentDecidesItself(int status, String code, boolean retryable) {
        Failure failure =
                of(
                        status,
                        null,
                        "{\"title\":\"t\",\"violations\":[{\"field\":\"a\"}],\"code\":\""
                                + code
                                + "\",\"detail\":\"d\",\"decision_id\":\"01D\",\"retryable\":"
                                + retryable
                                + "}");
        assertThat(failure.retryable()).isEqualTo(retryable);
        assertThat(failure.code()).isEqualTo(code);
        assertThat(failure.detail()).isEqualTo("d");
        assertThat(failure.decisionId()).isEqualTo("01D");
        assertThat(failure.isShed()).isEqualTo(status == 503);
        assertThat(Advice.of(failure)).isNotEmpty();
    }

    @Test
    void millisecondsOfTheDocumentBeatSecondsOfTheHeader() {
        assertThat(of(503, "1", "{\"retry_after_ms\":30}").retryAfterNanos()).isEqualTo(30_000_000);
        assertThat(of(503, "1", "{}").retryAfterNanos()).isEqualTo(1_000_000_000);
    }

    @ParameterizedTest
    @CsvSource({"-5", "soon", "99999999999999999999", "''", "1.5"})
    void aStrangeRetryAfterIsNoWait(String header) {
        assertThat(of(503, header, "").retryAfterNanos()).isZero();
    }

    @Test
    void aRetryAfterMayBeADate() {
        String inAnHour =
                DateTimeFormatter.RFC_1123_DATE_TIME.format(
                        ZonedDateTime.now(ZoneOffset.UTC).plusHours(1));
        assertThat(Duration.ofNanos(of(503, inAnHour, "").retryAfterNanos()))
                .isBetween(Duration.ofMinutes(59), Duration.ofMinutes(60));
    }

    @Test
    void aForeignTextIsShortenedToOneLine() {
        assertThat(of(400, null, "<html>\n\n  <b>no</b>").detail()).isEqualTo("<html> <b>no</b>");
        assertThat(of(400, null, "x".repeat(10_000)).detail()).hasSizeLessThan(300);
        assertThat(of(400, null, "").detail()).isEqualTo("no text");
    }
}
