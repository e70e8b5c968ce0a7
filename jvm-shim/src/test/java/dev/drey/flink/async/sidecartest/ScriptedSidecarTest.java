package dev.drey.flink.async.sidecartest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import org.junit.jupiter.api.Test;

/** The fake itself: a test that passes against a wrong fake proves nothing. */
class ScriptedSidecarTest {
    private static final HttpClient HTTP = HttpClient.newHttpClient();

    private static HttpResponse<String> post(URI url, String body) throws Exception {
        return HTTP.send(
                HttpRequest.newBuilder(url).POST(HttpRequest.BodyPublishers.ofString(body)).build(),
                HttpResponse.BodyHandlers.ofString());
    }

    @Test
    void answersWhatTheScriptSaysAndKeepsTheRequest() throws Exception {
        try (ScriptedSidecar sidecar =
                ScriptedSidecar.start(
                        r ->
                                Answer.result(r, "{\"n\":" + r.event().path("n") + "}")
                                        .with("X-Y", "z"))) {
            HttpResponse<String> answer =
                    post(
                            sidecar.url().resolve("/evaluate"),
                            "{\"id\":\"k\",\"function\":\"f\",\"event\":{\"n\":3}}");

            assertThat(answer.statusCode()).isEqualTo(200);
            assertThat(answer.body()).contains("\"id\":\"k\"").contains("\"result\":{\"n\":3}");
            assertThat(answer.headers().firstValue("x-y")).contains("z");
            assertThat(sidecar.requests()).hasSize(1);
            assertThat(sidecar.requests().get(0).path()).isEqualTo("/evaluate");
            assertThat(sidecar.requests().get(0).function()).isEqualTo("f");
        }
    }

    @Test
    void breaksTheConnectionInTheMiddleOfABody() {
        try (ScriptedSidecar sidecar =
                ScriptedSidecar.start(r -> Answer.json(200, "{\"a\":1}").cutAt(3))) {
            assertThatThrownBy(() -> post(sidecar.url(), "{}")).isInstanceOf(IOException.class);
        }
    }

    @Test
    void isGoneWhenKilledAndBackOnTheSamePort() throws Exception {
        try (ScriptedSidecar sidecar = ScriptedSidecar.start(r -> Answer.json(200, "{}"))) {
            URI url = sidecar.url();
            sidecar.kill();
            assertThatThrownBy(() -> post(url, "{}")).isInstanceOf(IOException.class);
            sidecar.start();
            assertThat(sidecar.url()).isEqualTo(url);
            assertThat(post(url, "{}").statusCode()).isEqualTo(200);
        }
    }
}
