package dev.drey.flink.async.sidecartest;

import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

/** What a {@link ScriptedSidecar} answers. Immutable. */
public final class Answer {
    final int status;
    final Map<String, String> headers;
    final byte[] body;
    final int announced;

    private Answer(int status, Map<String, String> headers, byte[] body, int announced) {
        this.status = status;
        this.headers = headers;
        this.body = body;
        this.announced = announced;
    }

    /** Any status with a JSON body. */
    public static Answer json(int status, String body) {
        return of(status, "application/json", body);
    }

    /** Any status and type. */
    public static Answer of(int status, String contentType, String body) {
        byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
        return new Answer(status, Map.of("Content-Type", contentType), bytes, bytes.length);
    }

    /** What a sidecar answers to a request, with this result. */
    public static Answer result(Request request, String result) {
        String id = request.id() == null ? "01TEST" : request.id();
        return json(
                200,
                "{\"id\":\"" + id + "\",\"result\":" + result + ",\"timestamp\":1764000000000}");
    }

    /** A problem document as the sidecar writes them. */
    public static Answer problem(int status, String code, boolean retryable) {
        return of(
                status,
                "application/problem+json",
                "{\"type\":\"urn:drey:problem:"
                        + code
                        + "\",\"title\":\"title of "
                        + code
                        + "\",\"status\":"
                        + status
                        + ",\"detail\":\"detail of "
                        + code
                        + "\",\"code\":\""
                        + code
                        + "\",\"retryable\":"
                        + retryable
                        + ",\"decision_id\":\"01DECISION\"}");
    }

    /** The same with one more header. */
    public Answer with(String header, String value) {
        Map<String, String> more = new LinkedHashMap<>(headers);
        more.put(header, value);
        return new Answer(status, more, body, announced);
    }

    /** The same, but the connection breaks before the body is whole. */
    public Answer cutAt(int bytes) {
        return new Answer(status, headers, java.util.Arrays.copyOf(body, bytes), body.length);
    }
}
