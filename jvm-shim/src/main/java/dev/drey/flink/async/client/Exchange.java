package dev.drey.flink.async.client;

import java.util.Objects;
import javax.annotation.Nullable;

/**
 * One request of HTTP, and which answers are good ones. Immutable but for the body, which nobody
 * may change.
 */
public final class Exchange {
    private final String method;
    private final String path;
    @Nullable private final byte[] body;
    private final boolean anySuccess;

    private Exchange(String method, String path, @Nullable byte[] body, boolean anySuccess) {
        this.method = method;
        this.path = path;
        this.body = body;
        this.anySuccess = anySuccess;
    }

    /** Calls a function. Anything but 200 comes from something that is no sidecar. */
    public static Exchange evaluate(byte[] body) {
        return new Exchange("POST", "/evaluate", Objects.requireNonNull(body), false);
    }

    /**
     * Sends a JSON document.
     *
     * @param path below the base URL, begins with a slash; with its query
     */
    public static Exchange post(String path, byte[] body) {
        return new Exchange("POST", path, Objects.requireNonNull(body), true);
    }

    /** Asks for a document. */
    public static Exchange get(String path) {
        return new Exchange("GET", path, null, true);
    }

    /** Ends something. */
    public static Exchange delete(String path) {
        return new Exchange("DELETE", path, null, true);
    }

    String method() {
        return method;
    }

    String path() {
        return path;
    }

    @Nullable
    byte[] body() {
        return body;
    }

    /** Whether an answer with this status is read, and not a failure. */
    boolean accepts(int status) {
        return status == 200 || (anySuccess && status > 200 && status < 300);
    }
}
