package dev.drey.flink.async.sidecartest;

import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;

/** What a {@link ScriptedSidecar} was asked. */
public final class Request {
    private final String method;
    private final String path;
    private final JsonNode body;

    Request(String method, String path, JsonNode body) {
        this.method = method;
        this.path = path;
        this.body = body;
    }

    /** The method of HTTP. */
    public String method() {
        return method;
    }

    /** The path of the URL. */
    public String path() {
        return path;
    }

    /** The whole envelope; a missing node if there was no body. */
    public JsonNode body() {
        return body;
    }

    /** The idempotency key, or null. */
    public String id() {
        return body.path("id").textValue();
    }

    /** The function's name. */
    public String function() {
        return body.path("function").textValue();
    }

    /** The event. */
    public JsonNode event() {
        return body.path("event");
    }
}
