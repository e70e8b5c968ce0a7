package dev.drey.flink.async.state;

import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Iterator;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The records that wait for an answer, by the watermark that was there when they came. The task
 * thread calls everything but what {@link #begin} returns.
 */
final class Moments {
    private static final class Moment {
        final long watermark;
        final Set<String> waiting = ConcurrentHashMap.newKeySet();

        Moment(long watermark) {
            this.watermark = watermark;
        }
    }

    // As many as there are watermarks among the records that wait.
    private final ArrayDeque<Moment> moments = new ArrayDeque<>();

    /**
     * A record begins to wait.
     *
     * @return what ends it, on any thread
     */
    Runnable begin(String id, long watermark) {
        Moment last = moments.peekLast();
        if (last == null || last.watermark != watermark) {
            last = new Moment(watermark);
            moments.add(last);
        }
        Set<String> waiting = last.waiting;
        waiting.add(id);
        return () -> waiting.remove(id);
    }

    /** The lowest watermark of those that wait, or this one. */
    long low(long watermark) {
        long low = watermark;
        for (Iterator<Moment> i = moments.iterator(); i.hasNext(); ) {
            Moment moment = i.next();
            if (moment.waiting.isEmpty()) {
                i.remove();
            } else {
                low = Math.min(low, moment.watermark);
            }
        }
        return low;
    }

    /** The watermarks of all that wait, by id. */
    Map<String, Long> all() {
        Map<String, Long> all = new HashMap<>();
        for (Moment moment : moments) {
            for (String id : moment.waiting) {
                all.put(id, moment.watermark);
            }
        }
        return all;
    }
}
