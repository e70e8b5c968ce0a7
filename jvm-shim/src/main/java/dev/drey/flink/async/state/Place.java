package dev.drey.flink.async.state;

/** For which state a request is, and after which barrier it was sent. */
public final class Place {
    private final String session;
    private final long epoch;
    private final int keyGroup;
    private final String key;
    private final long watermark;
    private final long lowWatermark;
    private final Runnable answered;

    Place(
            String session,
            long epoch,
            int keyGroup,
            String key,
            long watermark,
            long lowWatermark,
            Runnable answered) {
        this.session = session;
        this.epoch = epoch;
        this.keyGroup = keyGroup;
        this.key = key;
        this.watermark = watermark;
        this.lowWatermark = lowWatermark;
        this.answered = answered;
    }

    /** The name of the session. */
    public String session() {
        return session;
    }

    /** The number of the last barrier that this attempt has seen, 0 for none. */
    public long epoch() {
        return epoch;
    }

    /** The key group of the key. */
    public int keyGroup() {
        return keyGroup;
    }

    /** The key as text. */
    public String key() {
        return key;
    }

    /**
     * The watermark when the record came, ms since 1970; {@link Long#MIN_VALUE} for none. The
     * request happens at this event time, whenever it is sent.
     */
    public long watermark() {
        return watermark;
    }

    /** The lowest watermark of all requests without an answer, this one among them. */
    public long lowWatermark() {
        return lowWatermark;
    }

    /** The request has its answer, or the record goes on without one. On any thread. */
    public void answered() {
        answered.run();
    }
}
