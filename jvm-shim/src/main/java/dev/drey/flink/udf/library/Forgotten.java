package dev.drey.flink.udf.library;

import java.lang.ref.PhantomReference;
import java.lang.ref.ReferenceQueue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * An open function, to be closed when nobody has it any more: Flink has operators that do not close
 * theirs (in 2.3 those that aggregate in mini-batches). There is no thread for it, which would
 * outlive the job; who opens the next function closes the forgotten ones. When the class loader of
 * this class goes, the shim closes what is left.
 */
final class Forgotten extends PhantomReference<GoCall> {
    private static final ReferenceQueue<GoCall> QUEUE = new ReferenceQueue<>();

    /** Held, or they would be collected before what they refer to. */
    private static final Set<Forgotten> OPEN = ConcurrentHashMap.newKeySet();

    private final long library;
    private final long handle;

    private Forgotten(GoCall call, long library, long handle) {
        super(call, QUEUE);
        this.library = library;
        this.handle = handle;
    }

    /** Keeps an eye on a function that was opened. */
    static Forgotten watch(GoCall call, long library, long handle) {
        Forgotten watched = new Forgotten(call, library, handle);
        OPEN.add(watched);
        return watched;
    }

    /** It is closed. */
    void done() {
        OPEN.remove(this);
        clear();
    }

    /** Closes those that nobody has any more. What their Close says is lost: nobody asked. */
    static void closeAll() {
        for (Forgotten one = (Forgotten) QUEUE.poll();
                one != null;
                one = (Forgotten) QUEUE.poll()) {
            if (OPEN.remove(one)) {
                Native.close(one.library, one.handle, GoCall.direct(Native.ERROR_MAX));
            }
        }
    }
}
