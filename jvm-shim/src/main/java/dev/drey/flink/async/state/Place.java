package dev.drey.flink.async.state;

/** For which state a request is, and after which barrier it was sent. Immutable. */
public final class Place {
    private final String session;
    private final long epoch;
    private final int keyGroup;
    private final String key;
    private final long watermark;

    Place(String session, long epoch, int keyGroup, String key, long watermark) {
        this.session = session;
        this.epoch = epoch;
        this.keyGroup = keyGroup;
        this.key = key;
        this.watermark = watermark;
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

    /** The watermark, ms since 1970; {@link Long#MIN_VALUE} for none. */
    public long watermark() {
        return watermark;
    }
}
