package dev.drey.flink.jobs.count;

/** One event of a key. A Flink POJO. */
public final class Event {
    /** Its key. */
    public String key;

    /** Its number in the stream, from 0 on. */
    public long id;

    /** For Flink's serializer. */
    public Event() {}

    /** An event. */
    public Event(String key, long id) {
        this.key = key;
        this.id = id;
    }
}
