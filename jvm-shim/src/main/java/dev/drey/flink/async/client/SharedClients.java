package dev.drey.flink.async.client;

import java.net.URI;
import java.util.HashMap;
import java.util.Map;

/**
 * One client for each sidecar and answer limit, counted: connections and threads are shared by the
 * subtasks of a TaskManager. With this jar inside a job's jar, "TaskManager" means the job's class
 * loader; in {@code lib/} it is the process.
 */
final class SharedClients {
    static final SharedClients PROCESS = new SharedClients();

    private static final class Entry {
        GoClient client;
        int users;
    }

    private final Map<String, Entry> entries = new HashMap<>(); // guarded by this

    synchronized GoClient acquire(URI url, int maxAnswerBytes) {
        String key = url + " " + maxAnswerBytes;
        Entry entry = entries.computeIfAbsent(key, k -> new Entry());
        if (entry.client == null) {
            String name = "drey-client " + url.getAuthority();
            entry.client =
                    new GoClient(
                            new HttpTransport(url, maxAnswerBytes, name),
                            new SystemTimer(name + " timer"),
                            () -> release(key));
        }
        entry.users++;
        return entry.client;
    }

    private void release(String key) {
        GoClient last = null;
        synchronized (this) {
            Entry entry = entries.get(key);
            if (entry != null && --entry.users == 0) {
                entries.remove(key);
                last = entry.client;
            }
        }
        if (last != null) { // outside the lock: ending calls runs their callbacks
            last.shutdown();
        }
    }

    synchronized int users(URI url, int maxAnswerBytes) {
        Entry entry = entries.get(url + " " + maxAnswerBytes);
        return entry == null ? 0 : entry.users;
    }
}
