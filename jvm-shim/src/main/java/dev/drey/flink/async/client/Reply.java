package dev.drey.flink.async.client;

import javax.annotation.Nullable;

/** An HTTP answer, read to its end. */
public final class Reply {
    private final int status;
    @Nullable private final String retryAfter;
    private final byte[] body;

    /**
     * @param retryAfter the Retry-After header as it came
     * @param body owned by the reply from now on
     */
    public Reply(int status, @Nullable String retryAfter, byte[] body) {
        this.status = status;
        this.retryAfter = retryAfter;
        this.body = body;
    }

    /** HTTP status. */
    public int status() {
        return status;
    }

    /** The Retry-After header; null when there was none. */
    @Nullable
    public String retryAfter() {
        return retryAfter;
    }

    /** The body; not to be changed. */
    public byte[] body() {
        return body;
    }
}
