package dev.drey.flink.async.state;

import java.util.ArrayList;
import java.util.List;

/** What a subtask says at a barrier. Filled by the task thread, then not changed any more. */
final class Mark {
    final long checkpoint;

    /** Whether the snapshot must not build on earlier ones. */
    final boolean full;

    /** Whether it is a savepoint, whose snapshot stays until that one is gone. */
    final boolean savepoint;

    /** Of the requests that are in flight, and their key groups. */
    final List<String> ids = new ArrayList<>();

    final List<Integer> keyGroups = new ArrayList<>();

    Mark(long checkpoint, boolean full, boolean savepoint) {
        this.checkpoint = checkpoint;
        this.full = full;
        this.savepoint = savepoint;
    }

    void inFlight(String id, int keyGroup) {
        ids.add(id);
        keyGroups.add(keyGroup);
    }
}
